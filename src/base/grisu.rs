//! Grisu2: decimal digits of a 64-bit float that read back as the same float, in 64-bit integer arithmetic.
//! After Florian Loitsch, "Printing Floating-Point Numbers Quickly and Accurately with Integers", PLDI 2010.
//! Only `double` calls this.
//!
//! Grisu2 always gives digits that round-trip, and nearly always the shortest ones; in about 0.1 % of cases it
//! does not, and then *which* longer digits it gives depends on the cached powers and on the choices below. They
//! are those of the `fpconv` library in Redis 7.2+ and Valkey, because clients compare the text.
//!
//!     lower      value       upper        the neighbours' midpoints: any digits between them read back as value
//!       |----------+-----------|
//!                    wanted
//!
//! Always: the digits denote a number strictly between `lower` and `upper`.

/// A float with 64 bits of precision: fraction * 2^exponent.
#[derive(Clone, Copy)]
struct Extended {
    fraction: u64,
    exponent: i32,
}

/// At most 17 digits are needed for any double, and Grisu2 stops there.
const DIGITS_MAX: usize = 18;

/// Digits and the power of ten of the last one: value = digits * 10^power.
struct Decimal {
    digits: [u8; DIGITS_MAX],
    len: usize,
    power: i32,
}

/// Appends the text of a finite double other than zero.
pub fn write_shortest(out: &mut Vec<u8>, value: f64) {
    debug_assert!(value.is_finite() && value != 0.0);
    if value.is_sign_negative() {
        out.push(b'-');
    }
    let decimal = shortest(value.abs());
    place_dot(out, &decimal);
}

/// Plain notation if that is not much longer than the digits, scientific otherwise.
fn place_dot(out: &mut Vec<u8>, decimal: &Decimal) {
    let Decimal { digits, len, power } = decimal;
    let digits = &digits[..*len];
    let (len, power) = (*len as i32, *power);
    let exponent = power + len - 1;
    let zeros = |count: i32| std::iter::repeat_n(b'0', count.unsigned_abs() as usize);
    if power >= 0 && exponent.abs() < len + 7 {
        out.extend_from_slice(digits);
        out.extend(zeros(power));
    } else if power < 0 && (power > -7 || exponent.abs() < 4) {
        let whole = len + power;
        if whole <= 0 {
            out.extend_from_slice(b"0.");
            out.extend(zeros(whole));
            out.extend_from_slice(digits);
        } else {
            let (whole, fraction) = digits.split_at(whole as usize);
            out.extend_from_slice(whole);
            out.push(b'.');
            out.extend_from_slice(fraction);
        }
    } else {
        let (first, rest) = digits.split_at(1);
        out.extend_from_slice(first);
        if !rest.is_empty() {
            out.push(b'.');
            out.extend_from_slice(rest);
        }
        out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
        out.extend_from_slice(itoa::Buffer::new().format(exponent.unsigned_abs()).as_bytes());
    }
}

fn shortest(value: f64) -> Decimal {
    const HIDDEN_BIT: u64 = 1 << 52;
    let bits = value.to_bits();
    let (fraction, biased) = (bits & (HIDDEN_BIT - 1), (bits >> 52) as i32);
    let value = match biased {
        0 => Extended { fraction, exponent: -1074 },
        _ => Extended { fraction: fraction | HIDDEN_BIT, exponent: biased - 1075 },
    };
    let upper = normalize(Extended { fraction: value.fraction * 2 + 1, exponent: value.exponent - 1 });
    // Below a power of two the floats lie twice as dense, so the lower midpoint is nearer.
    let closer = if value.fraction == HIDDEN_BIT { 2 } else { 1 };
    let lower = Extended { fraction: (value.fraction << closer) - 1, exponent: value.exponent - closer };
    let lower =
        Extended { fraction: lower.fraction << (lower.exponent - upper.exponent), exponent: upper.exponent };
    let (power, ten) = cached_power(upper.exponent);
    let value = multiply(normalize(value), ten);
    // Each product is off by at most one unit: step inside, so that the digits surely stay between.
    let upper = multiply(upper, ten);
    let upper = Extended { fraction: upper.fraction - 1, ..upper };
    let lower = multiply(lower, ten).fraction + 1;
    generate(value.fraction, lower, upper, -power)
}

