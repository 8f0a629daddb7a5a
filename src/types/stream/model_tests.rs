//! Streams against a plain vector of entries: whatever is done to both, they hold the same, in memory and behind RDB.

use proptest::prelude::*;

use super::*;
use crate::config::Config;

/// What is done to a stream.
#[derive(Clone, Debug)]
enum Step {
    /// The id lies this far above the last one; the words are fields and values.
    Add {
        ms: u64,
        seq: u64,
        words: Vec<Vec<u8>>,
    },
    /// Deletes the entry with this index, modulo the length.
    Delete(usize),
    TrimNewest {
        count: u64,
        is_approximate: bool,
    },
    /// Trims by the id of the entry with this index.
    TrimFrom {
        index: usize,
        is_approximate: bool,
    },
    /// Moves the last id this far above the newest entry.
    SetLast(u64),
}

type Model = Vec<(StreamId, Vec<Vec<u8>>)>;

fn word() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => prop_oneof![Just(b"f".to_vec()), Just(b"g".to_vec()), Just(b"17".to_vec())],
        1 => any::<i32>().prop_map(|number| number.to_string().into_bytes()),
        1 => proptest::collection::vec(any::<u8>(), 0..200),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let words = (1usize..4).prop_flat_map(|pairs| proptest::collection::vec(word(), pairs * 2));
    prop_oneof![
        8 => (prop_oneof![0u64..3, any::<u32>().prop_map(u64::from)], 1u64..4, words)
            .prop_map(|(ms, seq, words)| Step::Add { ms, seq, words }),
        3 => any::<usize>().prop_map(Step::Delete),
        1 => (0u64..12, any::<bool>()).prop_map(|(count, is_approximate)| Step::TrimNewest { count, is_approximate }),
        1 => (any::<usize>(), any::<bool>())
            .prop_map(|(index, is_approximate)| Step::TrimFrom { index, is_approximate }),
        1 => (0u64..5).prop_map(Step::SetLast),
    ]
}

fn apply(stream: &mut Stream, model: &mut Model, limits: Limits, step: Step) {
    let log = stream.log_mut();
    match step {
        Step::Add { ms, seq, words } => {
            let last = log.last_id();
            let id = if ms == 0 {
                StreamId::new(last.ms, last.seq + seq)
            } else {
                StreamId::new(last.ms + ms, seq)
            };
            let bytes = words.iter().map(Vec::len).sum();
            log.append(id, words.len() / 2, bytes, |index| &words[index], limits);
            model.push((id, words));
        }
        Step::Delete(index) if !model.is_empty() => {
            let (id, _) = model.remove(index % model.len());
            assert_eq!(log.delete([id, id].into_iter()), 1);
        }
        Step::TrimNewest { count, is_approximate } => {
            let removed = log.trim(Trim { keep: Keep::Newest(count), is_approximate, limit: 0 }) as usize;
            let excess = model.len().saturating_sub(count as usize);
            assert!(removed <= excess && (is_approximate || removed == excess));
            model.drain(..removed);
        }
        Step::TrimFrom { index, is_approximate } if !model.is_empty() => {
            let excess = index % model.len();
            let keep = Keep::From(model[excess].0);
            let removed = log.trim(Trim { keep, is_approximate, limit: 0 }) as usize;
            assert!(removed <= excess && (is_approximate || removed == excess));
            model.drain(..removed);
        }
        Step::SetLast(above) => {
            let newest = model.last().map_or(StreamId::MIN, |(id, _)| *id);
            log.set_last_id(StreamId::new(newest.ms, newest.seq + above), None, None);
        }
        Step::Delete(_) | Step::TrimFrom { .. } => {}
    }
}

fn contents(range: Range<'_>) -> Model {
    let words = |entry: Entry<'_>| {
        let words = entry.pairs.flat_map(|(field, value)| [field.to_vec(), value.to_vec()]);
        (entry.id, words.collect())
    };
    range.map(words).collect()
}

fn check(stream: &Stream, model: &Model, cuts: (usize, usize)) {
    let log = stream.log();
    assert_eq!(&contents(log.all()), model);
    let mut backward = contents(log.all().reversed());
    backward.reverse();
    assert_eq!(&backward, model);
    assert_eq!(log.len() as usize, model.len());
    assert_eq!(log.newest(), model.last().map(|(id, _)| *id));
    assert_eq!(log.first_id(), model.first().map_or(StreamId::MIN, |(id, _)| *id));
    if !model.is_empty() {
        let (start, end) = (model[cuts.0 % model.len()].0, model[cuts.1 % model.len()].0);
        let part: Model = model.iter().filter(|(id, _)| (start..=end).contains(id)).cloned().collect();
        assert_eq!(contents(log.range(start, end)), part);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_stream_holds_what_a_vector_would(
        steps in proptest::collection::vec(step(), 1..60),
        node_entries in 0u64..6,
        node_bytes in prop_oneof![Just(0usize), Just(100), Just(4096)],
        cuts: (usize, usize),
    ) {
        let limits = Limits { node_bytes, node_entries };
        let (mut stream, mut model) = (Stream::new(), Model::new());
        for step in steps {
            apply(&mut stream, &mut model, limits, step);
            check(&stream, &model, cuts);
        }
        let mut bytes = Vec::new();
        stream.encode(&mut bytes, None);
        let loaded = rdb::decode(&mut &bytes[..], stream.rdb_type(), &Config::default());
        prop_assert_eq!(loaded.expect("what was encoded is decoded"), stream);
    }

    #[test]
    fn a_damaged_payload_is_refused_or_is_a_sound_stream(at: usize, byte: u8, second: usize, other: u8) {
        let mut stream = Stream::new();
        let limits = Limits { node_bytes: 0, node_entries: 2 };
        for ms in 1..6 {
            let words: [&[u8]; 4] = [b"f", b"1", if ms % 2 == 0 { b"g" } else { b"h" }, b"text"];
            stream.log_mut().append(StreamId::new(ms, 1), 2, 20, |index| words[index], limits);
        }
        stream.log_mut().delete([StreamId::new(4, 1)].into_iter());
        let mut group = Group::new(StreamId::new(2, 1), Some(2));
        group.create_consumer(b"c", 5);
        let name = group.shared_name(b"c").expect("created");
        group.assign(StreamId::new(2, 1), &name, 7, 1);
        stream.create_group(b"g", group);
        let mut bytes = Vec::new();
        stream.encode(&mut bytes, None);
        let len = bytes.len();
        bytes[at % len] = byte;
        bytes[second % len] = other;
        if let Ok(loaded) = rdb::decode(&mut &bytes[..], stream.rdb_type(), &Config::default()) {
            let model = contents(loaded.log().all());
            check(&loaded, &model, (at, second));
            prop_assert!(loaded.log().newest().is_none_or(|newest| newest <= loaded.log().last_id()));
        }
    }
}
