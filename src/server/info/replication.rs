//! `# Replication`: whose replica we are, and who follows us.
//!
//! Called by INFO. Always: the text is made where replication is (`replication::info`).

use crate::replication::info;
use crate::server::info::{Lines, Moment};

pub(super) fn write(lines: &mut Lines, moment: &Moment<'_>) {
    lines.text(&info::section(moment.shared.replication(), moment.now));
}
