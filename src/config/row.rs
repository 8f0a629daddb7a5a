//! A row: everything that there is to know about one directive, in one place.
//!
//! Rows are `static` and written with the constructors below, in `rows/`, one file per topic. The loader, CONFIG
//! GET, SET and REWRITE, the error texts, `docs/configuration.md` and the tests read nothing else.
use std::sync::Arc;

use super::fields::Config;
use super::kind::Kind;
use super::value::Value;

/// What a directive does here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// CONFIG SET changes the running server.
    Live,
    /// Read once, at start.
    Startup,
    /// Accepted so that files written for Redis load; nothing happens. Listed in `docs/differences.md`.
    None,
}

/// Where the value lives.
#[derive(Clone, Copy)]
pub(super) enum Slot {
    Field {
        /// For the test that compares fields and rows.
        #[cfg(test)]
        name: &'static str,
        get: fn(&Config) -> Value,
        set: fn(&mut Config, Value),
    },
    /// In `Config::accepted`, under the row's name.
    Accepted,
}

/// One directive. See the constructors for what each part means.
pub struct Row {
    pub name: &'static str,
    /// Older spellings. They read and write the same setting, and CONFIG GET shows them beside the name.
    pub aliases: &'static [&'static str],
    pub effect: Effect,
    /// One line for people.
    pub doc: &'static str,
    pub(super) kind: Kind,
    /// The default as one would write it after the name.
    pub(super) default: &'static str,
    pub(super) slot: Slot,
    /// CONFIG SET refuses it.
    pub immutable: bool,
    /// CONFIG GET shows it only by its exact name.
    pub hidden: bool,
    /// Never show the value in a log.
    pub sensitive: bool,
    /// CONFIG SET needs `enable-protected-configs`.
    pub protected: bool,
    /// CONFIG SET refuses it while a data set is being loaded.
    pub deny_loading: bool,
    /// An empty value means "not set", and REWRITE then leaves the line out.
    pub(super) empty_is_unset: bool,
}

/// The accessors of a field of `Config`, for a row.
macro_rules! field {
    ($field:ident) => {
        $crate::config::row::Slot::Field {
            #[cfg(test)]
            name: stringify!($field),
            get: |config| $crate::config::value::Setting::to_value(&config.$field),
            set: |config, value| {
                config.$field = $crate::config::value::Setting::from_value(value)
                    .expect("the kind of every row fits its field: a test sets each one to its extremes");
            },
        }
    };
}
pub(super) use field;

impl Row {
    const fn new(
        name: &'static str,
        kind: Kind,
        default: &'static str,
        slot: Slot,
        effect: Effect,
        doc: &'static str,
    ) -> Row {
        Row {
            name,
            aliases: &[],
            effect,
            doc,
            kind,
            default,
            slot,
            immutable: false,
            hidden: false,
            sensitive: false,
            protected: false,
            deny_loading: false,
            empty_is_unset: false,
        }
    }

    /// A directive that CONFIG SET changes in the running server.
    pub(super) const fn live(
        name: &'static str,
        kind: Kind,
        default: &'static str,
        slot: Slot,
        doc: &'static str,
    ) -> Row {
        Row::new(name, kind, default, slot, Effect::Live, doc)
    }

    /// A directive that is read at start and cannot be changed later.
    pub(super) const fn startup(
        name: &'static str,
        kind: Kind,
        default: &'static str,
        slot: Slot,
        doc: &'static str,
    ) -> Row {
        Row::new(name, kind, default, slot, Effect::Startup, doc).immutable()
    }

    /// A directive that is accepted, checked and shown, and changes nothing.
    pub(super) const fn accepted(
        name: &'static str,
        kind: Kind,
        default: &'static str,
        doc: &'static str,
    ) -> Row {
        Row::new(name, kind, default, Slot::Accepted, Effect::None, doc)
    }

    pub(super) const fn aliases(mut self, aliases: &'static [&'static str]) -> Row {
        self.aliases = aliases;
        self
    }

    pub(super) const fn immutable(mut self) -> Row {
        self.immutable = true;
        self
    }

    pub(super) const fn hidden(mut self) -> Row {
        self.hidden = true;
        self
    }

    pub(super) const fn sensitive(mut self) -> Row {
        self.sensitive = true;
        self
    }

    pub(super) const fn protected(mut self) -> Row {
        self.protected = true;
        self
    }

    pub(super) const fn deny_loading(mut self) -> Row {
        self.deny_loading = true;
        self
    }

    pub(super) const fn empty_is_unset(mut self) -> Row {
        self.empty_is_unset = true;
        self
    }

    /// The present value.
    pub(super) fn get(&self, config: &Config) -> Value {
        match self.slot {
            Slot::Field { get, .. } => get(config),
            Slot::Accepted => config.accepted.get(self.name).cloned().unwrap_or_else(|| self.default_value()),
        }
    }

    /// Stores a value that this row's kind has made.
    pub(super) fn set(&self, config: &mut Config, value: Value) {
        match self.slot {
            Slot::Field { set, .. } => set(config, value),
            Slot::Accepted => drop(Arc::make_mut(&mut config.accepted).insert(self.name, value)),
        }
    }

    pub(super) fn default_value(&self) -> Value {
        self.kind.default_value(self.default)
    }

    /// The present value as CONFIG GET prints it.
    pub fn show(&self, config: &Config) -> Vec<u8> {
        self.kind.show(&self.get(config))
    }

    /// What may be written after the name, for people: `an integer from 0 to 65535`.
    pub fn allowed(&self) -> String {
        self.kind.allowed()
    }

    /// Does it take several words, so that a single one with blanks in it is split?
    pub(super) fn takes_several(&self) -> bool {
        self.kind.takes_several()
    }

    /// The name, then the aliases.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// Is this one of the row's names? Case does not matter, as everywhere in Redis' configuration.
    pub(super) fn spelling(&self, name: &[u8]) -> Option<&'static str> {
        self.names().find(|spelling| spelling.as_bytes().eq_ignore_ascii_case(name))
    }
}
