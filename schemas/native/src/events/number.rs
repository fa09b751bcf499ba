//! Numbers of RFC 8259 text: integers where they are written as such and fit 64 bits, else correctly rounded floats.
#![forbid(unsafe_code)]

use crate::events::scalar::{Odd, Res, Scalar};

/// The number that `text` begins with, and its length; Odd when it rounds to infinity.
#[inline(always)]
pub fn number(text: &[u8]) -> Res<(usize, Scalar)> {
    let negative = text.first() == Some(&b'-');
    let first = usize::from(negative);
    let mut mantissa = Mantissa::default();
    let mut end = first + 1;
    match (text.get(first), text.get(end)) {
        // One digit and a point is what most features begin with.
        (Some(&digit @ b'0'..=b'9'), Some(b'.')) => mantissa.value = u64::from(digit - b'0'),
        (leading, _) => {
            end = digits(text, first, &mut mantissa);
            if end == first || (leading == Some(&b'0') && end > first + 1) {
                return Err(Odd);
            }
        }
    }
    let mut scale = 0i64;
    let integer = !matches!(text.get(end), Some(b'.' | b'e' | b'E'));
    if text.get(end) == Some(&b'.') {
        let point = end + 1;
        end = digits(text, point, &mut mantissa);
        if end == point {
            return Err(Odd);
        }
        scale = -((end - point) as i64);
    }
    if let Some(b'e' | b'E') = text.get(end) {
        let (after, power) = exponent(text, end + 1)?;
        (end, scale) = (after, scale.saturating_add(power));
    }
    if integer && !mantissa.too_long {
        match (negative, mantissa.value) {
            (false, value) => return Ok((end, Scalar::unsigned(value))),
            (true, value) if value <= 1 << 63 => return Ok((end, Scalar::int((value as i64).wrapping_neg()))),
            _ => {}
        }
    }
    Ok((end, float(&text[..end], negative, &mantissa, scale)?))
}

/// A number as most features are written, `-?d.d…` with up to seven decimals: where they begin, how many they are, and
/// the number; None for any other.
#[inline(always)]
pub fn short_decimal(text: &[u8; 11]) -> Option<(usize, usize, f64)> {
    let negative = text[0] == b'-';
    let first = usize::from(negative);
    let whole = text[first].wrapping_sub(b'0');
    if whole > 9 || text[first + 1] != b'.' {
        return None;
    }
    let word = u64::from_le_bytes(*text[first + 2..].first_chunk()?);
    let (count, number) = eight_digits(word);
    if count == 0 || count == 8 || matches!((word >> (8 * count)) as u8, b'e' | b'E') {
        return None;
    }
    let size = (u64::from(whole) * TENS[count] + number) as i64 as f64 / POWERS[count];
    Some((first + 2, count, with_sign(size, negative)))
}

/// How many decimals the next number will have: as many as the last one.
///
/// Where the next value begins is taken from it and only checked, so that the processor goes on there without waiting for
/// the digits of this one. Hence the two copies, of which the compiler must not know that they are the same.
#[derive(Clone, Copy, Default)]
pub struct Decimals {
    checked: usize,
    taken: usize,
}

impl Decimals {
    #[inline(always)]
    pub fn take(&mut self, count: usize) -> usize {
        if count != self.checked {
            *self = Decimals::other(count);
        }
        self.taken
    }

    #[cold]
    #[inline(never)]
    fn other(count: usize) -> Decimals {
        Decimals { checked: count, taken: std::hint::black_box(count) }
    }
}

/// The digits of a number without their point, unless there were too many for 64 bits.
#[derive(Default)]
struct Mantissa {
    value: u64,
    too_long: bool,
}

/// Below this eight more digits cannot overflow 64 bits.
const ROOM: u64 = 10_000_000_000;

static TENS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// Take digits from `at` on, up to eight at a time; where they end.
#[inline]
fn digits(text: &[u8], at: usize, mantissa: &mut Mantissa) -> usize {
    let mut end = at;
    while mantissa.value < ROOM {
        let Some(chunk) = text.get(end..end + 8) else { break };
        let word = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
        let (count, number) = eight_digits(word);
        mantissa.value = mantissa.value * TENS[count] + number;
        end += count;
        if count < 8 {
            return end;
        }
    }
    while let Some(digit) = text.get(end).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        match mantissa.value.checked_mul(10).and_then(|value| value.checked_add(digit.into())) {
            Some(value) => mantissa.value = value,
            None => mantissa.too_long = true,
        }
        end += 1;
    }
    end
}