/// Generates digits of `upper` from the left until the rest is inside the interval, then steps the last digit
/// down towards the value. All three share the exponent of `upper`, which is between -60 and -32.
fn generate(value: u64, lower: u64, upper: Extended, power: i32) -> Decimal {
    let shift = upper.exponent.unsigned_abs();
    let one = 1u64 << shift;
    let distance = upper.fraction - value;
    let mut width = upper.fraction - lower;
    let mut whole = upper.fraction >> shift;
    let mut fraction = upper.fraction & (one - 1);
    let mut decimal = Decimal { digits: [0; DIGITS_MAX], len: 0, power };
    let mut kappa = 10;
    while kappa > 0 {
        kappa -= 1;
        let divisor = 10u64.pow(kappa);
        decimal.push(whole / divisor);
        whole %= divisor;
        let rest = (whole << shift) + fraction;
        if rest <= width {
            decimal.power += kappa as i32;
            decimal.approach(width, rest, divisor << shift, distance);
            return decimal;
        }
    }
    let mut unit = 1u64;
    loop {
        fraction *= 10;
        width *= 10;
        unit *= 10;
        decimal.power -= 1;
        decimal.push(fraction >> shift);
        fraction &= one - 1;
        if fraction < width {
            decimal.approach(width, fraction, one, distance.wrapping_mul(unit));
            return decimal;
        }
    }
}

impl Decimal {
    /// Appends a digit; leading zeros do not count.
    fn push(&mut self, digit: u64) {
        if digit != 0 || self.len > 0 {
            self.digits[self.len] = b'0' + digit as u8;
            self.len += 1;
        }
    }

    /// Lowers the last digit while that brings the number (which is `rest` below `upper`) nearer to the value
    /// (which is `distance` below it) and keeps it within `width`. One step of the digit is `step`.
    fn approach(&mut self, width: u64, mut rest: u64, step: u64, distance: u64) {
        while rest < distance
            && width - rest >= step
            && (rest.wrapping_add(step) < distance
                || distance - rest > rest.wrapping_add(step).wrapping_sub(distance))
        {
            self.digits[self.len - 1] -= 1;
            rest += step;
        }
    }
}

fn normalize(number: Extended) -> Extended {
    let up = number.fraction.leading_zeros();
    Extended { fraction: number.fraction << up, exponent: number.exponent - up as i32 }
}

/// The upper 64 bits of the product, rounded half up.
fn multiply(a: Extended, b: Extended) -> Extended {
    let product = u128::from(a.fraction) * u128::from(b.fraction) + (1 << 63);
    Extended { fraction: (product >> 64) as u64, exponent: a.exponent + b.exponent + 64 }
}

/// A power of ten that brings `exponent` into -60 ..= -32 when multiplied, and which power it is.
fn cached_power(exponent: i32) -> (i32, Extended) {
    // Several may do. Starting from this estimate and walking inwards picks the one that fpconv picks.
    let estimate = (f64::from(-(exponent + POWERS.len() as i32)) * std::f64::consts::LOG10_2) as i32;
    let mut index = (estimate - POWER_FIRST) / POWER_STEP;
    loop {
        let power = POWER_FIRST + index * POWER_STEP;
        // floor(power * log2(10)) - 63: the exponent of a normalised 64-bit fraction.
        let ten_exponent = ((power * 1_741_647) >> 19) - 63;
        match exponent + ten_exponent + 64 {
            ..-60 => index += 1,
            -60..=-32 => {
                let fraction = POWERS[index as usize];
                return (power, Extended { fraction, exponent: ten_exponent });
            }
            _ => index -= 1,
        }
    }
}

const POWER_FIRST: i32 = -348;
const POWER_STEP: i32 = 8;

