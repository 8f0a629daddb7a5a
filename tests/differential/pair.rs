//! Two servers side by side, and a round: from empty to full of values, each reply compared.
//!
//! ```text
//!  round = thresholds by chance, protocol by chance, some thousand commands, now and then a value carried over by DUMP and
//!          RESTORE in both directions; DEBUG DIGEST at the end
//! ```
//!
//! Used by `main`. Always: a round depends on its seed alone; what it has found tells how to get there.

use std::time::Instant;

use crate::commands::{self, Template};
use crate::data;
use crate::differences;
use crate::followers::Follower;
use crate::reply::{Connection, Value, agree};
use crate::server::{Product, Server};
use crate::template::expand;
use crate::traffic::Random;
use crate::values::{DATABASES, word};

/// Commands of a round.
const COMMANDS: usize = 3000;
/// Commands between two exchanges of a value.
const EXCHANGE_EVERY: usize = 50;
/// One request in so many is a transaction.
const TRANSACTION_EVERY: u64 = 40;
/// Commands on the same key that a finding shows.
const SHOWN: usize = 30;
/// Thresholds of the small encodings, with the values among which a round chooses.
const THRESHOLDS: [(&str, &[&str]); 10] = [
    ("hash-max-listpack-entries", &["0", "4", "8", "512"]),
    ("hash-max-listpack-value", &["8", "64"]),
    ("set-max-intset-entries", &["0", "6", "512"]),
    ("set-max-listpack-entries", &["0", "6", "128"]),
    ("set-max-listpack-value", &["8", "64"]),
    ("zset-max-listpack-entries", &["0", "6", "128"]),
    ("zset-max-listpack-value", &["8", "64"]),
    ("list-max-listpack-size", &["-2", "4", "1"]),
    ("list-compress-depth", &["0", "1"]),
    ("stream-node-max-entries", &["3", "100"]),
];

/// Something that differs and should not.
pub struct Finding {
    /// Findings of the same kind are shown once.
    pub kind: String,
    pub text: String,
}

/// What two replies to the same request say.
enum Verdict {
    Agree,
    /// They are as they may be, but the keys of the request need not hold the same any more.
    Forked,
    /// A finding: its kind and text.
    Differ(String, String),
}

pub struct Pair {
    peer: Product,
    ours: Connection,
    theirs: Connection,
    /// For each database, connections that stay in it.
    aside: Vec<[Connection; 2]>,
    /// Templates of commands that both know.
    templates: Vec<&'static Template>,
    /// Commands that only the peer knows.
    pub missing: Vec<String>,
    /// Of the present round.
    thresholds: String,
    ours_server: Server,
    theirs_server: Server,
    /// A replica of each, of the other's product. Dropped last.
    followers: [Follower; 2],
}

type Words = Vec<Vec<u8>>;

fn show(words: &[Vec<u8>]) -> String {
    let word = |word: &Vec<u8>| match word.is_empty() || word.contains(&b' ') {
        true => format!("\"{}\"", word.escape_ascii()),
        false => word.escape_ascii().to_string(),
    };
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}

impl Pair {
    pub fn start(peer: Product) -> Pair {
        let ours_server = Server::start(Product::Starling);
        let theirs_server = Server::start(peer);
        let mut theirs = Connection::open(theirs_server.port);
        // Time-outs of blocked clients are looked at this many times a second.
        theirs.line("CONFIG SET hz 500");
        let mut ours = Connection::open(ours_server.port);
        let (mut templates, mut missing) = (Vec::new(), Vec::new());
        for template in commands::all().filter(|template| template.peer.is_none_or(|only| only == peer)) {
            let name = template.text.split(' ').next().expect("a command");
            match (knows(&mut ours, name), knows(&mut theirs, name)) {
                (true, true) => templates.push(template),
                (false, true) => missing.push(name.to_owned()),
                (_, false) => {}
            }
        }
        missing.dedup();
        let followers =
            [Follower::start(peer, ours_server.port), Follower::start(Product::Starling, theirs_server.port)];
        let thresholds = String::new();
        let in_db = |db: u64| {
            [ours_server.port, theirs_server.port].map(|port| {
                let mut connection = Connection::open(port);
                connection.line(&format!("SELECT {db}"));
                connection
            })
        };
        let aside = (0..DATABASES).map(in_db).collect();
        Pair {
            peer,
            ours,
            theirs,
            aside,
            templates,
            missing,
            thresholds,
            ours_server,
            theirs_server,
            followers,
        }
    }

