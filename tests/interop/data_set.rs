//! A data set with every type in every encoding, the corners of each, and deadlines; the same on every product.
//!
//! Used by `fidelity`, which carries it from product to product. Always: Redis 7.0 knows every command of it, and nothing in it depends on
//! time or chance, but for the times in groups of streams, which are given.

use crate::client::{Client, Reply, encode};

/// A moment in the year 3021: no deadline of the data set passes during a test.
const FAR_MS: &str = "33177117420123";

/// Keys and the encoding that Redis 7.2 has for them; that of Starling.
pub const ENCODINGS: [(&str, &str); 25] = [
    ("string:int", "int"),
    ("string:short", "embstr"),
    ("string:long", "raw"),
    ("list:small", "listpack"),
    ("list:numbers", "listpack"),
    ("list:large", "quicklist"),
    ("list:plain", "quicklist"),
    ("set:16", "intset"),
    ("set:32", "intset"),
    ("set:64", "intset"),
    ("set:words", "listpack"),
    ("set:long", "hashtable"),
    ("set:large", "hashtable"),
    ("hash:small", "listpack"),
    ("hash:long", "hashtable"),
    ("hash:large", "hashtable"),
    ("zset:small", "listpack"),
    ("zset:edges", "listpack"),
    ("zset:long", "skiplist"),
    ("zset:large", "skiplist"),
    ("stream:small", "stream"),
    ("stream:nodes", "stream"),
    ("stream:groups", "stream"),
    ("stream:empty", "stream"),
    ("stream:trimmed", "stream"),
];

/// Collects commands and sends them in one pipeline.
struct Script(Vec<Vec<Vec<u8>>>);

impl Script {
    fn add<A: AsRef<[u8]>>(&mut self, words: &[A]) {
        self.0.push(words.iter().map(|word| word.as_ref().to_vec()).collect());
    }

    /// Words apart by spaces.
    fn line(&mut self, line: &str) {
        self.add(&line.split(' ').collect::<Vec<_>>());
    }

    /// A command and its key, then as many words as `word` gives for the numbers below `count`.
    fn series(&mut self, start: &str, count: usize, word: impl Fn(usize) -> Vec<String>) {
        let mut words: Vec<String> = start.split(' ').map(str::to_owned).collect();
        words.extend((0..count).flat_map(word));
        self.add(&words);
    }

    fn send(self, client: &mut Client) {
        let bytes: Vec<u8> = self.0.iter().flat_map(|words| encode(words)).collect();
        client.send(&bytes).expect("the server takes the pipeline");
        for words in &self.0 {
            let reply = client.read_reply().expect("the server answers the pipeline");
            assert!(!matches!(reply, Reply::Error(_)), "{:?}: {reply:?}", String::from_utf8_lossy(&words[0]));
        }
    }
}

/// Numbers as text that compress, and such as do not.
fn text(number: usize, length: usize) -> String {
    (0..length).map(|at| char::from(b'a' + ((number * 7 + at * at / (1 + number % 5)) % 26) as u8)).collect()
}

pub fn fill(client: &mut Client) {
    let mut script = Script(Vec::new());
    strings(&mut script);
    lists(&mut script);
    sets(&mut script);
    hashes(&mut script);
    sorted_sets(&mut script);
    streams(&mut script);
    for (number, (key, _)) in ENCODINGS.iter().enumerate().filter(|(number, _)| number % 4 == 1) {
        script.line(&format!("PEXPIREAT {key} {}", FAR_MS.parse::<u64>().expect("a number") + number as u64));
    }
    script.line("SELECT 9");
    lists(&mut script);
    script.line("SELECT 0");
    script.send(client);
}

fn strings(script: &mut Script) {
    script.line("SET string:int -9223372036854775808");
    script.line("SET string:short 12345678901234567890");
    script.add(&["SET".as_bytes(), b"string:long", &[b'c'; 1000]]);
    script.add(&["SET".as_bytes(), b"string:binary", b"\0\r\n\xff"]);
    script.line("SETRANGE string:gap 100 end");
}

fn lists(script: &mut Script) {
    script.line("RPUSH list:small a b  c 0123456789");
    script.series("RPUSH list:numbers", 60, |number| {
        let wide = (1i64 << number) - 1;
        vec![wide.to_string(), (-wide).to_string()]
    });
    script.series("RPUSH list:large", 3000, |number| vec![text(number, number % 90)]);
    script.series("RPUSH list:plain", 3, |number| vec![text(number, 20_000), number.to_string()]);
}

