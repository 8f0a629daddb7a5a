//! Natural numbers of any size, just enough of them for exact conversions between decimal text and the 80-bit
//! long double: a value like 1e4932 has 4,933 digits. Only `long_double` calls this, and only where 128 bits do
//! not suffice; schoolbook algorithms are fine.
//!
//! Always: limbs are little-endian and the last one is not zero; zero has no limbs.

use std::cmp::Ordering;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BigNatural {
    limbs: Vec<u64>,
}

/// The largest power of ten in a `u64`, and its number of zeros.
const TEN_POWER: u64 = 10_000_000_000_000_000_000;
const TEN_POWER_DIGITS: usize = 19;

impl BigNatural {
    /// Reads ASCII digits (the caller has checked that they are digits).
    pub fn from_digits<'a>(digits: impl Iterator<Item = &'a u8>) -> BigNatural {
        let mut number = BigNatural::default();
        let (mut chunk, mut scale) = (0u64, 1u64);
        for &digit in digits {
            debug_assert!(digit.is_ascii_digit());
            chunk = chunk * 10 + u64::from(digit - b'0');
            scale *= 10;
            if scale == TEN_POWER {
                number.multiply_add(scale, chunk);
                (chunk, scale) = (0, 1);
            }
        }
        number.multiply_add(scale, chunk);
        number
    }

    pub fn from_u64(value: u64) -> BigNatural {
        let mut number = BigNatural { limbs: vec![value] };
        number.trim();
        number
    }

    /// self = self * factor + summand
    pub fn multiply_add(&mut self, factor: u64, summand: u64) {
        let mut carry = summand;
        for limb in &mut self.limbs {
            let wide = u128::from(*limb) * u128::from(factor) + u128::from(carry);
            *limb = wide as u64;
            carry = (wide >> 64) as u64;
        }
        self.limbs.push(carry);
        self.trim();
    }

    /// self = self * 10^power
    pub fn multiply_power_of_ten(&mut self, power: usize) {
        for _ in 0..power / TEN_POWER_DIGITS {
            self.multiply_add(TEN_POWER, 0);
        }
        self.multiply_add(10u64.pow((power % TEN_POWER_DIGITS) as u32), 0);
    }

    /// self = self * 2^bits
    pub fn shift_left(&mut self, bits: usize) {
        if self.limbs.is_empty() {
            return;
        }
        self.multiply_add(1 << (bits % 64), 0);
        self.limbs.splice(0..0, std::iter::repeat_n(0, bits / 64));
    }

    /// Position of the highest set bit plus one; 0 for zero.
    pub fn bit_length(&self) -> usize {
        match self.limbs.last() {
            Some(top) => self.limbs.len() * 64 - top.leading_zeros() as usize,
            None => 0,
        }
    }

    /// The highest 128 bits, how many bits lie below them, and whether any of those is set.
    /// Shorter numbers come whole, with nothing below.
    pub fn top_128(&self) -> (u128, usize, bool) {
        let below = self.bit_length().saturating_sub(128);
        let (skip, shift) = (below / 64, below % 64);
        let limb = |index: usize| u128::from(self.limbs.get(index).copied().unwrap_or(0));
        let mut top = (limb(skip) | limb(skip + 1) << 64) >> shift;
        if shift > 0 {
            top |= limb(skip + 2) << (128 - shift);
        }
        let lost = self.limbs.iter().take(skip).any(|&limb| limb != 0)
            || (shift > 0 && limb(skip) & ((1 << shift) - 1) != 0);
        (top, below, lost)
    }

    /// (self / divisor, is there a remainder?); `None` if the lengths alone do not show that the quotient fits 128
    /// bits (below 2^127 it always does).
    pub fn divide_short(mut self, divisor: &BigNatural) -> Option<(u128, bool)> {
        assert!(!divisor.limbs.is_empty(), "divisor is a power of ten, never zero");
        let steps = (self.bit_length() + 1).saturating_sub(divisor.bit_length());
        if steps > 128 {
            return None;
        }
        let mut shifted = divisor.clone();
        shifted.shift_left(steps);
        let mut quotient = 0u128;
        for _ in 0..steps {
            shifted.halve();
            quotient <<= 1;
            if self.compare(&shifted) != Ordering::Less {
                self.subtract(&shifted);
                quotient |= 1;
            }
        }
        Some((quotient, !self.limbs.is_empty()))
    }

    /// Appends the decimal digits; `0` for zero.
    pub fn write_decimal(mut self, out: &mut Vec<u8>) {
        let mut chunks = Vec::new();
        while !self.limbs.is_empty() {
            let mut rest = 0u64;
            for limb in self.limbs.iter_mut().rev() {
                let wide = u128::from(rest) << 64 | u128::from(*limb);
                *limb = (wide / u128::from(TEN_POWER)) as u64;
                rest = (wide % u128::from(TEN_POWER)) as u64;
            }
            self.trim();
            chunks.push(rest);
        }
        let mut digits = itoa::Buffer::new();
        out.extend_from_slice(digits.format(chunks.pop().unwrap_or(0)).as_bytes());
        for chunk in chunks.into_iter().rev() {
            let digits = digits.format(chunk).as_bytes();
            out.extend(std::iter::repeat_n(b'0', TEN_POWER_DIGITS - digits.len()));
            out.extend_from_slice(digits);
        }
    }

    fn halve(&mut self) {
        let mut carry = 0;
        for limb in self.limbs.iter_mut().rev() {
            let low = *limb & 1;
            *limb = *limb >> 1 | carry << 63;
            carry = low;
        }
        self.trim();
    }

    fn compare(&self, other: &BigNatural) -> Ordering {
        let by_length = self.limbs.len().cmp(&other.limbs.len());
        by_length.then_with(|| self.limbs.iter().rev().cmp(other.limbs.iter().rev()))
    }

    /// self = self - other; other must not be larger.
    fn subtract(&mut self, other: &BigNatural) {
        let mut borrow = false;
        for (index, limb) in self.limbs.iter_mut().enumerate() {
            let (less, under) = limb.overflowing_sub(other.limbs.get(index).copied().unwrap_or(0));
            let (less, under_again) = less.overflowing_sub(u64::from(borrow));
            *limb = less;
            borrow = under || under_again;
        }
        assert!(!borrow, "compared before subtracting");
        self.trim();
    }

    fn trim(&mut self) {
        while self.limbs.last() == Some(&0) {
            self.limbs.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(number: BigNatural) -> String {
        let mut out = Vec::new();
        number.write_decimal(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_large_power_is_printed_exactly() {
        let mut power = BigNatural::from_u64(1);
        power.multiply_power_of_ten(100);
        assert_eq!(decimal(power.clone()), format!("1{}", "0".repeat(100)));
        assert_eq!(power.bit_length(), 333);
        assert_eq!(decimal(BigNatural::default()), "0");
        let mut two = BigNatural::from_u64(1);
        two.shift_left(130);
        assert_eq!(decimal(two.clone()), "1361129467683753853853498429727072845824");
        assert_eq!(two.top_128(), (1 << 127, 3, false));
    }

    proptest! {
        #[test]
        fn decimal_text_survives(text in "[1-9][0-9]{0,200}") {
            prop_assert_eq!(decimal(BigNatural::from_digits(text.as_bytes().iter())), text);
        }

        #[test]
        fn division_undoes_multiplication(quotient in 0u128..1 << 127, divisor in 1u64.., zeros in 0usize..60, rest: bool) {
            let mut divisor = BigNatural::from_u64(divisor);
            divisor.multiply_power_of_ten(zeros);
            divisor.multiply_add(3, 2);
            // divisor * quotient + rest, with 32 bits of the quotient at a time
            let mut product = BigNatural::default();
            for shift in [96, 64, 32, 0] {
                product.multiply_add(1 << 32, 0);
                let mut part = divisor.clone();
                part.multiply_add((quotient >> shift) as u32 as u64, 0);
                product = add(product, &part);
            }
            product.multiply_add(1, u64::from(rest));
            prop_assert_eq!(product.divide_short(&divisor), Some((quotient, rest)));
        }

        #[test]
        fn the_top_bits_are_those_of_the_number(value: u128, shift in 0usize..300, low: bool) {
            let mut number = BigNatural::from_u64((value >> 64) as u64);
            number.shift_left(64);
            number = add(number, &BigNatural::from_u64(value as u64));
            number.shift_left(shift);
            if shift > 0 {
                number.multiply_add(1, u64::from(low));
            }
            let (top, below, lost) = number.top_128();
            prop_assert_eq!(below, number.bit_length().saturating_sub(128));
            if shift <= below {
                let cut = below - shift;
                prop_assert_eq!(top, value >> cut);
                prop_assert_eq!(lost, (low && shift > 0) || (cut > 0 && value << (128 - cut) != 0));
            }
        }
    }

    fn add(a: BigNatural, b: &BigNatural) -> BigNatural {
        let (mut carry, mut limbs) = (0u128, Vec::new());
        for index in 0..=a.limbs.len().max(b.limbs.len()) {
            let limb = |n: &BigNatural| u128::from(n.limbs.get(index).copied().unwrap_or(0));
            carry += limb(&a) + limb(b);
            limbs.push(carry as u64);
            carry >>= 64;
        }
        let mut sum = BigNatural { limbs };
        sum.trim();
        sum
    }
}
