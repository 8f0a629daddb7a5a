//! The configuration of a running server: one immutable `Config` that everybody reads, replaced as a whole.
//!
//! ```text
//!   CONFIG SET --> check every pair on a copy --> apply each change --> publish the copy   readers: load(), cache()
//!                        | wrong                       | refused: undo those before
//!                        +------> nothing happened <---+
//! ```
//!
//! Made by `server::boot`; workers, senders and the link hold a cache of it, the CONFIG command changes it.
//! Always: whoever reads sees one configuration that was valid as a whole and that the server could apply.
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, Cache, Guard};

use super::error::{RewriteError, SetError};
use super::fields::Config;
use super::load::Origin;
use super::row::Row;
use super::{rewrite, rows};
use crate::base::glob::glob_match;

/// A thread's own handle: [`Cache::load`] costs a few nanoseconds while nothing changes.
pub type ConfigCache = Cache<Arc<ArcSwap<Config>>, Arc<Config>>;

/// Makes the running server follow one change: (new, old, names of the rows that changed).
///
/// On an error it must have left that setting as it was. It must not change the configuration itself.
pub type Apply<'a> = dyn FnMut(&Config, &Config, &[&'static str]) -> Result<(), String> + 'a;

/// What CONFIG SET needs to know about its caller and the moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asker {
    /// The client is on this machine: loopback or unix socket.
    pub local: bool,
    /// A data set is being loaded.
    pub loading: bool,
}

/// The shared holder of the configuration.
pub struct Live {
    /// Written under `changing` only. Readers take it without a lock; the swap publishes the new `Config` (arc-swap:
    /// release on store, acquire on load).
    shared: Arc<ArcSwap<Config>>,
    origin: Origin,
    /// One change at a time, so that none is lost between reading the old and publishing the new configuration.
    changing: Mutex<()>,
}

impl Live {
    pub fn new(config: Config, origin: Origin) -> Live {
        Live { shared: Arc::new(ArcSwap::from_pointee(config)), origin, changing: Mutex::new(()) }
    }

    /// The present configuration. Do not hold the guard across a wait.
    pub fn load(&self) -> Guard<Arc<Config>> {
        self.shared.load()
    }

    /// A handle for a thread that reads the configuration often.
    pub fn cache(&self) -> ConfigCache {
        Cache::new(Arc::clone(&self.shared))
    }

    /// What the configuration was made from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// CONFIG GET: the names that match any of the patterns, each once, with their values.
    ///
    /// A pattern without `*`, `?` and `[` is a name: it is answered as it was typed, and finds hidden directives
    /// too. Aliases are names of their own.
    pub fn get(&self, patterns: &[&[u8]]) -> Vec<(String, Vec<u8>)> {
        let config = self.load();
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        let mut add = |row: &Row, name: &str| {
            if seen.insert(name.to_ascii_lowercase()) {
                found.push((name.to_string(), row.show(&config)));
            }
        };
        for pattern in patterns {
            if !pattern.iter().any(|byte| matches!(byte, b'[' | b'*' | b'?')) {
                if let (Some((row, _)), Ok(name)) = (rows::find(pattern), std::str::from_utf8(pattern)) {
                    add(row, name);
                }
                continue;
            }
            for row in rows::all().filter(|row| !row.hidden) {
                for name in row.names().filter(|name| glob_match(pattern, name.as_bytes(), true)) {
                    add(row, name);
                }
            }
        }
        found
    }

    /// [`Live::set_by`] for a client of which nothing is known: not local, not while loading.
    ///
    /// # Errors
    /// As `set_by`.
    pub fn set(&self, pairs: &[(&[u8], &[u8])], apply: &mut Apply<'_>) -> Result<(), SetError> {
        self.set_by(Asker::default(), pairs, apply)
    }

