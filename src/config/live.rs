//! The configuration of a running server: one immutable `Config` that everybody reads, replaced as a whole.
//!
//! Made by `server::boot`; workers, senders and the link hold a cache of it, the CONFIG command changes it.
//! Always: whoever reads sees one configuration that was valid as a whole, never a mixture.
use std::sync::Arc;

use arc_swap::{ArcSwap, Cache, Guard};

use super::fields::Config;
use super::load::Origin;

/// A thread's own handle: [`Cache::load`] costs a few nanoseconds while nothing changes.
pub type ConfigCache = Cache<Arc<ArcSwap<Config>>, Arc<Config>>;

/// The shared holder of the configuration.
pub struct Live {
    shared: Arc<ArcSwap<Config>>,
    origin: Origin,
}

impl Live {
    pub fn new(config: Config, origin: Origin) -> Live {
        Live { shared: Arc::new(ArcSwap::from_pointee(config)), origin }
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
}
