//! The slow log: the last commands that took longer than `slowlog-log-slower-than`.
//!
//! Filled by executors, read by SLOWLOG. Always: at most `slowlog-max-len` entries, the newest first; what an entry keeps of a
//! command is bounded, so that a log of huge commands stays small.

use std::collections::VecDeque;
use std::sync::Mutex;

use crate::base::ids::UnixMs;
use crate::base::sync::lock;

/// Words that an entry keeps; if there are more, the last one tells how many.
const WORDS_MAX: usize = 32;
/// Bytes that an entry keeps of a word.
const WORD_BYTES_MAX: usize = 128;

/// One slow command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub id: u64,
    pub at: UnixMs,
    pub micros: u64,
    pub words: Vec<Vec<u8>>,
    /// Address and name of the client.
    pub address: String,
    pub name: Vec<u8>,
}

#[derive(Default)]
struct Log {
    entries: VecDeque<Entry>,
    next_id: u64,
}

/// See the top of the file.
#[derive(Default)]
pub struct SlowLog {
    log: Mutex<Log>,
}

impl SlowLog {
    /// Adds a command, and forgets the oldest ones beyond `len_max`. The entry's id is given here.
    pub fn push(&self, mut entry: Entry, len_max: usize) {
        let mut log = lock(&self.log);
        entry.id = log.next_id;
        log.next_id += 1;
        log.entries.push_front(entry);
        log.entries.truncate(len_max);
    }

    pub fn len(&self) -> usize {
        lock(&self.log).entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The newest entries, at most `count`.
    pub fn newest(&self, count: usize) -> Vec<Entry> {
        lock(&self.log).entries.iter().take(count).cloned().collect()
    }

    pub fn clear(&self) {
        lock(&self.log).entries.clear();
    }
}

/// What an entry keeps of a command's words.
pub fn trim<'a>(words: impl ExactSizeIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let count = words.len();
    let kept = if count > WORDS_MAX { WORDS_MAX - 1 } else { count };
    let mut trimmed: Vec<Vec<u8>> = words.take(kept).map(trim_word).collect();
    if kept < count {
        trimmed.push(format!("... ({} more arguments)", count - kept).into_bytes());
    }
    trimmed
}

fn trim_word(word: &[u8]) -> Vec<u8> {
    let mut kept = word[..word.len().min(WORD_BYTES_MAX)].to_vec();
    if word.len() > WORD_BYTES_MAX {
        kept.extend_from_slice(format!("... ({} more bytes)", word.len() - WORD_BYTES_MAX).as_bytes());
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::{Entry, SlowLog, trim};
    use crate::base::ids::UnixMs;

    fn entry(micros: u64) -> Entry {
        Entry { id: 0, at: UnixMs(0), micros, words: Vec::new(), address: String::new(), name: Vec::new() }
    }

    #[test]
    fn the_newest_stay_and_ids_go_on() {
        let log = SlowLog::default();
        (0..5).for_each(|micros| log.push(entry(micros), 3));
        let ids: Vec<u64> = log.newest(10).iter().map(|entry| entry.id).collect();
        assert_eq!(ids, [4, 3, 2]);
        log.clear();
        log.push(entry(9), 3);
        assert_eq!(log.newest(1)[0].id, 5);
        log.push(entry(9), 0);
        assert!(log.is_empty());
    }

    #[test]
    fn long_commands_and_long_words_are_cut_with_a_note() {
        let words: Vec<Vec<u8>> = (0..33).map(|n| n.to_string().into_bytes()).collect();
        let trimmed = trim(words.iter().map(Vec::as_slice));
        assert_eq!((trimmed.len(), trimmed[31].as_slice()), (32, b"... (2 more arguments)".as_slice()));
        assert_eq!(trim(words[..32].iter().map(Vec::as_slice)).len(), 32);
        let long = vec![b'A'; 129];
        assert!(trim([long.as_slice()].into_iter())[0].ends_with(b"A... (1 more bytes)"));
    }
}
