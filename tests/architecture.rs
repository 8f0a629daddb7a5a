//! The architecture, as tests: imports point one way, and files stay small enough for a head.
//!
//! Reads the sources and fails on what `docs/ARCHITECTURE.md` forbids. Always: an exception is named here with its reason.

use std::fs;
use std::path::{Path, PathBuf};

/// From the bottom up: a module may import from itself and from what stands before it.
const LAYERS: [&str; 18] = [
    "base",
    "resp",
    "codec",
    "config",
    "backlog",
    "types",
    "keyspace",
    "pubsub",
    "session",
    "watching",
    "commands/spec",
    "snapshot",
    "commands",
    "exec",
    "persist",
    "replication",
    "net",
    "server",
];

/// (file, layer): imports that point upward all the same.
const EXCEPTIONS: [(&str, &str); 2] = [
    // The table is built from the list of all rows, which only the layer above can have.
    ("commands/spec/table.rs", "commands"),
    // The harness of the handlers' tests stands in for the executor.
    ("commands/harness.rs", "exec"),
];

/// No file is longer; most are far shorter (docs/ARCHITECTURE.md).
const LINES_MAX: usize = 900;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the sources can be listed") {
        let path = entry.expect("the sources can be listed").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// (path below src, text) of every source file.
fn all() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    let relative = |path: &PathBuf| {
        let below = path.strip_prefix(&root).expect("found below it");
        below.to_str().expect("our names are ASCII").to_owned()
    };
    paths.iter().map(|path| (relative(path), fs::read_to_string(path).expect("readable"))).collect()
}

fn layer_of(path: &str) -> Option<usize> {
    let name = if path.starts_with("commands/spec") { "commands/spec" } else { path.split('/').next()? };
    LAYERS.iter().position(|layer| *layer == name)
}

#[test]
fn imports_point_one_way() {
    let mut wrong = Vec::new();
    for (path, text) in all() {
        let Some(own) = layer_of(&path) else { continue };
        for import in text.split("crate::").skip(1) {
            let target = import.replace("::", "/");
            let word: String =
                target.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_' || *c == '/').collect();
            let Some(layer) = layer_of(&word) else { continue };
            let is_excepted = EXCEPTIONS.contains(&(path.as_str(), LAYERS[layer]));
            if layer > own && !is_excepted {
                wrong.push(format!("{path} imports from {}", LAYERS[layer]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_file_outgrows_a_head() {
    let long: Vec<_> = all()
        .into_iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LINES_MAX)
        .collect();
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn every_file_opens_with_what_it_is() {
    let bare: Vec<_> =
        all().into_iter().filter(|(_, text)| !text.starts_with("//!")).map(|(path, _)| path).collect();
    assert!(bare.is_empty(), "{bare:?}");
}

#[test]
fn only_the_keyspace_locks_its_shards_itself() {
    let outside: Vec<_> = all()
        .into_iter()
        .filter(|(path, text)| {
            !path.starts_with("keyspace/") && (text.contains("dashmap::RwLock") || text.contains("hashbrown"))
        })
        .map(|(path, _)| path)
        .collect();
    assert!(outside.is_empty(), "{outside:?}");
}
