//! A replica behind each of the two servers, of the other's product: what replicas are told must give the same data.
//!
//! ```text
//!  commands --+--> Starling --stream--> peer's product        equal to Starling?
//!             +--> peer     --stream--> Starling              equal to the peer?
//! ```
//!
//! Used by `pair` at the end of a round. Always: a follower is compared when it has applied all that its primary had written.

use std::thread;
use std::time::{Duration, Instant};

use crate::data;
use crate::reply::{Connection, Value};
use crate::server::{Product, Server};

/// How long a follower may lag behind.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Follower {
    product: Product,
    primary_port: u16,
    server: Server,
}

impl Follower {
    /// Starts a replica of the server on that port, and waits until it is one.
    pub fn start(product: Product, primary_port: u16) -> Follower {
        let address = format!("127.0.0.1 {primary_port}");
        let server = Server::start_with(product, &[("replicaof", &address)]);
        let follower = Follower { product, primary_port, server };
        let mut connection = Connection::open(follower.server.port);
        let is_up =
            |connection: &mut Connection| field(connection, "master_link_status").as_deref() == Some("up");
        wait_for("the link", || is_up(&mut connection));
        follower
    }

    /// What it holds otherwise than its primary; `None` if nothing.
    pub fn differs(&self) -> Option<String> {
        let mut primary = Connection::open(self.primary_port);
        let mut own = Connection::open(self.server.port);
        let number = |text: Option<String>| text.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        // A stream that could not be applied ends in a full sync, and that would hide it.
        let dropped = self
            .server
            .log()
            .lines()
            .rev()
            .find(|line| line.contains("can't be applied") || line.contains("CRITICAL"))
            .map(str::to_owned);
        if let Some(line) = dropped {
            return Some(format!("the follower, a {:?}, has dropped its link: {line}", self.product));
        }
        let target = number(field(&mut primary, "master_repl_offset"));
        wait_for("the follower", || number(field(&mut own, "slave_repl_offset")) >= target);
        let is_same = primary.line("DEBUG DIGEST") == own.line("DEBUG DIGEST");
        let mut texts: Vec<String> = match is_same {
            true => Vec::new(),
            false => data::differing_keys(&mut primary, &mut own).into_iter().map(|(_, text)| text).collect(),
        };
        texts.extend(differing_groups(&mut primary, &mut own));
        let product = self.product;
        (!texts.is_empty()).then(|| {
            format!("the follower, a {product:?}, differs from its primary: {}", texts.join("\n    "))
        })
    }
}

/// Digests know nothing of consumer groups. Redis itself does not tell its replicas of every consumer, nor how many entries were read.
fn differing_groups(primary: &mut Connection, own: &mut Connection) -> Vec<String> {
    let mut texts = Vec::new();
    for number in 0..4 {
        let groups = format!("XINFO GROUPS stream:{number}");
        let (theirs, ours) = (told(&primary.line(&groups)), told(&own.line(&groups)));
        if theirs != ours {
            texts.push(format!("{groups}: {theirs:?}\n    {ours:?}"));
        }
    }
    texts
}

/// Name, number of pending entries and last id of each group.
fn told(groups: &Value) -> Vec<Vec<Value>> {
    const TOLD: [&[u8]; 3] = [b"name", b"pending", b"last-delivered-id"];
    let elements = |value: &Value| match value {
        Value::Many(_, Some(elements)) => elements.clone(),
        Value::Many(_, None) | Value::Line(..) | Value::Bulk(..) => Vec::new(),
    };
    let of_group = |group: &Value| {
        let fields = elements(group);
        let is_told = |pair: &&[Value]| pair[0].bytes().is_some_and(|name| TOLD.contains(&name));
        fields.chunks_exact(2).filter(is_told).flatten().cloned().collect()
    };
    elements(groups).iter().map(of_group).collect()
}

/// A field of INFO replication.
fn field(connection: &mut Connection, name: &str) -> Option<String> {
    let info = connection.line("INFO replication");
    let text = match &info {
        Value::Bulk(_, Some(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        _ => return None,
    };
    let prefix = format!("{name}:");
    text.lines().find_map(|line| line.strip_prefix(&prefix)).map(|value| value.trim().to_owned())
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "{what} takes too long");
        thread::sleep(Duration::from_millis(5));
    }
}