/// How many of the eight bytes are digits before the first that is none, and the number they make.
#[inline]
fn eight_digits(word: u64) -> (usize, u64) {
    const HIGH: u64 = 0xf0f0_f0f0_f0f0_f0f0;
    // A digit has 3 in its high half, also after 6 was added; a carry only reaches bytes behind the first non-digit.
    let other = ((word & HIGH) | ((word.wrapping_add(0x0606_0606_0606_0606) & HIGH) >> 4)) ^ 0x3333_3333_3333_3333;
    let count = other.trailing_zeros() as usize / 8;
    if count == 0 {
        return (0, 0);
    }
    // The digits move to the high end, zeros come in before them; then pairs, fours and all eight are joined.
    let value = (word ^ 0x3030_3030_3030_3030) << (64 - 8 * count);
    let pairs = value.wrapping_mul(10).wrapping_add(value >> 8);
    let low = (pairs & 0x0000_00ff_0000_00ff).wrapping_mul(0x000f_4240_0000_0064);
    let high = ((pairs >> 16) & 0x0000_00ff_0000_00ff).wrapping_mul(0x0000_2710_0000_0001);
    (count, low.wrapping_add(high) >> 32)
}

/// What follows the letter e: where it ends, and its value.
fn exponent(text: &[u8], at: usize) -> Res<(usize, i64)> {
    let negative = text.get(at) == Some(&b'-');
    let first = at + usize::from(matches!(text.get(at), Some(b'-' | b'+')));
    let mut size = Mantissa::default();
    let end = digits(text, first, &mut size);
    if end == first {
        return Err(Odd);
    }
    let size = if size.too_long { 1 << 40 } else { size.value.min(1 << 40) as i64 };
    Ok((end, if negative { -size } else { size }))
}

/// Exact for what float64 holds exactly (Clinger 1990), and for all digits of any float64 as long as they fit 64 bits;
/// the rest is the standard library's correctly rounded parser.
#[inline]
fn float(text: &[u8], negative: bool, mantissa: &Mantissa, scale: i64) -> Res<Scalar> {
    if !mantissa.too_long && mantissa.value <= 1 << 53 && scale.unsigned_abs() <= 22 {
        let power = POWERS[scale.unsigned_abs() as usize];
        let size = mantissa.value as f64;
        let value = if scale < 0 { size / power } else { size * power };
        return Ok(Scalar::float(with_sign(value, negative)));
    }
    if let (false, 1.., Ok(places @ ..FIVES_MAX)) = (mantissa.too_long, mantissa.value, usize::try_from(-scale)) {
        let size = quotient(mantissa.value, places);
        return Ok(Scalar::float(with_sign(size, negative)));
    }
    let text = std::str::from_utf8(text).map_err(|_| Odd)?;
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Scalar::float(value)),
        _ => Err(Odd),
    }
}

/// The sign is as good as random in standardised features: set as a bit, it is no branch to mispredict.
#[inline(always)]
fn with_sign(size: f64, negative: bool) -> f64 {
    f64::from_bits(size.to_bits() | u64::from(negative) << 63)
}

/// `digits` / 10^`places`, correctly rounded; `digits` is not 0.
///
/// Both sides are moved to the top of 64 bits, so the integer quotient has at least 62 of its own, ten more than a
/// float64. Its last bit stands for whatever rest there is, and to make a float64 of it rounds once.
fn quotient(digits: u64, places: usize) -> f64 {
    let fives = FIVES[places];
    let (up, down) = (digits.leading_zeros(), fives.leading_zeros());
    let (dividend, divisor) = (u128::from(digits << up) << 63, u128::from(fives << down));
    let quotient = dividend / divisor;
    let whole = quotient as u64 | u64::from(dividend != quotient * divisor);
    // 10^places is 5^places times a power of two; no result is so small that it would lose bits.
    let exponent = 1023 - 63 + u64::from(down) - u64::from(up) - places as u64;
    whole as f64 * f64::from_bits(exponent << 52)
}

const FIVES_MAX: usize = 28;

/// Powers of five below 2^64.
static FIVES: [u64; FIVES_MAX] = {
    let mut powers = [1; FIVES_MAX];
    let mut i = 1;
    while i < FIVES_MAX {
        powers[i] = powers[i - 1] * 5;
        i += 1;
    }
    powers
};

/// A static, since to index a constant array may copy all of it first.
static POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];
