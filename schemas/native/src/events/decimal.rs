//! Numbers as Python writes them.
#![forbid(unsafe_code)]

use std::io::Write;

/// A finite float as Python's repr writes it: the shortest decimal that reads back as the same float64. (The standard
/// library finds one as short, but of two equally near ones not always the even one.)
pub fn push_repr(out: &mut Vec<u8>, value: f64) {
    let shortest = Decimal::shortest(value);
    out.extend_from_slice(if value.is_sign_negative() { b"-" } else { b"" });
    match shortest.power {
        -4..16 => shortest.push_fixed(out, 1.max(shortest.len as i32 - 1 - shortest.power)),
        _ => shortest.push_scientific(out),
    }
}

/// A decimal without its sign. The first digit is not 0 and stands for 10^`power`, nor is the last; zero has none.
struct Decimal {
    digits: [u8; DIGITS],
    len: usize,
    power: i32,
}

/// As many as a float64 needs.
const DIGITS: usize = 17;

impl Decimal {
    const ZERO: Decimal = Decimal { digits: [b'0'; DIGITS], len: 0, power: 0 };

    /// The decimal of a text as `12.3` or `1.23e-4`, of at most 17 digits that count.
    fn of(text: &str) -> Decimal {
        let (mantissa, power) = text.split_once('e').unwrap_or((text, "0"));
        let mut decimal = Decimal { power: power.parse().unwrap_or_default(), ..Decimal::ZERO };
        let (mut step, mut kept) = (1, 0);
        decimal.power -= 1;
        for &byte in mantissa.as_bytes() {
            if byte == b'.' {
                step = 0;
                continue;
            }
            // Digits before the point raise the power of the first, zeros before the first lower it.
            decimal.power += step;
            if kept > 0 || byte != b'0' {
                decimal.digits[kept] = byte;
                kept += 1;
                decimal.len = if byte == b'0' { decimal.len } else { kept };
            } else {
                decimal.power -= 1;
            }
        }
        if decimal.len == 0 { Decimal::ZERO } else { decimal }
    }

    /// The shortest that reads back as the same finite float64.
    fn shortest(value: f64) -> Decimal {
        Decimal::of(ryu::Buffer::new().format_finite(value.abs()))
    }

    /// With so many digits behind the point, and without a point if there are none.
    fn push_fixed(&self, out: &mut Vec<u8>, decimals: i32) {
        let digit = |power: i32| self.digits[..self.len].get((self.power - power) as usize).copied().unwrap_or(b'0');
        out.extend((0..=self.power.max(0)).rev().map(digit));
        out.extend_from_slice(if decimals > 0 { b"." } else { b"" });
        out.extend((1..=decimals).map(|place| digit(-place)));
    }

    fn push_scientific(&self, out: &mut Vec<u8>) {
        out.push(self.digits[0]);
        out.extend_from_slice(if self.len > 1 { b"." } else { b"" });
        out.extend_from_slice(&self.digits[1..self.len.max(1)]);
        out.extend_from_slice(if self.power < 0 { b"e-" } else { b"e+" });
        let _ = write!(out, "{:02}", self.power.abs()); // Memory takes everything.
    }
}
