//! What the two servers hold: whole data sets and single values, compared by digest, and shown where they differ.
//!
//! Used by `pair`, between commands and at the end of a round. Always: nothing here changes a key other than `carried`, which is gone
//! afterwards.

use std::collections::BTreeSet;

use crate::differences::with_plain_numbers;
use crate::reply::{Connection, Value};
use crate::values::DATABASES;

const CARRIED: &[u8] = b"carried";

fn digest(connection: &mut Connection, key: &[u8]) -> Option<Value> {
    connection.run(&[b"DEBUG".as_slice(), b"DIGEST-VALUE", key]).ok()
}

/// A value as its reading command shows it, its kind in front.
fn content(connection: &mut Connection, key: &[u8]) -> (String, Value) {
    let kind = connection.run(&[b"TYPE", key]).expect("a reply");
    let name = String::from_utf8_lossy(kind.bytes().unwrap_or_default()).into_owned();
    let words: Vec<&[u8]> = match name.as_str() {
        "string" => vec![b"GET", key],
        "list" => vec![b"LRANGE", key, b"0", b"-1"],
        "set" => vec![b"SMEMBERS", key],
        "zset" => vec![b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"],
        "hash" => vec![b"HGETALL", key],
        "stream" => vec![b"XINFO", b"STREAM", key, b"FULL"],
        _ => vec![b"TYPE", key],
    };
    (name, connection.run(&words).expect("a reply"))
}

/// The same value? Beside servers that fold the digits of scores into digests as they print them, since 7.2 otherwise than before, a
/// sorted set is compared by the numbers that it shows. A zero loses its sign in a listpack.
fn same_value(ours: &mut Connection, theirs: &mut Connection, key: &[u8]) -> bool {
    if digest(ours, key) == digest(theirs, key) {
        return true;
    }
    let ((kind, one), (_, other)) = (content(ours, key), content(theirs, key));
    kind == "zset" && with_plain_numbers(&one) == with_plain_numbers(&other)
}

/// Keys whose values are not the same, and what they hold. Leaves both connections in the last database.
pub fn differing_keys(ours: &mut Connection, theirs: &mut Connection) -> Vec<(Vec<u8>, String)> {
    let mut differing = Vec::new();
    for db in 0..DATABASES {
        let select = format!("SELECT {db}");
        let _ = (ours.line(&select), theirs.line(&select));
        let found = differing_keys_of_db(ours, theirs);
        differing.extend(found.into_iter().map(|(key, text)| (key, format!("db {db}: {text}"))));
    }
    differing
}

fn differing_keys_of_db(ours: &mut Connection, theirs: &mut Connection) -> Vec<(Vec<u8>, String)> {
    let mut keys: BTreeSet<Vec<u8>> = BTreeSet::new();
    for connection in [&mut *ours, &mut *theirs] {
        if let Value::Many(_, Some(names)) = connection.line("KEYS *") {
            keys.extend(names.iter().filter_map(Value::bytes).map(<[u8]>::to_vec));
        }
    }
    let mut differing = Vec::new();
    for key in keys {
        if !same_value(ours, theirs, &key) {
            let text = format!("{:?}\n    {:?}", content(ours, &key), content(theirs, &key));
            differing.push((key, text));
        }
    }
    differing
}

/// DUMP here, RESTORE there; what is wrong with it, as kind and text.
pub fn carry(from: &mut Connection, to: &mut Connection, key: &[u8]) -> Option<(String, String)> {
    let dump = from.run(&[b"DUMP".as_slice(), key]).ok()?;
    let payload = dump.bytes()?;
    let restored = to.run(&[b"RESTORE".as_slice(), CARRIED, b"0", payload, b"REPLACE"]).ok()?;
    from.run(&[b"COPY".as_slice(), key, CARRIED, b"REPLACE"]).ok()?;
    from.run(&[b"PERSIST", CARRIED]).ok()?;
    let is_same = !restored.is_error() && same_value(from, to, CARRIED);
    let text = format!(
        "{restored:?} {:?} {:?} {}",
        content(from, CARRIED),
        content(to, CARRIED),
        payload.escape_ascii()
    );
    for connection in [from, to] {
        connection.run(&[b"DEL", CARRIED]).ok()?;
    }
    (!is_same).then(|| (restored.class(), text))
}
