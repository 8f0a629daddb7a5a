//! Random words for the places of a template: keys, numbers, members, texts, and odd ones among all of them.
//!
//! Used by `template`. Always: keys are few, so that commands meet; a key is named after the type that it usually holds, and one
//! in some is of another type.

use crate::traffic::Random;

/// Keys of one type.
const KEYS: u64 = 4;
pub const TYPES: [&str; 9] = ["str", "list", "set", "hash", "zset", "lex", "stream", "hll", "geo"];
/// Databases in use.
pub const DATABASES: u64 = 3;
/// One word in so many is odd.
const ODD: u64 = 60;

const ODDITIES: [&str; 34] = [
    "",
    "0",
    "-1",
    "1",
    "-0",
    "+1",
    "01",
    " 1",
    "1 ",
    "1.0",
    "1e3",
    "x",
    "nan",
    "inf",
    "-inf",
    "+inf",
    "(1",
    "[a",
    "-",
    "+",
    "(",
    "[",
    "$",
    "*",
    "#",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "4294967296",
    "0x10",
    "1e400",
    "\r\n",
    "100000000000000000000",
    "0-0",
];

/// A word that fits nowhere, or anywhere.
pub fn odd(random: &mut Random) -> Vec<u8> {
    random.pick(&ODDITIES).as_bytes().to_vec()
}

fn text(text: impl ToString) -> Vec<u8> {
    text.to_string().into_bytes()
}

/// A word for the place `{name}`.
pub fn word(name: &str, random: &mut Random) -> Vec<u8> {
    if TYPES.contains(&name) {
        let kind = if random.below(ODD) == 0 { *random.pick(&TYPES) } else { name };
        return text(format!("{kind}:{}", random.below(KEYS)));
    }
    if random.below(ODD) == 0 {
        return odd(random);
    }
    match name {
        "key" => text(format!("{}:{}", random.pick(&TYPES), random.below(KEYS))),
        "db" => text(random.below(DATABASES)),
        "int" => text(random.below(24) as i64 - 10),
        "count" => text(random.below(7)),
        "offset" => text(random.below(40)),
        "bit" => text(random.below(200)),
        "small" => text(1 + random.below(3)),
        "signed" => text(random.below(9) as i64 - 4),
        "score" => score(random),
        "float" => text(random.pick(&["1.5", "-2.25", "3", "0.125", "1e10", "-7", "100.125", "0"])),
        "bound" => bound(random),
        "lex" => text(random.pick(&["-", "+", "[a", "(a", "[m5", "(m9", "[m1", "[z", "(m3", "[", "("])),
        "member" => member(random),
        "field" => text(format!("f{}", random.below(14))),
        "value" => value(random),
        "pattern" => {
            text(random.pick(&["*", "m*", "f1*", "*1", "[a-m]*", "?", "nothing", "\\*", "m[^1]", "f?"]))
        }
        "seconds" => text(1000 + random.below(100_000)),
        "moment" => text(4_000_000_000u64 + random.below(1000)),
        "id" => id(random),
        "newid" => text(format!("{}-{}", 1 + random.below(60), random.below(4))),
        "group" => text(format!("g{}", random.below(2))),
        "consumer" => text(format!("c{}", random.below(3))),
        "longitude" => {
            text(random.pick(&["13.361389", "15.087269", "2.349014", "-0.1276", "179.9", "-179.9", "181"]))
        }
        "latitude" => {
            text(random.pick(&["38.115556", "37.502669", "48.864716", "51.5072", "-85", "85", "86"]))
        }
        "radius" => text(random.pick(&["100", "500", "1500", "20000", "0", "-1", "1.5"])),
        other => panic!("a template has a place {other}"),
    }
}

fn score(random: &mut Random) -> Vec<u8> {
    match random.below(6) {
        0 => text(random.pick(&["inf", "-inf", "1.5", "-0.5", "1e20", "0.1", "3.14159265358979", "-0"])),
        _ => text(random.below(20) as i64 - 5),
    }
}

fn bound(random: &mut Random) -> Vec<u8> {
    match random.below(6) {
        0 => text(random.pick(&["-inf", "+inf", "(1.5", "(inf", "1e1"])),
        1 => text(format!("({}", random.below(12) as i64 - 4)),
        _ => text(random.below(20) as i64 - 5),
    }
}

fn member(random: &mut Random) -> Vec<u8> {
    match random.below(10) {
        0..4 => text(format!("m{}", random.below(15))),
        4..8 => text(random.below(20) as i64 - 4),
        8 => text(random.pick(&["100000", "-5000000000", "a", "B", "007", "", "12345678901234567890"])),
        _ => vec![b'l'; 10 + random.below(70) as usize],
    }
}

fn value(random: &mut Random) -> Vec<u8> {
    match random.below(12) {
        0 => vec![b'v'; random.below(200) as usize],
        1 => (0..random.below(24)).map(|_| random.below(256) as u8).collect(),
        2 => text(random.pick(&[
            "1.5",
            "-3.25",
            "1e5",
            "9223372036854775807",
            "-9223372036854775808",
            "70000",
        ])),
        3..8 => text(random.below(40) as i64 - 10),
        _ => text(format!("v{}", random.below(10))),
    }
}

fn id(random: &mut Random) -> Vec<u8> {
    match random.below(8) {
        0 => text(random.pick(&["-", "+", "0", "0-0", "(5-0", "(3", "$", "99-9"])),
        1..4 => text(random.below(60)),
        _ => text(format!("{}-{}", random.below(60), random.below(4))),
    }
}