    /// Runs a round; how many commands, and what it has found.
    pub fn round(&mut self, seed: u64, end: Instant) -> (usize, Option<Finding>) {
        let mut random = Random::new(seed);
        // New connections: a finding may have left the old ones in the middle of something.
        (self.ours, self.theirs) =
            (Connection::open(self.ours_server.port), Connection::open(self.theirs_server.port));
        self.both("FLUSHALL");
        let mut thresholds = Vec::new();
        for (name, values) in THRESHOLDS {
            thresholds.push(format!("{name} {}", random.pick(values)));
            self.both(&format!("CONFIG SET {}", thresholds.last().expect("just pushed")));
        }
        self.thresholds = thresholds.join(", ");
        self.both(if random.below(2) == 0 { "HELLO 2" } else { "HELLO 3" });
        let mut past: Vec<Words> = Vec::new();
        for number in 0..COMMANDS {
            if Instant::now() > end {
                return (number, None);
            }
            let found = match random.below(TRANSACTION_EVERY) {
                0 => self.transaction(&mut random, &mut past),
                _ => self.request(&mut random, &mut past),
            };
            let found = found
                .or_else(|| (number % EXCHANGE_EVERY == 0).then(|| self.exchange(&mut random)).flatten());
            if let Some((kind, text)) = found {
                return (number, Some(self.finding(seed, kind, text, &past)));
            }
        }
        let finding = (self.ours.line("DEBUG DIGEST") != self.theirs.line("DEBUG DIGEST"))
            .then(|| self.differing_data(seed, &mut past))
            .flatten();
        let finding = finding.or_else(|| {
            let text = self.followers.iter().find_map(Follower::differs)?;
            Some(self.finding(seed, text.chars().take(60).collect(), text, &past))
        });
        (COMMANDS, finding)
    }

    /// The digests differ: in which keys?
    fn differing_data(&mut self, seed: u64, past: &mut Vec<Words>) -> Option<Finding> {
        let differing = data::differing_keys(&mut self.ours, &mut self.theirs);
        if differing.is_empty() {
            return None;
        }
        let names: Words = differing.iter().map(|(key, _)| key.clone()).collect();
        let texts: Vec<String> = differing.iter().map(|(_, text)| text.clone()).collect();
        // What came before is looked for by the keys that differ.
        past.push(names.clone());
        let text = format!("the data sets differ\n    {}", texts.join("\n    "));
        Some(self.finding(seed, format!("digest {}", show(&names)), text, past))
    }

    fn both(&mut self, line: &str) {
        self.ours.line(line);
        self.theirs.line(line);
    }

    /// A random request.
    fn draw(&self, random: &mut Random) -> (&'static Template, Words) {
        loop {
            let template = self.templates[random.below(self.templates.len() as u64) as usize];
            let words = expand(template.text, random);
            if !blocks_for_long(&words) && !is_left_out(&words) {
                return (template, words);
            }
        }
    }

    /// Runs a request on both sides; what differs, as kind and text.
    fn request(&mut self, random: &mut Random, past: &mut Vec<Words>) -> Option<(String, String)> {
        let (template, words) = self.draw(random);
        let replies = self.run(&words);
        past.push(words.clone());
        let (ours, theirs) = match replies {
            Ok(replies) => replies,
            Err(found) => return Some(found),
        };
        match self.judge(template, &words, &ours, &theirs) {
            Verdict::Agree => None,
            Verdict::Forked => {
                self.forget(&words);
                None
            }
            Verdict::Differ(kind, text) => Some((kind, text)),
        }
    }

