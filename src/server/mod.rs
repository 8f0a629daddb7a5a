//! Wiring: who owns what, start order, shutdown.
//!
//! Called by `main` with a configuration that passed every check.
use std::process::ExitCode;

use crate::config::{Config, Origin};

/// Runs the server until it is told to stop.
pub fn boot(config: Config, _origin: Origin) -> ExitCode {
    eprintln!("nothing to serve on port {} yet", config.port);
    ExitCode::FAILURE
}
