//! The closed sets of words that a directive may take, as enums: `loglevel notice` becomes `LogLevel::Notice`.
//!
//! Each enum knows its words in the order in which Redis lists them, because that order is part of the error
//! text a client sees. Used by the rows (the allowed words) and by whoever acts on the setting.
use super::value::{Setting, Value};

/// Declares an enum whose variants are the words of a directive. The first variant is `Default`, which only
/// fills the blank from which [`super::Config::default`] starts: the row holds the real default.
macro_rules! words {
    ($($(#[$meta:meta])* pub enum $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal,)+ })+) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$vmeta])* $variant,)+ }

        impl $name {
            /// Every word, in the order of Redis' error text.
            pub const WORDS: &'static [&'static str] = &[$($word),+];
            const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The word as it is written in a configuration file.
            pub fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)+ }
            }
        }

        impl Default for $name {
            fn default() -> Self { Self::ALL[0] }
        }

        impl Setting for $name {
            fn to_value(&self) -> Value { Value::Word(self.word()) }

            fn from_value(value: Value) -> Option<Self> {
                let Value::Word(word) = value else { return None };
                Self::ALL.iter().copied().find(|candidate| candidate.word() == word)
            }
        }
    )+};
}

words! {
    /// How much goes into the log, most talkative first.
    pub enum LogLevel { Debug = "debug", Verbose = "verbose", Notice = "notice", Warning = "warning", }

    /// Who may use a dangerous ability.
    pub enum Permission { No = "no", Yes = "yes",
        /// Only a client on the loopback interface or the unix socket.
        Local = "local",
    }

    /// Which keys may be dropped when memory is full.
    pub enum EvictionPolicy {
        VolatileLru = "volatile-lru",
        VolatileLfu = "volatile-lfu",
        VolatileRandom = "volatile-random",
        VolatileTtl = "volatile-ttl",
        AllkeysLru = "allkeys-lru",
        AllkeysLfu = "allkeys-lfu",
        AllkeysRandom = "allkeys-random",
        NoEviction = "noeviction",
    }
}

impl Permission {
    /// May a client use it that is on the same machine (`local`) or not?
    pub fn allows(self, local: bool) -> bool {
        match self {
            Permission::No => false,
            Permission::Yes => true,
            Permission::Local => local,
        }
    }
}