    /// MULTI, some requests and EXEC; each reply within EXEC's is judged as that of its request.
    fn transaction(&mut self, random: &mut Random, past: &mut Vec<Words>) -> Option<(String, String)> {
        let requests: Vec<_> = (0..1 + random.below(5)).map(|_| self.draw(random)).collect();
        let mut is_known = false;
        let word = |word: &str| vec![word.as_bytes().to_vec()];
        self.both("MULTI");
        for (_, words) in &requests {
            past.push(words.clone());
            let found = match self.run(words) {
                Ok((ours, theirs)) => {
                    is_known |= ours != theirs;
                    self.judge_queued(words, &ours, &theirs)
                }
                Err(found) => Some(found),
            };
            if found.is_some() {
                self.both("DISCARD");
                return found;
            }
        }
        if is_known {
            // One of them would refuse the whole.
            self.both("DISCARD");
            return None;
        }
        past.push(word("EXEC"));
        let (ours, theirs) = match self.run(&word("EXEC")) {
            Ok(replies) => replies,
            Err(found) => return Some(found),
        };
        match (&ours, &theirs) {
            (Value::Many(_, Some(a)), Value::Many(_, Some(b))) if a.len() == b.len() => {
                for (at, ((template, words), (a, b))) in requests.iter().zip(a.iter().zip(b)).enumerate() {
                    match self.judge(template, words, a, b) {
                        Verdict::Agree => {}
                        Verdict::Forked => {
                            // What came behind it may have carried the difference on.
                            requests[at..].iter().for_each(|(_, words)| self.forget(words));
                            return None;
                        }
                        Verdict::Differ(kind, text) => return Some((kind, text)),
                    }
                }
                None
            }
            _ if ours == theirs => None,
            _ => Some((format!("EXEC {} {}", ours.class(), theirs.class()), format!("{ours:?}, {theirs:?}"))),
        }
    }

    /// What is answered to a request between MULTI and EXEC.
    fn judge_queued(&self, words: &[Vec<u8>], ours: &Value, theirs: &Value) -> Option<(String, String)> {
        if ours == theirs || differences::is_known(self.peer, words, ours, theirs) {
            return None;
        }
        let name = String::from_utf8_lossy(&words[0]).into_owned();
        Some((format!("queued {name}"), format!("ours:   {ours:?}\n  theirs: {theirs:?}")))
    }

    /// The same request to both, at the same time.
    fn run(&mut self, words: &[Vec<u8>]) -> Result<(Value, Value), (String, String)> {
        let _ = (self.ours.send(words), self.theirs.send(words));
        match (self.ours.read(), self.theirs.read()) {
            (Ok(ours), Ok(theirs)) => Ok((ours, theirs)),
            (ours, theirs) => {
                let name = String::from_utf8_lossy(&words[0]).into_owned();
                Err((format!("{name} no reply"), format!("no reply: {ours:?}, theirs {theirs:?}")))
            }
        }
    }

    /// Compares two replies.
    fn judge(&mut self, template: &Template, words: &[Vec<u8>], ours: &Value, theirs: &Value) -> Verdict {
        if template.forks && ours != theirs && !ours.is_error() && !theirs.is_error() {
            // Chance has chosen otherwise on the two sides.
            return Verdict::Forked;
        }
        if agree(template.compare, ours, theirs) {
            let is_hidden = differences::hides_a_change(words, theirs);
            return if is_hidden { Verdict::Forked } else { Verdict::Agree };
        }
        let is_known = differences::is_known(self.peer, words, ours, theirs);
        if words[0] == b"DBSIZE" && self.agrees_without_the_expired() {
            return Verdict::Agree;
        }
        let is_by_order = self.has_form_by_order(words, ours, theirs);
        if is_known || is_by_order || self.is_unspecified(words) || self.refuses_by_mistake(words, theirs) {
            // If only one of them has done something, or each something else, the keys are no longer the same.
            let is_harmless = is_known && differences::same_numbers(words, ours, theirs)
                || is_question(&mut self.ours, &words[0]);
            return if is_harmless { Verdict::Agree } else { Verdict::Forked };
        }
        let name = String::from_utf8_lossy(&words[0]).into_owned();
        let kind = format!("{name} {} {}", ours.class(), theirs.class());
        Verdict::Differ(kind, format!("{}\n  ours:   {ours:?}\n  theirs: {theirs:?}", show(words)))
    }

