//! What a view shows is what was there when it was opened, to the byte, whatever happens to the collection meanwhile.

use std::sync::mpsc;

use super::Frozen;
use crate::base::ids::UnixMs;
use crate::base::random::{Rng, os_seed};
use crate::codec::rdb::Dialect;
use crate::config::Config;
use crate::types::hash::{self, Deadline, NEVER};
use crate::types::stream::{self, Group, Keep, StreamId, Trim};
use crate::types::{Collection, Hash, List, Set, SortedSet, Stream, list, set, sorted_set};

/// Distinct names: more than fit into a few segments, leaves and buckets (all small in tests).
const NAMES: u64 = 150;
/// Miri runs the same in a thousandth of the speed.
const STEPS: usize = if cfg!(miri) { 400 } else { 40_000 };
const DIALECTS: [Dialect; 3] = [Dialect::Common, Dialect::Redis12, Dialect::Valkey80];

/// A collection that can be changed at random.
trait Subject: Collection + Default {
    fn change(&mut self, name: &[u8], rng: &mut Rng, config: &Config);
    fn remove(&mut self, name: &[u8], rng: &mut Rng, config: &Config);
}

impl Subject for Hash {
    fn change(&mut self, name: &[u8], rng: &mut Rng, config: &Config) {
        let value = vec![b'v'; rng.below(40) as usize];
        self.set(name, &value, Deadline::Keep, NEVER, hash::Limits::of(config));
        if rng.below(4) == 0 {
            self.set_deadline(name, (rng.below(2) == 0).then(|| UnixMs(rng.below(1000) as i64)));
        }
    }

    fn remove(&mut self, name: &[u8], rng: &mut Rng, _config: &Config) {
        match rng.below(9) {
            0 => drop(self.take_due(UnixMs(rng.below(100) as i64), 3)),
            _ => drop(Hash::remove(self, name, NEVER)),
        }
    }
}

impl Subject for Set {
    fn change(&mut self, name: &[u8], _rng: &mut Rng, config: &Config) {
        self.add(name, &set::Limits::of(config));
    }

    fn remove(&mut self, name: &[u8], rng: &mut Rng, _config: &Config) {
        match (rng.below(3), rng.index(self.len())) {
            (0, Some(position)) => self.remove_at(position),
            (_, _) => drop(Set::remove(self, name)),
        }
    }
}

impl Subject for SortedSet {
    fn change(&mut self, name: &[u8], rng: &mut Rng, config: &Config) {
        self.set(name, rng.below(50) as f64, sorted_set::Limits::of(config));
    }

    fn remove(&mut self, name: &[u8], rng: &mut Rng, _config: &Config) {
        match (rng.below(9), rng.index(self.len())) {
            (0, Some(first)) => self.remove_ranks(first..self.len().min(first + 5), |_, _| {}),
            (_, _) => drop(SortedSet::remove(self, name)),
        }
    }
}

impl Subject for List {
    fn change(&mut self, name: &[u8], rng: &mut Rng, config: &Config) {
        let limits = list::Limits::of(config);
        self.expect(name.len(), 1, limits);
        match (rng.below(4), rng.index(self.len())) {
            (0, Some(at)) => drop(self.set(at as i64, name, limits)),
            (1, _) => drop(self.insert(b"7-------", list::Side::After, name, limits)),
            (2, _) => self.push(list::End::Head, name),
            (_, _) => self.push(list::End::Tail, name),
        }
    }

    fn remove(&mut self, name: &[u8], rng: &mut Rng, config: &Config) {
        let limits = list::Limits::of(config);
        match rng.below(4) {
            0 => drop(self.remove_equal(name, list::End::Tail, 1, limits)),
            1 => drop(self.pop(list::End::Head, |_| ())),
            2 => drop(self.pop(list::End::Tail, |_| ())),
            _ if self.len() > 100 => self.remove_range(50, 10, limits),
            _ => {}
        }
    }
}

impl Subject for Stream {
    fn change(&mut self, name: &[u8], rng: &mut Rng, _config: &Config) {
        const LIMITS: stream::Limits = stream::Limits { node_bytes: 0, node_entries: 5 };
        let log = self.log_mut();
        let id = log.next_id(None, 0).expect("ids are not used up");
        log.append(id, 1, 2 * name.len(), |_| name, LIMITS);
        if rng.below(4) == 0 {
            self.create_group(name, Group::new(id, None));
        }
    }

