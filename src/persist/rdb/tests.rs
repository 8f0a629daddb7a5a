//! Saving and loading by themselves: files that appear whole or not at all, and loads that say what is wrong.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::base::clock::now_ms;
use crate::base::ids::{DbIndex, UnixMs};
use crate::codec::rdb::encode::{
    write_aux, write_eof, write_expire_ms, write_function, write_header, write_select_db, write_string,
};
use crate::codec::rdb::{Dialect, value_type};
use crate::config::{Config, Live, SavePoint};
use crate::exec::engine::Engine;
use crate::exec::executor::Executor;
use crate::exec::loading::LoadState;
use crate::exec::stats::Count;
use crate::keyspace::db::Keyspace;
use crate::keyspace::lazy_free::Lazy;
use crate::keyspace::notify::Classes;
use crate::keyspace::space::{Expiry, Space, Surroundings};
use crate::snapshot::{SnapshotError, Snapshots};
use crate::types::Str;

pub(super) struct Server {
    pub engine: Arc<Engine>,
    pub snapshots: Arc<Snapshots>,
    pub saver: Arc<Saver>,
    dir: tempfile::TempDir,
}

impl Server {
    pub fn new(change: impl FnOnce(&mut Config)) -> Server {
        let dir = tempfile::tempdir().expect("a directory");
        let mut config = Config::default();
        config.dir = dir.path().to_path_buf();
        config.save = Vec::new();
        change(&mut config);
        let now = UnixMs(now_ms());
        let engine = Arc::new(Engine::new(Arc::new(Live::new(config, Default::default())), now));
        let snapshots = Snapshots::new(engine.clone(), Box::new(|_| None));
        let saver = Saver::new(engine.clone(), snapshots.clone(), now);
        Server { engine, snapshots, saver, dir }
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn file(&self) -> std::path::PathBuf {
        self.dir().join("dump.rdb")
    }

    pub fn put(&self, db: u16, key: &[u8], value: &[u8], deadline: Option<i64>) {
        self.put_used(db, key, value, deadline, 0);
    }

    /// With an access clock.
    pub fn put_used(&self, db: u16, key: &[u8], value: &[u8], deadline: Option<i64>, clock: u32) {
        let executor = Executor::new(self.engine.clone());
        let around = Surroundings {
            now: UnixMs(now_ms()),
            clock,
            lfu: None,
            stamp: executor.view().stamp,
            pre_images: None,
            watches: &self.engine.watches,
            waiting: &self.engine.blocked.waiting,
            tracked: &self.engine.tracking.tracked,
            lazy_free: &self.engine.lazy_free,
            lazy: Lazy::default(),
            own_deadlines: None,
            is_followed: true,
            notify: Classes::default(),
            expiry: Expiry::Ignore,
        };
        let keyspace = self.engine.keyspace();
        let at = Space::shard_ref(&keyspace, DbIndex(db), key);
        let mut space = Space::many(&keyspace, DbIndex(db), vec![at], around);
        space.put(key, Str::encode(value), deadline.map(UnixMs));
        executor.counters.add(Count::Dirty, space.changes.tally.dirty);
    }

    fn wait_until_saved(&self) {
        let started = Instant::now();
        while self.saver.status(UnixMs(0)).is_bgsave_in_progress || self.snapshots.is_walking() {
            assert!(started.elapsed() < Duration::from_secs(20), "the save does not end");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Database, key, value, deadline.
type Key = (u16, Vec<u8>, Vec<u8>, Option<i64>);

/// Every key with value and deadline, sorted.
pub(super) fn contents(keyspace: &Keyspace) -> Vec<Key> {
    let mut all = Vec::new();
    for (index, db) in keyspace.iter() {
        for shard in 0..db.shard_count() {
            let guard = db.lock(shard);
            for at in guard.iter() {
                let entry = guard.get(at);
                let value = entry.as_str().expect("only strings").to_vec();
                all.push((index.0, entry.key().to_vec(), value, entry.deadline().map(|at| at.0)));
            }
        }
    }
    all.sort();
    all
}

/// Puts one of everything that a string can be.
pub(super) fn fill(server: &Server) {
    let far = now_ms() + 1_000_000;
    for number in [0, 1, -1, 127, 128, -129, 32768, 1 << 31, i64::MAX, i64::MIN] {
        server.put(0, format!("int:{number}").as_bytes(), number.to_string().as_bytes(), None);
    }
    for len in [0, 1, 20, 21, 63, 64, 100, 16383, 16384, 70_000, 300_000] {
        server.put(1, format!("same:{len}").as_bytes(), &vec![b'x'; len], None);
        let mixed: Vec<u8> =
            (0..len).map(|i| (i as u32).wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
        server.put(1, format!("mixed:{len}").as_bytes(), &mixed, Some(far + len as i64));
    }
    server.put(9, b"\0\r\n\xff", b"\xff\0", Some(far));
    server.put(9, &[b'k'; 300], b"long key", None);
    server.put(9, b"12345", b"00012", None);
    server.put(9, b"", b"empty key", None);
}

fn options(databases: usize, now: i64, expired: Expired) -> LoadOptions<'static> {
    LoadOptions {
        databases,
        now: UnixMs(now),
        expired,
        verify_checksum: true,
        config: Box::leak(Box::default()),
        key_load_delay: 0,
        pace: None,
        on_progress: Box::leak(Box::new(|_| ControlFlow::Continue(()))),
    }
}

#[test]
fn what_is_saved_is_loaded_with_and_without_compression_and_checksum() {
    for (compress, checksum) in [(true, true), (false, true), (true, false)] {
        let server = Server::new(|config| {
            config.rdbcompression = compress;
            config.rdbchecksum = checksum;
        });
        fill(&server);
        server.saver.save(UnixMs(now_ms())).expect("the disk takes it");
        let before = contents(&server.engine.keyspace());
        server.put(0, b"after the save", b"lost", None);
        let now = UnixMs(now_ms());
        let report = load_current(&server.engine, &server.saver, Expired::Drop, now, &|| true)
            .expect("it loads")
            .expect("it is there");
        assert_eq!(report.keys, before.len() as u64);
        assert_eq!(contents(&server.engine.keyspace()), before);
        let names: Vec<_> = std::fs::read_dir(server.dir()).expect("it is there").collect();
        assert_eq!(names.len(), 1, "a temporary file stayed behind");
    }
}

#[test]
fn bgsave_counts_changes_and_reports_its_end() {
    let server = Server::new(|config| config.rdb_key_save_delay = 20_000);
    let now = UnixMs(now_ms());
    (0..5).for_each(|n| server.put(0, &[n], b"v", None));
    assert_eq!(server.saver.status(now).changes_since_last_save, 5);
    assert_eq!(server.saver.bgsave(false, now).expect("idle"), BgSave::Started);
    assert!(server.saver.status(now).is_bgsave_in_progress);
    assert!(matches!(server.saver.bgsave(false, now), Err(Refusal::InProgress)));
    assert!(matches!(server.saver.save(now), Err(Refusal::InProgress)));
    server.put(0, b"late", b"v", None);
    server.wait_until_saved();
    let status = server.saver.status(now);
    assert_eq!((status.changes_since_last_save, status.saves), (1, 1));
    assert!(status.is_last_bgsave_ok && status.last_bgsave_seconds.is_some());
    let loaded = load_file(&server.file(), options(16, now.0, Expired::Drop)).expect("it loads");
    assert_eq!(loaded.expect("it is there").report.keys, 5);
}

#[test]
fn a_bgsave_in_a_transaction_is_scheduled_and_started_by_the_next_tick() {
    let server = Server::new(|_| {});
    server.put(0, b"k", b"v", None);
    let now = UnixMs(now_ms());
    let scheduled = server.engine.barrier.stop(None, || server.saver.bgsave(false, now)).expect("idle");
    assert_eq!(scheduled, BgSave::Scheduled);
    assert!(!server.file().exists());
    server.saver.tick(now);
    server.wait_until_saved();
    assert!(server.file().exists());
}

#[test]
fn a_save_point_saves_when_enough_has_changed_for_long_enough() {
    let server = Server::new(|config| config.save = vec![SavePoint { seconds: 10, changes: 2 }]);
    let now = server.saver.last_save().0;
    server.put(0, b"a", b"v", None);
    server.saver.tick(UnixMs(now + 60_000));
    assert!(!server.snapshots.is_walking() && !server.file().exists());
    server.put(0, b"b", b"v", None);
    server.saver.tick(UnixMs(now + 10_000));
    assert!(!server.snapshots.is_walking() && !server.file().exists());
    server.saver.tick(UnixMs(now + 11_000));
    server.wait_until_saved();
    assert!(server.file().exists());
    assert_eq!(server.saver.status(UnixMs(now)).changes_since_last_save, 0);
}

#[test]
fn a_save_that_cannot_write_leaves_the_old_file_and_says_so() {
    let server = Server::new(|config| config.dbfilename = "a/b.rdb".into());
    server.put(0, b"k", b"v", None);
    let now = UnixMs(now_ms());
    assert!(matches!(server.saver.save(now), Err(Refusal::Failed(SaveError::Rename(..)))));
    assert_eq!(std::fs::read_dir(server.dir()).expect("it is there").count(), 0);
    assert!(server.saver.status(now).is_last_bgsave_ok, "a foreground save tells its client");
    server.saver.bgsave(false, now).expect("idle");
    server.wait_until_saved();
    assert!(!server.saver.status(now).is_last_bgsave_ok);
    assert_eq!(server.saver.status(now).changes_since_last_save, 1);
}

#[test]
fn save_now_gives_up_a_slow_save_that_is_under_way() {
    let server = Server::new(|config| config.rdb_key_save_delay = 10_000_000);
    (0..3).for_each(|n| server.put(0, &[n], b"v", None));
    let now = UnixMs(now_ms());
    server.saver.bgsave(false, now).expect("idle");
    server.saver.cancel();
    server.wait_until_saved();
    assert!(server.saver.status(now).is_last_bgsave_ok, "a cancelled save is no failed one");
    assert_eq!(server.snapshots.last(), Some(Err(SnapshotError::Cancelled)));
}

#[test]
fn debug_reload_brings_back_the_same_data() {
    let server = Server::new(|_| {});
    fill(&server);
    let before = contents(&server.engine.keyspace());
    reload(&server.engine, &server.saver, true, UnixMs(now_ms())).expect("it saves and loads");
    assert_eq!(contents(&server.engine.keyspace()), before);
    std::fs::remove_file(server.file()).expect("it was saved");
    let missing = reload(&server.engine, &server.saver, false, UnixMs(now_ms()));
    assert!(matches!(missing, Err(ReloadError::Missing)));
    assert_eq!(contents(&server.engine.keyspace()), before);
}

/// An RDB whose body is written by `body`, without checksum.
fn rdb(body: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write_header(&mut out, Dialect::Common);
    body(&mut out);
    write_eof(&mut out);
    out.extend_from_slice(&[0; 8]);
    out
}

fn write_key(out: &mut Vec<u8>, key: &[u8]) {
    out.push(value_type::STRING);
    write_string(out, key, None);
    write_string(out, b"v", None);
}

#[test]
fn a_load_says_what_it_cannot_take() {
    let check = |body: &dyn Fn(&mut Vec<u8>), wanted: &str| {
        let bytes = rdb(|out| body(out));
        let error = load(&bytes[..], options(2, 0, Expired::Keep)).err().expect("refused").to_string();
        assert!(error.contains(wanted), "{error:?} has no {wanted:?}");
    };
    check(&|out| (0..2).for_each(|_| write_key(out, b"twice")), "'twice' of database 0 twice");
    check(&|out| write_select_db(out, 2), "database 2");
    check(&|out| out.extend_from_slice(&[value_type::MODULE_2, 1, b'm']), "type 7");
    check(&|out| out.extend_from_slice(&[value_type::HASH, 1, b'h', 1, 1, b'f', 0xff]), "undefined encoding");
    check(&|out| write_function(out, b"#!lua name=x", None), "function library");
    check(&|out| out.push(200), "200");
    let bytes = rdb(|out| write_key(out, b"k"));
    for len in 0..bytes.len() {
        assert!(load(&bytes[..len], options(2, 0, Expired::Keep)).is_err(), "cut short at {len}");
    }
}

#[test]
fn expired_keys_are_dropped_by_a_primary_and_kept_by_a_replica() {
    let bytes = rdb(|out| {
        write_expire_ms(out, 1000);
        write_key(out, b"old");
        write_expire_ms(out, 3000);
        write_key(out, b"young");
    });
    let dropped = load(&bytes[..], options(1, 2000, Expired::Drop)).expect("it loads");
    assert_eq!((dropped.report.keys, dropped.report.expired), (1, 1));
    let kept = load(&bytes[..], options(1, 2000, Expired::Keep)).expect("it loads");
    assert_eq!((kept.report.keys, kept.report.expired), (2, 0));
}

#[test]
fn a_primary_lists_what_it_drops_at_its_start_if_replicas_may_resume() {
    for (history, expected) in [(None, vec![]), (Some([b'a'; 40]), vec![(DbIndex(3), b"old".to_vec())])] {
        let bytes = rdb(|out| {
            if let Some(id) = history {
                write_aux(out, b"repl-id", &id);
            }
            write_select_db(out, 3);
            write_expire_ms(out, 1000);
            write_key(out, b"old");
        });
        let report = load(&bytes[..], options(4, 2000, Expired::Report)).expect("it loads").report;
        assert_eq!((report.keys, report.expired, report.dropped), (0, 1, expected));
    }
}

#[test]
fn a_load_from_disk_ends_when_nobody_wants_it_and_clients_wait_only_for_one_at_a_time() {
    let server = Server::new(|_| {});
    fill(&server);
    let now = UnixMs(now_ms());
    server.saver.save(now).expect("the disk takes it");
    let before = contents(&server.engine.keyspace());
    let ended = load_current(&server.engine, &server.saver, Expired::Drop, now, &|| false);
    assert!(matches!(ended, Err(LoadError::Cancelled)));
    assert_eq!(contents(&server.engine.keyspace()), before);
    assert!(server.engine.begin_loading(LoadState::Beside, 0, now));
    assert!(matches!(reload(&server.engine, &server.saver, true, now), Err(ReloadError::Busy)));
    server.engine.end_loading();
    reload(&server.engine, &server.saver, true, now).expect("it saves and loads");
    assert_eq!(server.engine.loading.state(), LoadState::Ready);
}

#[test]
fn a_load_reports_the_stream_position_and_leaves_what_follows() {
    let mut bytes = rdb(|out| {
        write_aux(out, b"repl-id", &[b'a'; 40]);
        write_aux(out, b"repl-offset", b"1234567890123");
        write_aux(out, b"repl-stream-db", b"3");
    });
    bytes.extend_from_slice(b"*1\r\n$4\r\nPING\r\n");
    let report = load(&bytes[..], options(4, 0, Expired::Keep)).expect("it loads").report;
    assert_eq!(report.replid, Some("a".repeat(40)));
    assert_eq!((report.offset, report.stream_db), (Some(1_234_567_890_123), Some(DbIndex(3))));
    assert_eq!(report.rest, b"*1\r\n$4\r\nPING\r\n");
}

#[test]
fn a_load_can_be_cancelled() {
    let bytes = rdb(|out| (0..100_u8).for_each(|key| write_key(out, &[key])));
    let mut calls = 0;
    let options = LoadOptions {
        key_load_delay: 1_000_000,
        pace: None,
        on_progress: &mut |_| {
            calls += 1;
            if calls == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        },
        ..options(1, 0, Expired::Keep)
    };
    assert!(matches!(load(&bytes[..], options), Err(LoadError::Cancelled)));
}
