//! Keyspace notifications: what happened to which key, for those who subscribed to it.
//!
//! ```text
//!  handler -> space.notify(class, event, key) -> Changes::events -> the executor publishes them behind the command
//! ```
//!
//! Filled by `Space`; emptied by the executor, both while the key's shard is locked: the events of a key come in the order of
//! its changes.
//! Always: one branch while the configuration wants none of the class.

use crate::base::ids::DbIndex;

/// A set of classes of events, as `notify-keyspace-events` names them.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Classes(pub u16);

impl Classes {
    /// `K`: publish to `__keyspace@<db>__:<key>`.
    pub const KEYSPACE: Classes = Classes(1 << 0);
    /// `E`: publish to `__keyevent@<db>__:<event>`.
    pub const KEYEVENT: Classes = Classes(1 << 1);
    /// `g`: commands on keys of any type.
    pub const GENERIC: Classes = Classes(1 << 2);
    /// `$`
    pub const STRING: Classes = Classes(1 << 3);
    /// `l`
    pub const LIST: Classes = Classes(1 << 4);
    /// `s`
    pub const SET: Classes = Classes(1 << 5);
    /// `h`
    pub const HASH: Classes = Classes(1 << 6);
    /// `z`
    pub const SORTED_SET: Classes = Classes(1 << 7);
    /// `x`: a key met its deadline.
    pub const EXPIRED: Classes = Classes(1 << 8);
    /// `e`: a key was evicted.
    pub const EVICTED: Classes = Classes(1 << 9);
    /// `t`
    pub const STREAM: Classes = Classes(1 << 10);
    /// `m`: a read found nothing; not part of `A`.
    pub const KEY_MISS: Classes = Classes(1 << 11);
    /// `n`: a key came to be; not part of `A`.
    pub const NEW: Classes = Classes(1 << 12);
    /// `d`: events of modules; nothing here makes any.
    pub const MODULE: Classes = Classes(1 << 13);

    /// Every class with its letter; `A` stands for those before `m`.
    const LETTERS: [(u8, Classes); 14] = [
        (b'g', Classes::GENERIC),
        (b'$', Classes::STRING),
        (b'l', Classes::LIST),
        (b's', Classes::SET),
        (b'h', Classes::HASH),
        (b'z', Classes::SORTED_SET),
        (b'x', Classes::EXPIRED),
        (b'e', Classes::EVICTED),
        (b't', Classes::STREAM),
        (b'd', Classes::MODULE),
        (b'm', Classes::KEY_MISS),
        (b'n', Classes::NEW),
        (b'K', Classes::KEYSPACE),
        (b'E', Classes::KEYEVENT),
    ];

    /// The letters of the configuration, which has checked them. Without `K` and `E` nothing is published, so nothing is noted.
    pub fn parse(letters: &[u8]) -> Classes {
        let in_all = |letter: u8| !matches!(letter, b'm' | b'n' | b'K' | b'E');
        let is_wanted = |letter: u8| letters.contains(&letter) || (letters.contains(&b'A') && in_all(letter));
        let wanted = Classes::LETTERS.iter().filter(|(letter, _)| is_wanted(*letter));
        let classes = wanted.fold(Classes::default(), |all, (_, class)| all.with(*class));
        let is_published = classes.has(Classes::KEYSPACE.with(Classes::KEYEVENT));
        if is_published { classes } else { Classes::default() }
    }

    #[inline]
    pub fn has(self, other: Classes) -> bool {
        self.0 & other.0 != 0
    }

    pub const fn with(self, other: Classes) -> Classes {
        Classes(self.0 | other.0)
    }
}

/// One thing that happened to a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    pub class: Classes,
    /// `set`, `del`, `hincrby`.
    pub name: &'static str,
    pub db: DbIndex,
    pub key: Vec<u8>,
}

impl Event {
    /// The channel named after the key, where the event's name is published.
    pub fn keyspace_channel(&self) -> Vec<u8> {
        [format!("__keyspace@{}__:", self.db.0).as_bytes(), &self.key].concat()
    }

    /// The channel named after the event, where the key is published.
    pub fn keyevent_channel(&self) -> Vec<u8> {
        format!("__keyevent@{}__:{}", self.db.0, self.name).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::{Classes, Event};
    use crate::base::ids::DbIndex;

    #[test]
    fn letters_are_classes_and_without_a_channel_there_are_none() {
        assert_eq!(Classes::parse(b"Kg"), Classes::KEYSPACE.with(Classes::GENERIC));
        assert_eq!(Classes::parse(b"g$lshzxetmn"), Classes::default());
        let all = Classes::parse(b"AE");
        assert!(all.has(Classes::MODULE) && all.has(Classes::STREAM) && all.has(Classes::KEYEVENT));
        assert!(!all.has(Classes::KEY_MISS) && !all.has(Classes::NEW) && !all.has(Classes::KEYSPACE));
    }

    #[test]
    fn channels_name_the_database_and_the_key_or_the_event() {
        let event = Event { class: Classes::STRING, name: "set", db: DbIndex(9), key: b"k".to_vec() };
        assert_eq!(event.keyspace_channel(), b"__keyspace@9__:k");
        assert_eq!(event.keyevent_channel(), b"__keyevent@9__:set");
    }
}