/// The 64 leading bits of 10^-348, 10^-340, ... 10^340, rounded to nearest.
#[rustfmt::skip]
const POWERS: [u64; 87] = [
    0xfa8f_d5a0_081c_0288, 0xbaae_e17f_a23e_bf76, 0x8b16_fb20_3055_ac76, 0xcf42_894a_5dce_35ea,
    0x9a6b_b0aa_5565_3b2d, 0xe61a_cf03_3d1a_45df, 0xab70_fe17_c79a_c6ca, 0xff77_b1fc_bebc_dc4f,
    0xbe56_91ef_416b_d60c, 0x8dd0_1fad_907f_fc3c, 0xd351_5c28_3155_9a83, 0x9d71_ac8f_ada6_c9b5,
    0xea9c_2277_23ee_8bcb, 0xaecc_4991_4078_536d, 0x823c_1279_5db6_ce57, 0xc210_9436_4dfb_5637,
    0x9096_ea6f_3848_984f, 0xd774_85cb_2582_3ac7, 0xa086_cfcd_97bf_97f4, 0xef34_0a98_172a_ace5,
    0xb238_67fb_2a35_b28e, 0x84c8_d4df_d2c6_3f3b, 0xc5dd_4427_1ad3_cdba, 0x936b_9fce_bb25_c996,
    0xdbac_6c24_7d62_a584, 0xa3ab_6658_0d5f_daf6, 0xf3e2_f893_dec3_f126, 0xb5b5_ada8_aaff_80b8,
    0x8762_5f05_6c7c_4a8b, 0xc9bc_ff60_34c1_3053, 0x964e_858c_91ba_2655, 0xdff9_7724_7029_7ebd,
    0xa6df_bd9f_b8e5_b88f, 0xf8a9_5fcf_8874_7d94, 0xb944_7093_8fa8_9bcf, 0x8a08_f0f8_bf0f_156b,
    0xcdb0_2555_6531_31b6, 0x993f_e2c6_d07b_7fac, 0xe45c_10c4_2a2b_3b06, 0xaa24_2499_6973_92d3,
    0xfd87_b5f2_8300_ca0e, 0xbce5_0864_9211_1aeb, 0x8cbc_cc09_6f50_88cc, 0xd1b7_1758_e219_652c,
    0x9c40_0000_0000_0000, 0xe8d4_a510_0000_0000, 0xad78_ebc5_ac62_0000, 0x813f_3978_f894_0984,
    0xc097_ce7b_c907_15b3, 0x8f7e_32ce_7bea_5c70, 0xd5d2_38a4_abe9_8068, 0x9f4f_2726_179a_2245,
    0xed63_a231_d4c4_fb27, 0xb0de_6538_8cc8_ada8, 0x83c7_088e_1aab_65db, 0xc45d_1df9_4271_1d9a,
    0x924d_692c_a61b_e758, 0xda01_ee64_1a70_8dea, 0xa26d_a399_9aef_774a, 0xf209_787b_b47d_6b85,
    0xb454_e4a1_79dd_1877, 0x865b_8692_5b9b_c5c2, 0xc835_53c5_c896_5d3d, 0x952a_b45c_fa97_a0b3,
    0xde46_9fbd_99a0_5fe3, 0xa59b_c234_db39_8c25, 0xf6c6_9a72_a398_9f5c, 0xb7dc_bf53_54e9_bece,
    0x88fc_f317_f222_41e2, 0xcc20_ce9b_d35c_78a5, 0x9816_5af3_7b21_53df, 0xe2a0_b5dc_971f_303a,
    0xa8d9_d153_5ce3_b396, 0xfb9b_7cd9_a4a7_443c, 0xbb76_4c4c_a7a4_4410, 0x8bab_8eef_b640_9c1a,
    0xd01f_ef10_a657_842c, 0x9b10_a4e5_e991_3129, 0xe710_9bfb_a19c_0c9d, 0xac28_20d9_623b_f429,
    0x8044_4b5e_7aa7_cf85, 0xbf21_e440_03ac_dd2d, 0x8e67_9c2f_5e44_ff8f, 0xd433_179d_9c8c_b841,
    0x9e19_db92_b4e3_1ba9, 0xeb96_bf6e_badf_77d9, 0xaf87_023b_9bf0_ee6b,
];
