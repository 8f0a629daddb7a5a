//! Waiting and comparing: is the link up, are the offsets equal, are the data sets equal?
//!
//! Called by every replication scenario. All waits poll with a deadline and say at its end what they saw, so no test depends on a sleep.

use std::thread;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::server::Server;

/// Longest wait for anything on a slow machine.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// Polls until `condition` says true; panics with `what` and the last state that `condition` reported.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> Result<(), String>) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match condition() {
            Ok(()) => return,
            Err(state) => assert!(Instant::now() < deadline, "gave up waiting until {what}: {state}"),
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// A field of INFO, e.g. `info(&mut client, "sync_full")`; empty if there is none.
pub fn info(client: &mut Client, field: &str) -> String {
    let text = client.ok("INFO").text();
    let prefix = format!("{field}:");
    text.lines().find_map(|line| line.strip_prefix(&prefix)).unwrap_or_default().to_string()
}

/// A field of INFO as a number.
pub fn info_number(client: &mut Client, field: &str) -> i64 {
    let value = info(client, field);
    value.parse().unwrap_or_else(|_| panic!("INFO field {field} is {value:?}"))
}

/// Makes `replica` follow a port of this machine (a server's or a proxy's).
pub fn follow(replica: &Server, port: u16) {
    replica.client().ok(&format!("REPLICAOF 127.0.0.1 {port}"));
}

/// Waits until the replica says that its link is up.
pub fn wait_for_link(replica: &Server) {
    let mut client = replica.client();
    wait_until("the link is up", || match info(&mut client, "master_link_status").as_str() {
        "up" => Ok(()),
        other => Err(format!("master_link_status is {other:?}")),
    });
}

/// Waits until the replica has applied all that its primary has written, to the byte.
pub fn wait_in_sync(primary: &Server, replica: &Server) {
    wait_for_link(replica);
    let (mut above, mut below) = (primary.client(), replica.client());
    wait_until("the offsets are equal", || {
        // The replica's offset is read last: equality then holds for a moment between the two looks.
        let written = info(&mut above, "master_repl_offset");
        let applied = info(&mut below, "slave_repl_offset");
        let link = info(&mut below, "master_link_status");
        if link == "up" && written == applied {
            Ok(())
        } else {
            Err(format!("{written} written, {applied} applied, link {link}"))
        }
    });
}

/// The digest of the whole data set.
pub fn digest(client: &mut Client) -> String {
    client.ok("DEBUG DIGEST").text()
}

/// Waits until all servers hold the same data. Deadlines may pass between two looks, hence the retries; a real difference stays.
pub fn assert_equal_digests(servers: &[&Server]) {
    let mut clients: Vec<_> = servers.iter().map(|server| server.client()).collect();
    let mut rounds = 0;
    wait_until("the digests are equal", || {
        let digests: Vec<_> = clients.iter_mut().map(digest).collect();
        rounds += 1;
        if digests.windows(2).all(|pair| pair[0] == pair[1]) {
            return Ok(());
        }
        let named: Vec<_> = servers
            .iter()
            .zip(&digests)
            .map(|(server, digest)| format!("{:?} {digest}", server.product))
            .collect();
        Err(format!("{} (round {rounds})\n{}", named.join(", "), difference(&mut clients)))
    });
}

/// The first keys in which two data sets differ; only worth its time when a test is about to fail.
fn difference(clients: &mut [Client]) -> String {
    let mut found = Vec::new();
    for database in 0..16 {
        let dumps: Vec<_> = clients.iter_mut().map(|client| contents(client, database)).collect();
        for other in &dumps[1..] {
            let lacking = dumps[0]
                .iter()
                .filter(|line| !other.contains(line))
                .map(|line| format!("db{database} first only: {line}"));
            let surplus = other
                .iter()
                .filter(|line| !dumps[0].contains(line))
                .map(|line| format!("db{database} other only: {line}"));
            found.extend(lacking.chain(surplus).take(6));
        }
    }
    found.truncate(12);
    found.join("\n")
}

fn contents(client: &mut Client, database: usize) -> Vec<String> {
    if client.run(&format!("SELECT {database}")).text() != "OK" {
        return Vec::new();
    }
    let crate::client::Reply::Array(keys) = client.ok("KEYS *") else { return Vec::new() };
    let mut lines: Vec<_> = keys
        .iter()
        .map(|key| {
            let value = client.command(&[b"GET".as_slice(), key.bytes()]).text();
            let deadline = client.command(&[b"PEXPIRETIME".as_slice(), key.bytes()]).text();
            format!("{} = {} (deadline {deadline})", key.text(), value.chars().take(60).collect::<String>())
        })
        .collect();
    lines.sort();
    client.ok("SELECT 0");
    lines
}

/// Full syncs, partial resyncs and refused ones that a primary has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Syncs {
    pub full: i64,
    pub partial: i64,
    pub refused: i64,
}

/// Reads the counters of a primary.
pub fn syncs(primary: &Server) -> Syncs {
    let mut client = primary.client();
    Syncs {
        full: info_number(&mut client, "sync_full"),
        partial: info_number(&mut client, "sync_partial_ok"),
        refused: info_number(&mut client, "sync_partial_err"),
    }
}
