//! String commands: values that are bytes, and the integers and floats that are kept in them.
//!
//! Called through their rows. Always: a handler writes its reply and says by its `Effect` what replicas have to do.

pub mod counter;
pub mod get_set;
pub mod getex;
pub mod lcs;
mod options;
pub mod range;
pub mod several;
