//! AND, OR, XOR and NOT of whole bitmaps, as BITOP computes them.
//!
//! Called once per source: the result so far is combined with the next source, whose missing bytes count as 0.
//! Always: the result is as long as the longest source.

/// What BITOP does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Logic {
    And,
    Or,
    Xor,
    Not,
}

impl Logic {
    /// By its word, in any case.
    pub fn named(word: &[u8]) -> Option<Logic> {
        let words: [(&[u8], Logic); 4] =
            [(b"and", Logic::And), (b"or", Logic::Or), (b"xor", Logic::Xor), (b"not", Logic::Not)];
        words.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, logic)| logic)
    }
}

/// The result of a row of sources.
#[derive(Debug)]
pub struct Combined {
    logic: Logic,
    is_first: bool,
    pub bytes: Vec<u8>,
}

impl Combined {
    pub fn new(logic: Logic) -> Combined {
        Combined { logic, is_first: true, bytes: Vec::new() }
    }

    /// Takes the next source in; a key that does not exist is an empty one.
    pub fn add(&mut self, source: &[u8]) {
        if self.is_first {
            self.is_first = false;
            self.bytes = match self.logic {
                Logic::And | Logic::Or | Logic::Xor => source.to_vec(),
                Logic::Not => source.iter().map(|byte| !byte).collect(),
            };
            return;
        }
        if self.bytes.len() < source.len() {
            self.bytes.resize(source.len(), 0);
        }
        let (both, rest) = self.bytes.split_at_mut(source.len());
        let pairs = both.iter_mut().zip(source);
        match self.logic {
            Logic::And => {
                pairs.for_each(|(own, other)| *own &= other);
                rest.fill(0);
            }
            Logic::Or => pairs.for_each(|(own, other)| *own |= other),
            Logic::Xor => pairs.for_each(|(own, other)| *own ^= other),
            Logic::Not => unreachable!("NOT has one source: the command refuses more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Combined, Logic};
    use proptest::prelude::{any, prop, proptest};

    proptest! {
        #[test]
        fn combining_is_bitwise_over_sources_padded_with_zeros(
            sources in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..70), 1..5),
            pick in 0usize..3,
        ) {
            let (logic, apply): (Logic, fn(u8, u8) -> u8) = [
                (Logic::And, (|a, b| a & b) as fn(u8, u8) -> u8),
                (Logic::Or, |a, b| a | b),
                (Logic::Xor, |a, b| a ^ b),
            ][pick];
            let longest = sources.iter().map(Vec::len).max().expect("at least one");
            let byte = |source: &Vec<u8>, at: usize| source.get(at).copied().unwrap_or(0);
            let expected: Vec<u8> = (0..longest)
                .map(|at| sources.iter().map(|source| byte(source, at)).reduce(apply).expect("at least one"))
                .collect();
            let mut combined = Combined::new(logic);
            sources.iter().for_each(|source| combined.add(source));
            assert_eq!(combined.bytes, expected);
        }
    }
}
