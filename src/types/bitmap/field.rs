//! Fields: integers of any width up to 64 bits, at any bit of a bitmap, and what happens when they overflow.
//!
//! ```text
//!  u5 at bit 7, value 23 (10111):   byte 0      byte 1
//!                                   0000000 1   0111 0000
//! ```
//!
//! Called by BITFIELD. Always: the first bit of a field is its highest one; signed fields are two's complement.

use crate::base::number::parse_i64;

/// The widest field may begin at the last bit of a byte: so many bytes hold any field.
const WINDOW: usize = 9;

/// A field's type: `u8`, `i16`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    pub is_signed: bool,
    /// 1 to 64, or to 63 if it is unsigned: replies are signed integers of 64 bits.
    pub bits: u32,
}

/// What becomes of a result that does not fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Overflow {
    /// The high bits are dropped.
    Wrap,
    /// It becomes the largest or the smallest value that fits.
    Sat,
    /// Nothing is written.
    Fail,
}

impl Overflow {
    /// By its word, in any case.
    pub fn named(word: &[u8]) -> Option<Overflow> {
        let words: [(&[u8], Overflow); 3] =
            [(b"wrap", Overflow::Wrap), (b"sat", Overflow::Sat), (b"fail", Overflow::Fail)];
        words.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, overflow)| overflow)
    }
}

impl Field {
    /// Reads `i<bits>` or `u<bits>`.
    pub fn parse(word: &[u8]) -> Option<Field> {
        let (is_signed, bits) = match word.split_first()? {
            (b'i', digits) => (true, digits),
            (b'u', digits) => (false, digits),
            _ => return None,
        };
        let widest = if is_signed { 64 } else { 63 };
        let bits = parse_i64(bits).filter(|bits| (1..=widest).contains(bits))?;
        Some(Field { is_signed, bits: bits as u32 })
    }

    /// The field's value at bit `offset`. What lies behind the end of `bytes` is 0.
    pub fn get(self, bytes: &[u8], offset: u64) -> i64 {
        let raw = window(bytes, offset) >> self.shift(offset);
        let unused = 64 - self.bits;
        let high = (raw as u64) << unused;
        if self.is_signed { high as i64 >> unused } else { (high >> unused) as i64 }
    }

    /// Writes the low bits of `value` at bit `offset`; the field lies within `bytes`.
    pub fn set(self, bytes: &mut [u8], offset: u64, value: i64) {
        let shift = self.shift(offset);
        let mask = ((1u128 << self.bits) - 1) << shift;
        let new = (window(bytes, offset) & !mask) | (((value as u64 as u128) << shift) & mask);
        let first = (offset / 8) as usize;
        let last = ((offset + u64::from(self.bits) - 1) / 8) as usize;
        let image = new.to_be_bytes();
        bytes[first..=last].copy_from_slice(&image[image.len() - WINDOW..][..=last - first]);
    }

    /// How far above the end of its window the field at `offset` lies, in bits.
    fn shift(self, offset: u64) -> u32 {
        (WINDOW * 8) as u32 - (offset % 8) as u32 - self.bits
    }

    /// What SET stores for `value`; None if it is to fail. An unsigned field takes a negative number as a very large one.
    pub fn fit(self, value: i64, overflow: Overflow) -> Option<i64> {
        let exact = if self.is_signed { i128::from(value) } else { i128::from(value as u64) };
        self.settle(exact, overflow)
    }

    /// What INCRBY stores; None if it is to fail.
    pub fn add(self, value: i64, by: i64, overflow: Overflow) -> Option<i64> {
        self.settle(i128::from(value) + i128::from(by), overflow)
    }

