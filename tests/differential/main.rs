//! The differential test: the same random commands of every type to Starling and to a real server, every reply compared.
//!
//! ```text
//!  templates (commands) --> words, odd ones among them (template, values) --+--> Starling --> reply --+--> equal? (reply)
//!                                                                           +--> peer     --> reply --+    else: a known
//!  after each round: DEBUG DIGEST of both and of a replica behind each; values travel by DUMP and RESTORE   difference?
//! ```
//!
//! Run by `tests/run differential`, or `cargo test --test differential`. `STARLING_DIFFERENTIAL_SECONDS` says for how long (a minute
//! unless told otherwise, shared by the peers, which run side by side in half of it); `STARLING_SEED=n` repeats a run, the seed is printed;
//! `STARLING_DIFFERENTIAL_TRACE=file` keeps all commands of the last round that found something.
//! Always: a round that found something is over, and the next one starts with empty servers; what differs on purpose is listed with
//! its reason in `differences`; replies that depend on chance or time are compared by what they have in common.

#[path = "../interop/client.rs"]
#[allow(dead_code)]
mod client;
#[path = "../interop/server.rs"]
#[allow(dead_code)]
mod server;
#[path = "../interop/traffic.rs"]
#[allow(dead_code)]
mod traffic;

mod commands;
mod data;
mod differences;
mod followers;
mod pair;
mod reply;
mod template;
mod values;

use std::env;
use std::time::{Duration, Instant};

use crate::pair::Pair;
use crate::server::Product;
use crate::traffic::seed;

/// Seconds for all peers together unless `STARLING_DIFFERENTIAL_SECONDS` says otherwise.
const SECONDS: u64 = 60;
/// Distinct findings after which there is enough to look at.
const FINDINGS_MAX: usize = 40;

fn duration() -> Duration {
    let seconds = env::var("STARLING_DIFFERENTIAL_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(SECONDS)) / 2
}

fn run_beside(peer: Product) {
    let (seed, end) = (seed(), Instant::now() + duration());
    let mut pair = Pair::start(peer);
    let mut findings: Vec<(String, String)> = Vec::new();
    let (mut round, mut commands) = (0, 0);
    for name in &pair.missing {
        findings.push((name.clone(), format!("{name} is missing")));
        println!("{name} is missing");
    }
    while Instant::now() < end && findings.len() < FINDINGS_MAX {
        let (ran, finding) = pair.round(seed.wrapping_add(round), end);
        round += 1;
        commands += ran;
        // One finding a kind: the first word and the texts that differ.
        if let Some(finding) = finding
            && !findings.iter().any(|(kind, _)| *kind == finding.kind)
        {
            println!("{}", finding.text);
            findings.push((finding.kind, finding.text));
        }
    }
    println!("{commands} commands in {round} rounds beside {peer:?}: {} kinds of findings", findings.len());
    assert!(findings.is_empty(), "the replies above differ");
}

#[test]
fn replies_and_data_are_those_of_redis_7() {
    run_beside(Product::Redis7);
}

#[test]
fn replies_and_data_are_those_of_valkey_8() {
    run_beside(Product::Valkey8);
}