    /// Deletes what a request may have changed otherwise on the two sides, in all databases: one that came behind it may have moved it.
    fn forget(&mut self, words: &[Vec<u8>]) {
        for word in &words[1..] {
            let delete = [b"DEL", word.as_slice()];
            for connection in self.aside.iter_mut().flatten() {
                let _ = connection.run(&delete);
            }
        }
    }

    /// Ranges by member are specified for equal scores only, an order for what has one, and a cursor for who made it.
    fn is_unspecified(&mut self, words: &[Vec<u8>]) -> bool {
        let is_set = |connection: &mut Connection, key: &[u8]| {
            connection.run(&[b"SCARD", key]).is_ok_and(|reply| !reply.is_error())
        };
        let is_unsorted = |pair: &[Vec<u8>]| pair[0] == b"BY" && !pair[1].contains(&b'*');
        if words[0].starts_with(b"SORT") && words.windows(2).any(is_unsorted) {
            // A set, brought to this key by a command on any key, has no order.
            return is_set(&mut self.theirs, &words[1]);
        }
        if words[0] == b"OBJECT" {
            // There, an LSET that fails because of its index has turned the list into a quicklist all the same, and SORT has
            // turned what it read into a skiplist.
            let answers = |connection: &mut Connection, name: &[u8]| {
                connection.run(&[name, &words[words.len() - 1]]).is_ok_and(|reply| !reply.is_error())
            };
            return answers(&mut self.theirs, b"LLEN") || answers(&mut self.theirs, b"ZCARD");
        }
        if words[0].ends_with(b"SCAN") {
            // A cursor means something to its own server only.
            return words.get(if words[0].len() == 4 { 1 } else { 2 }).is_some_and(|cursor| cursor != b"0");
        }
        let is_lex = |word: &Vec<u8>| word.to_ascii_uppercase().ends_with(b"LEX");
        let mut has_several_scores = |key: &Vec<u8>| {
            let scores = |from: &str, to: &str| {
                ["ZCOUNT".as_bytes(), key, from.as_bytes(), to.as_bytes()].map(<[u8]>::to_vec)
            };
            self.theirs.run(&scores("-inf", "+inf")).ok() != self.theirs.run(&scores("0", "0")).ok()
        };
        words.iter().any(is_lex)
            && words[1..].iter().any(|key| key.contains(&b':') && has_several_scores(key))
    }

    /// Keys whose time is over count until somebody looks at them.
    fn agrees_without_the_expired(&mut self) -> bool {
        self.both("KEYS *");
        self.ours.line("DBSIZE") == self.theirs.line("DBSIZE")
    }

    /// A result in which few integers come before the first text is a listpack, otherwise it goes from an intset to a table at once; in
    /// which order they come is up to the table of the set that they are taken from.
    fn has_form_by_order(&mut self, words: &[Vec<u8>], ours: &Value, theirs: &Value) -> bool {
        let is_form = |value: &Value| matches!(value.bytes(), Some(b"listpack" | b"hashtable"));
        words[0] == b"OBJECT"
            && is_form(ours)
            && is_form(theirs)
            && !self.thresholds.contains("set-max-intset-entries 512")
            && self
                .theirs
                .run(&[b"SCARD", words[words.len() - 1].as_slice()])
                .is_ok_and(|reply| !reply.is_error())
    }

