//! Rows about who may do what: the password, and abilities that are off until asked for.
//!
//! Read by `rows/mod.rs`. Acted upon by AUTH, by DEBUG and by CONFIG SET.
use crate::config::kind::{Kind, Rule};
use crate::config::row::{Row, field};
use crate::config::words::Permission;

const PERMISSION: Kind = Kind::Word(Permission::WORDS);

pub(super) static ROWS: &[Row] = &[
    Row::live(
        "requirepass",
        Kind::Text(Rule::Bytes),
        "",
        field!(requirepass),
        "Password of the default user.",
    )
    .empty_is_unset()
    .sensitive(),
    Row::startup(
        "enable-protected-configs",
        PERMISSION,
        "no",
        field!(enable_protected_configs),
        "Whether CONFIG SET may change `dir` and `dbfilename`.",
    ),
    Row::startup(
        "enable-debug-command",
        PERMISSION,
        "no",
        field!(enable_debug_command),
        "Whether DEBUG may be used.",
    ),
];
