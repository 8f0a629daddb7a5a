//! The ground floor: what every layer above needs and what itself imports nothing of this crate.
//! Time, randomness, hashing, and the conversions between numbers and the text that goes over the wire.
//!
//! Always: nothing here knows a socket, a key's value or a command.

mod big_natural;
pub mod alloc;
pub mod clock;
pub mod digest;
pub mod double;
mod float_literal;
pub mod glob;
mod grisu;
pub mod hash;
pub mod histogram;
pub mod mailbox;
pub mod huge_pages;
pub mod ids;
pub mod long_double;
pub mod number;
pub mod pace;
pub mod prefetch;
pub mod random;
pub mod same;
pub mod small_pages;
pub mod sync;
pub mod version;