    fn remove(&mut self, name: &[u8], rng: &mut Rng, _config: &Config) {
        let (first, last) = (self.log().first_id().seq, self.log().last_id().seq);
        let id = StreamId { seq: first + rng.below(last - first + 1), ..self.log().last_id() };
        match rng.below(8) {
            0 => drop(self.destroy_group(name)),
            1 => {
                let keep = Keep::Newest(rng.below(1 + self.log().len()).max(100));
                self.log_mut().trim(Trim { keep, is_approximate: false, limit: 0 });
            }
            _ => {
                self.log_mut().delete([id].into_iter());
            }
        }
    }
}

/// A frozen collection, and what its encoding has to be.
type Case = (Frozen, Vec<u8>);

/// Encodes what comes, in parts and several at a time, while the sender goes on changing the collections.
fn read_views(cases: &mpsc::Receiver<Case>, seed: u64) -> usize {
    let (mut rng, mut open, mut done) = (Rng::from_seed(seed), Vec::new(), 0);
    loop {
        match if open.is_empty() { cases.recv().ok() } else { cases.try_recv().ok() } {
            Some((frozen, expected)) => open.push((frozen, expected, Vec::new())),
            None if open.is_empty() => return done,
            None => {}
        }
        let Some(at) = rng.index(open.len()) else { continue };
        let (frozen, expected, out) = &mut open[at];
        if frozen.encode(out, 1 + rng.below(300) as usize, None) {
            assert_eq!(out, expected, "view {done}");
            done += 1;
            open.swap_remove(at);
        } else if rng.below(200) == 0 {
            // A snapshot that is given up.
            open.swap_remove(at);
        }
    }
}

fn check<T: Subject>() {
    let seed = os_seed();
    println!("STARLING_SEED={seed}");
    let (mut rng, mut config) = (Rng::from_seed(seed), Config::default());
    config.hash_max_listpack_entries = 4;
    config.zset_max_listpack_entries = 4;
    config.set_max_intset_entries = 4;
    config.set_max_listpack_entries = 4;
    config.list_max_listpack_size = 8;
    config.list_compress_depth = u32::from(rng.below(2) == 0);
    let (sender, receiver) = mpsc::channel::<Case>();
    let done = std::thread::scope(|scope| {
        let reader = scope.spawn(move || read_views(&receiver, seed));
        let mut subject = T::default();
        for _ in 0..STEPS {
            let number = rng.below(NAMES);
            // Some are so long that they have blocks of their own in a set as well.
            let name = format!("{number}{}", "-".repeat(number as usize % 40));
            match rng.below(100) {
                0..60 => subject.change(name.as_bytes(), &mut rng, &config),
                60..90 => subject.remove(name.as_bytes(), &mut rng, &config),
                90..98 => {
                    let dialect = DIALECTS[rng.below(3) as usize];
                    let mut expected = Vec::new();
                    subject.encode_in(dialect, &mut expected, None);
                    if let Some(frozen) = subject.freeze(dialect) {
                        sender.send((frozen, expected)).expect("the reader reads to the end");
                    }
                }
                98 => subject = subject.clone(),
                _ => (0..rng.below(200)).for_each(|_| {
                    let name = rng.below(NAMES).to_string();
                    subject.remove(name.as_bytes(), &mut rng, &config);
                }),
            }
            if rng.below(500) == 0 {
                subject = T::default();
            }
        }
        drop(subject);
        drop(sender);
        reader.join().expect("every view was right")
    });
    assert!(done > STEPS / 40, "{done} views");
}

#[test]
fn views_of_hashes_show_what_was_there() {
    check::<Hash>();
}

#[test]
fn views_of_lists_show_what_was_there() {
    check::<List>();
}

#[test]
fn views_of_sets_show_what_was_there() {
    check::<Set>();
}

#[test]
fn views_of_sorted_sets_show_what_was_there() {
    check::<SortedSet>();
}

#[test]
fn views_of_streams_show_what_was_there() {
    check::<Stream>();
}