    /// There, SORT takes every weight for one out of range once any number was, until another command clears the C library's errno.
    /// Asked again behind such a command, it must have nothing to say against the weights.
    fn refuses_by_mistake(&mut self, words: &[Vec<u8>], theirs: &Value) -> bool {
        if !words[0].starts_with(b"SORT") || !theirs.class().contains("converted into double") {
            return false;
        }
        self.theirs.line("GEORADIUS nothing 1 1 1 km");
        self.theirs.run(words).is_ok_and(|again| !again.is_error())
    }

    /// Carries a value over in both directions.
    fn exchange(&mut self, random: &mut Random) -> Option<(String, String)> {
        let key = word("key", random);
        let there = data::carry(&mut self.ours, &mut self.theirs, &key).map(|found| ("ours", found));
        let found = there
            .or_else(|| data::carry(&mut self.theirs, &mut self.ours, &key).map(|found| ("theirs", found)));
        found.map(|(whose, (class, text))| {
            (format!("exchange {whose} {class}"), format!("{} of {whose} carried over: {text}", show(&[key])))
        })
    }

    fn finding(&self, seed: u64, kind: String, text: String, past: &[Words]) -> Finding {
        let last = past.last().cloned().unwrap_or_default();
        let keys: Vec<&Vec<u8>> = last.iter().filter(|word| word.contains(&b':')).collect();
        let touches = |words: &&Words| words.iter().any(|word| keys.contains(&word));
        let mut related: Vec<String> = past.iter().filter(touches).map(|words| show(words)).collect();
        related.drain(..related.len().saturating_sub(SHOWN));
        let shown = show(&last);
        if let Some(path) = std::env::var_os("STARLING_DIFFERENTIAL_TRACE") {
            let lines: Vec<String> = past.iter().map(|words| show(words)).collect();
            std::fs::write(path, lines.join("\n")).expect("a file for the commands of the round");
        }
        let text = format!(
            "beside {:?}, round with seed {seed}, command {}: {shown}\n  {text}\n  with {}\n  before it:\n    {}",
            self.peer,
            past.len(),
            self.thresholds,
            related.join("\n    ")
        );
        Finding { kind, text }
    }
}

/// An id that is made of the time; an index beyond 32 bits, which Valkey takes for one within the list, and tells its replicas; and a
/// negative offset, which there counts from the end if the set is large, whatever it is on a replica.
fn is_left_out(words: &[Vec<u8>]) -> bool {
    let is_negative = |word: &Vec<u8>| word.starts_with(b"-") && word.len() > 1;
    let has_negative_offset = || words.windows(2).any(|pair| pair[0] == b"LIMIT" && is_negative(&pair[1]));
    words[0] == b"XADD" && words.iter().any(|word| word == b"*")
        || words[0] == b"ZRANGESTORE" && has_negative_offset()
        || words[0] == b"LSET" && words.get(2).is_some_and(|index| index.len() > 9)
}

/// Time-outs, and zeros among them, that an odd word has made of a command that waits.
fn blocks_for_long(words: &[Vec<u8>]) -> bool {
    const SHORT: [&str; 6] = ["0.01", "1", "2", "3", "4", "5"];
    let text = |word: &Vec<u8>| String::from_utf8_lossy(word).into_owned();
    let waits = words[0].starts_with(b"B") && !words[0].starts_with(b"BIT")
        || words.iter().any(|word| word == b"BLOCK");
    let is_long = |word: &Vec<u8>| text(word).trim().parse::<f64>().is_ok() || text(word).starts_with("0x");
    waits && words[1..].iter().any(|word| is_long(word) && !SHORT.contains(&text(word).as_str()))
}

/// Does a command only read? OBJECT's subcommands do.
fn is_question(connection: &mut Connection, name: &[u8]) -> bool {
    let info = connection.run(&[b"COMMAND", b"INFO".as_slice(), name]);
    name == b"OBJECT" || format!("{info:?}").contains("+readonly")
}

fn knows(connection: &mut Connection, name: &str) -> bool {
    // An unknown command is a null in an array.
    format!("{:?}", connection.line(&format!("COMMAND INFO {name}"))).len() > "*[$-1]".len()
}