fn sets(script: &mut Script) {
    script.line("SADD set:16 1 2 3 -32768 32767");
    script.line("SADD set:32 1 -2147483648 2147483647");
    script.line("SADD set:64 1 9223372036854775807 -9223372036854775808");
    script.line("SADD set:words a b 12  012 -1");
    script.series("SADD set:long", 3, |number| vec![text(number, 65)]);
    script.series("SADD set:large", 1000, |number| vec![format!("{number}-{}", text(number, number % 50))]);
}

fn hashes(script: &mut Script) {
    script.line("HSET hash:small field value 1 2 -70000  empty ");
    script.series("HSET hash:long", 2, |number| vec![number.to_string(), text(number, 65 + number * 5000)]);
    script.series("HSET hash:large", 700, |number| {
        vec![text(number, 3 + number % 40) + &number.to_string(), number.to_string()]
    });
}

/// Scores that need seventeen digits or few: Redis 7.0 and Valkey 8 print others differently in DEBUG DIGEST.
fn sorted_sets(script: &mut Script) {
    script.line("ZADD zset:small 1 a 1 b 2.5 c -7 d");
    script.line("ZADD zset:edges inf i -inf j 0 zero 1.7976931348623157e308 big 2.2250738585072014e-308 tiny 0.125 eighth 3 12");
    script.series("ZADD zset:long", 2, |number| vec![number.to_string(), text(number, 65)]);
    script.series("ZADD zset:large", 600, |number| {
        vec![format!("{}.25", number as i64 * 37 % 211 - 99), text(number, 30) + &number.to_string()]
    });
}

fn streams(script: &mut Script) {
    script.line("XADD stream:small 5-1 field value number 12");
    script.line("XADD stream:small 5-2 field other number -3");
    script.line("XADD stream:small 1700000000000-0 a 1 b 2 c ");
    for number in 1..=450 {
        script.line(&format!(
            "XADD stream:nodes {number}-{} f {} g {number}",
            number % 3,
            text(number, number % 60)
        ));
        script.line(&format!("XADD stream:trimmed {number}-1 f v"));
    }
    (1..=450).filter(|number| number % 7 == 0 || (101..=200).contains(number)).for_each(|number| {
        script.line(&format!("XDEL stream:nodes {number}-{}", number % 3));
    });
    script.line("XTRIM stream:trimmed MAXLEN 130");
    script.line("XADD stream:empty 7-7 f v");
    script.line("XDEL stream:empty 7-7");
    script.line("XGROUP CREATE stream:empty group $ ENTRIESREAD 1");
    for number in 1..=5 {
        script.line(&format!("XADD stream:groups {number}-0 f {number}"));
    }
    script.line("XGROUP CREATE stream:groups readers 3 ENTRIESREAD 3");
    script.line("XGROUP CREATE stream:groups untouched 0");
    script.line("XGROUP CREATECONSUMER stream:groups readers idle");
    script.line("XCLAIM stream:groups readers alice 0 1 3 TIME 1700000000000 RETRYCOUNT 2 FORCE JUSTID");
    script.line("XCLAIM stream:groups readers bob 0 2 TIME 1700000000500 RETRYCOUNT 9 FORCE JUSTID");
    script.line("XDEL stream:groups 2");
}

/// What DEBUG DIGEST does not cover: ids, counters, groups and what is pending, without the times that depend on the clock.
pub fn stream_facts(client: &mut Client) -> Vec<String> {
    let mut facts = Vec::new();
    for (key, _) in ENCODINGS.iter().filter(|(_, encoding)| *encoding == "stream") {
        let Reply::Array(fields) = client.ok(&format!("XINFO STREAM {key}")) else {
            panic!("XINFO STREAM answers with an array")
        };
        let pairs = fields.chunks(2).filter(|pair| !pair[0].text().starts_with("radix-tree"));
        facts.extend(pairs.map(|pair| format!("{key} {} {}", pair[0].text(), pair[1].text())));
        facts.push(format!("{key} groups {}", client.ok(&format!("XINFO GROUPS {key}")).text()));
    }
    for group in ["readers", "untouched"] {
        facts.push(client.ok(&format!("XPENDING stream:groups {group}")).text());
        let Reply::Array(pending) = client.ok(&format!("XPENDING stream:groups {group} - + 10")) else {
            panic!("XPENDING answers with an array")
        };
        for entry in pending {
            let Reply::Array(fields) = entry else { panic!("an entry has fields") };
            facts.push(format!("{} {} {}", fields[0].text(), fields[1].text(), fields[3].text()));
        }
        let Reply::Array(consumers) = client.ok(&format!("XINFO CONSUMERS stream:groups {group}")) else {
            panic!("XINFO CONSUMERS answers with an array")
        };
        for consumer in consumers {
            let Reply::Array(fields) = consumer else { panic!("a consumer has fields") };
            facts.push(format!("{group} {} {}", fields[1].text(), fields[3].text()));
        }
    }
    facts
}