    /// CONFIG SET: all pairs take effect, or none.
    ///
    /// `apply` is called once for each row whose value changes, in the order of the pairs, before anybody else can
    /// see the new configuration. If it refuses one, it is called for those before it with `new` and `old`
    /// exchanged, last one first.
    ///
    /// # Errors
    /// The first pair that is wrong or cannot be applied, in Redis' words.
    pub fn set_by(
        &self,
        asker: Asker,
        pairs: &[(&[u8], &[u8])],
        apply: &mut Apply<'_>,
    ) -> Result<(), SetError> {
        let _changing = self.lock();
        let old = self.shared.load_full();
        let chosen = choose(asker, pairs, &old)?;
        let mut new = Config::clone(&old);
        for (row, spelling, text) in &chosen {
            let value = row
                .kind
                .parse(&words(row, text), &row.get(&new))
                .map_err(|reason| failed(spelling, reason))?;
            row.set(&mut new, value);
        }
        let mut changed: Vec<(&'static str, &'static str)> = Vec::new();
        for (row, spelling, _) in &chosen {
            let known = changed.iter().any(|(name, _)| *name == row.name);
            if !known && row.get(&new) != row.get(&old) {
                changed.push((row.name, spelling));
            }
        }
        for (at, (name, spelling)) in changed.iter().enumerate() {
            if let Err(reason) = apply(&new, &old, &[name]) {
                log::warn!(
                    "Failed applying new configuration. Possibly related to new {spelling} setting. Restoring previous settings."
                );
                undo(&changed[..at], &new, &old, apply);
                return Err(failed(spelling, reason));
            }
        }
        self.shared.store(Arc::new(new));
        Ok(())
    }

    /// A change that the server makes itself, as REPLICAOF does with `replicaof`. Nothing is checked or applied.
    pub fn update(&self, change: impl FnOnce(&mut Config)) {
        let _changing = self.lock();
        let mut config = Config::clone(&self.shared.load());
        change(&mut config);
        self.shared.store(Arc::new(config));
    }

    /// CONFIG REWRITE: brings the file that the server was started with up to date, keeping comments and order.
    ///
    /// # Errors
    /// There is no such file, or it cannot be read or replaced; then it is as it was.
    pub fn rewrite(&self) -> Result<(), RewriteError> {
        rewrite::file(self.origin.file.as_deref(), &self.load(), rewrite::Extent::Changed)
    }

    /// DEBUG CONFIG-REWRITE-FORCE-ALL: the same, with every directive written out.
    ///
    /// # Errors
    /// As `rewrite`.
    pub fn rewrite_everything(&self) -> Result<(), RewriteError> {
        rewrite::file(self.origin.file.as_deref(), &self.load(), rewrite::Extent::Everything)
    }

    /// The guarded value is `()`: a panic of another holder cannot have left it half changed.
    fn lock(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pair whose name is known and may be set: row, name as the row spells it, text of the value.
type Chosen<'a> = (&'static Row, &'static str, &'a [u8]);

/// Looks every name up; the first one that may not be set refuses them all.
fn choose<'a>(
    asker: Asker,
    pairs: &[(&[u8], &'a [u8])],
    config: &Config,
) -> Result<Vec<Chosen<'a>>, SetError> {
    let mut chosen: Vec<Chosen<'a>> = Vec::with_capacity(pairs.len());
    for (name, text) in pairs {
        let typed = || String::from_utf8_lossy(name).into_owned();
        let refuse = |reason: &str| Err(SetError::Failed { name: typed(), reason: reason.into() });
        let Some((row, spelling)) = rows::find(name) else {
            return Err(SetError::Unknown { name: typed() });
        };
        if row.immutable {
            return refuse("can't set immutable config");
        }
        if row.protected && !config.enable_protected_configs.allows(asker.local) {
            return refuse("can't set protected config");
        }
        if row.deny_loading && asker.loading {
            return Err(SetError::Loading);
        }
        if chosen.iter().any(|(_, earlier, _)| *earlier == spelling) {
            return refuse("duplicate parameter");
        }
        chosen.push((row, spelling, text));
    }
    Ok(chosen)
}

/// A value of several words is split at each blank, without quoting, as CONFIG SET of Redis does.
fn words<'a>(row: &Row, text: &'a [u8]) -> Vec<&'a [u8]> {
    match (row.takes_several(), text.is_empty()) {
        (false, _) => vec![text],
        (true, true) => Vec::new(),
        (true, false) => text.split(|byte| *byte == b' ').collect(),
    }
}

fn failed(name: &str, reason: String) -> SetError {
    SetError::Failed { name: name.into(), reason }
}

fn undo(applied: &[(&'static str, &'static str)], new: &Config, old: &Config, apply: &mut Apply<'_>) {
    for (name, _) in applied.iter().rev() {
        if let Err(reason) = apply(old, new, &[name]) {
            log::warn!("Failed restoring the previous setting of {name}: {reason}");
        }
    }
}

#[cfg(test)]
mod tests;
