//! Keyspace notifications: what happened to which key, for those who subscribed to it.
//!
//! ```text
//!  handler -> space.notify(class, event, key) -> Changes::events -> the executor publishes them after the command
//! ```
//!
//! Filled by `Space`, while shards are locked; emptied by the executor, when they are not.
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
