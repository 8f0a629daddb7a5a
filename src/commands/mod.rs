//! What commands mean: one folder a group, in each the rows and their handlers, one file per verb family.
//!
//! Read by the command table (`spec::table`), through which everything else finds them.
//! Always: adding a command is adding a row and a handler in one file here, and nothing anywhere else.

pub mod bitmap;
pub mod connection;
pub mod generic;
pub mod geo;
#[cfg(test)]
pub mod harness;
pub mod hash;
pub mod hyperloglog;
pub mod list;
pub mod pubsub;
pub mod replication;
pub mod server;
pub mod set;
pub mod sorted_set;
pub mod spec;
pub mod stream;
pub mod string;
pub mod transactions;

use crate::commands::spec::Row;

/// The rows of all groups.
pub const ALL: &[&[Row]] = &[
    bitmap::bit::ROWS,
    bitmap::count::ROWS,
    bitmap::field::ROWS,
    bitmap::operation::ROWS,
    connection::client::ROWS,
    connection::handshake::ROWS,
    geo::add::ROWS,
    geo::position::ROWS,
    geo::search::ROWS,
    generic::dump::ROWS,
    generic::expire::ROWS,
    generic::flush::ROWS,
    generic::keys::ROWS,
    generic::migrate::ROWS,
    generic::object::ROWS,
    generic::rename::ROWS,
    generic::scan::ROWS,
    generic::sort::ROWS,
    generic::ttl::ROWS,
    hash::counter::ROWS,
    hash::expire::ROWS,
    hash::random::ROWS,
    hash::read::ROWS,
    hash::scan::ROWS,
    hash::timed::ROWS,
    hash::ttl::ROWS,
    hash::write::ROWS,
    hyperloglog::debug::ROWS,
    hyperloglog::sketch::ROWS,
    list::change::ROWS,
    list::first_of::ROWS,
    list::position::ROWS,
    list::push_pop::ROWS,
    list::range::ROWS,
    list::transfer::ROWS,
    pubsub::channels::ROWS,
    pubsub::publish::ROWS,
    pubsub::subscribe::ROWS,
    replication::attach::ROWS,
    replication::failover::ROWS,
    replication::role::ROWS,
    replication::wait::ROWS,
    server::command::ROWS,
    server::config::ROWS,
    server::debug::ROWS,
    server::info::ROWS,
    server::latency::ROWS,
    server::lolwut::ROWS,
    server::memory::ROWS,
    server::monitor::ROWS,
    server::persistence::ROWS,
    server::shutdown::ROWS,
    server::slowlog::ROWS,
    set::combine::ROWS,
    set::members::ROWS,
    set::random::ROWS,
    set::scan::ROWS,
    sorted_set::add::ROWS,
    sorted_set::combine::ROWS,
    sorted_set::lookup::ROWS,
    sorted_set::pop::ROWS,
    sorted_set::random::ROWS,
    sorted_set::range::ROWS,
    sorted_set::remove::ROWS,
    sorted_set::scan::ROWS,
    stream::ack::ROWS,
    stream::add::ROWS,
    stream::claim::ROWS,
    stream::delete::ROWS,
    stream::group::ROWS,
    stream::info::ROWS,
    stream::range::ROWS,
    stream::read::ROWS,
    stream::read_group::ROWS,
    stream::trim::ROWS,
    string::counter::ROWS,
    string::get_set::ROWS,
    string::getex::ROWS,
    string::lcs::ROWS,
    string::range::ROWS,
    string::several::ROWS,
    transactions::ROWS,
];