    fn settle(self, exact: i128, overflow: Overflow) -> Option<i64> {
        let (min, max) = if self.is_signed {
            (-(1i128 << (self.bits - 1)), (1i128 << (self.bits - 1)) - 1)
        } else {
            (0, (1i128 << self.bits) - 1)
        };
        if (min..=max).contains(&exact) {
            return Some(exact as i64);
        }
        match overflow {
            Overflow::Wrap => {
                let low = exact & ((1i128 << self.bits) - 1);
                Some(if low > max { low - (1i128 << self.bits) } else { low } as i64)
            }
            Overflow::Sat => Some(exact.clamp(min, max) as i64),
            Overflow::Fail => None,
        }
    }
}

/// The bytes from the one with bit `offset` on, as one large number.
fn window(bytes: &[u8], offset: u64) -> u128 {
    let first = usize::try_from(offset / 8).unwrap_or(usize::MAX).min(bytes.len());
    let here = &bytes[first..(first.saturating_add(WINDOW)).min(bytes.len())];
    let mut image = [0u8; 16];
    image[16 - WINDOW..][..here.len()].copy_from_slice(here);
    u128::from_be_bytes(image)
}

#[cfg(test)]
mod tests {
    use super::{Field, Overflow};
    use crate::types::bitmap::{bit, set_bit};
    use proptest::prelude::{any, prop, proptest};

    fn field(name: &str) -> Field {
        Field::parse(name.as_bytes()).expect("a field")
    }

    #[test]
    fn types_are_a_sign_and_a_width() {
        for refused in ["", "i", "u", "i0", "i65", "u64", "x8", "I8", "8", "u-1", "u08", "i 8"] {
            assert_eq!(Field::parse(refused.as_bytes()), None, "{refused}");
        }
        assert_eq!(field("i64"), Field { is_signed: true, bits: 64 });
        assert_eq!(field("u1"), Field { is_signed: false, bits: 1 });
    }

    #[test]
    fn overflow_wraps_saturates_or_fails() {
        let check = |name: &str, value: i64, by: i64, wrap: i64, sat: i64| {
            let field = field(name);
            assert_eq!(field.add(value, by, Overflow::Wrap), Some(wrap), "{name} {value} {by}");
            assert_eq!(field.add(value, by, Overflow::Sat), Some(sat), "{name} {value} {by}");
            let fits = wrap == sat;
            assert_eq!(field.add(value, by, Overflow::Fail).is_some(), fits, "{name} {value} {by}");
        };
        check("u8", 255, 1, 0, 255);
        check("u8", 0, -1, 255, 0);
        check("u8", 250, 5, 255, 255);
        check("i8", 127, 1, -128, 127);
        check("i8", -128, -1, 127, -128);
        check("i64", i64::MAX, 1, i64::MIN, i64::MAX);
        check("i64", i64::MIN, i64::MIN, 0, i64::MIN);
        check("u63", i64::MAX, i64::MAX, i64::MAX - 1, i64::MAX);
        check("i1", 0, 1, -1, 0);
        assert_eq!(field("u8").fit(-1, Overflow::Sat), Some(255));
        assert_eq!(field("u8").fit(257, Overflow::Wrap), Some(1));
        assert_eq!(field("i8").fit(200, Overflow::Fail), None);
    }

    proptest! {
        #[test]
        fn a_field_is_the_bits_that_it_covers(
            bytes in prop::collection::vec(any::<u8>(), 24),
            offset in 0u64..128, is_signed in any::<bool>(), bits in 1u32..=63, value in any::<i64>(),
        ) {
            let field = Field { is_signed, bits: if is_signed { bits + 1 } else { bits } };
            let mut fast = bytes.clone();
            field.set(&mut fast, offset, value);
            let mut slow = bytes;
            for place in 0..field.bits {
                set_bit(&mut slow, offset + u64::from(place), value >> (field.bits - 1 - place) & 1 == 1);
            }
            assert_eq!(fast, slow);
            let mut read: i128 = 0;
            for place in 0..field.bits {
                read = read << 1 | i128::from(bit(&fast, offset + u64::from(place)));
            }
            if is_signed && bit(&fast, offset) {
                read -= 1i128 << field.bits;
            }
            assert_eq!(i128::from(field.get(&fast, offset)), read);
        }
    }
}
