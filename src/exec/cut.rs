//! What a snapshot needs of the engine: a moment at which the world stands still, and writers that hand in pre-images.
//!
//! Called by `snapshot::Snapshots`, which is declared below this layer and sees only the trait.
//! Always: the snapshot in progress and its stamp change together, while no executor is inside a command.

use std::sync::Arc;

use crate::exec::engine::{ActiveSnapshot, Engine};
use crate::keyspace::db::Keyspace;
use crate::keyspace::entry::Stamp;
use crate::keyspace::space::PreImages;
use crate::snapshot::World;

impl World for Engine {
    fn stop(&self, work: &mut dyn FnMut()) {
        self.barrier.stop(None, work);
    }

    fn keyspace(&self) -> Arc<Keyspace> {
        Engine::keyspace(self)
    }

    fn begin_snapshot(&self, pre_images: Box<dyn PreImages>) -> Stamp {
        Engine::begin_snapshot(self, Arc::new(ActiveSnapshot { pre_images }))
    }

    fn end_snapshot(&self) {
        Engine::end_snapshot(self);
    }
}

#[cfg(all(test, loom))]
#[path = "cut_loom_tests.rs"]
mod loom_tests;
