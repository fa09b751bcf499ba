//! Numbers as Python and orjson write them.
#![forbid(unsafe_code)]

use std::io::Write;

pub fn push_int(out: &mut Vec<u8>, value: i64) {
    let (mut digits, mut at, mut rest) = ([b'0'; 20], 20, value.unsigned_abs());
    while rest > 0 || at == 20 {
        at -= 1;
        digits[at] += (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(if value < 0 { b"-" } else { b"" });
    out.extend_from_slice(&digits[at..]);
}

/// A float as JSON, as orjson writes it: null for what JSON has no number for. Its versions differ in whether a positive
/// exponent has its sign, `power` is how the one installed begins it: "e" or "e+".
pub fn push_json(out: &mut Vec<u8>, value: Option<f64>, power: &str) {
    let Some(value) = value.filter(|value| value.is_finite()) else { return out.extend_from_slice(b"null") };
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(value).as_bytes();
    match text.iter().position(|&byte| byte == b'e') {
        Some(at) if text[at + 1] != b'-' => {
            [&text[..at], power.as_bytes(), &text[at + 1..]].into_iter().for_each(|part| out.extend_from_slice(part))
        }
        _ => out.extend_from_slice(text),
    }
}

/// A finite float as Python's repr writes it: the shortest decimal that reads back as the same float64. (The standard
/// library finds one as short, but of two equally near ones not always the even one.)
pub fn push_repr(out: &mut Vec<u8>, value: f64) {
    let shortest = Decimal::shortest(value);
    push_sign(out, value, b"");
    match shortest.power {
        -4..16 => shortest.push_fixed(out, 1.max(shortest.len as i32 - 1 - shortest.power)),
        _ => shortest.push_scientific(out),
    }
}

/// Python's `.4g`.
pub fn push_general(out: &mut Vec<u8>, value: f64) {
    const KEPT: i32 = 4;
    if !value.is_finite() {
        return push_formatted(out, format_args!("{value}"));
    }
    // A denormal has so few bits that its shortest decimal says less than four digits of it.
    let short = Decimal::shortest(value).rounded(KEPT).filter(|_| !value.is_subnormal());
    let kept = short.unwrap_or_else(|| Decimal::of(&format!("{:.*e}", KEPT as usize - 1, value.abs())));
    push_sign(out, value, b"");
    match kept.power {
        -4..KEPT => kept.push_fixed(out, (kept.len as i32 - 1 - kept.power).max(0)),
        _ => kept.push_scientific(out),
    }
}

/// Python's `.1%`.
pub fn push_percent(out: &mut Vec<u8>, value: f64) {
    push_tenths(out, value * 100.0, b"");
    out.push(b'%');
}

/// Python's `+.1f`.
pub fn push_signed(out: &mut Vec<u8>, value: f64) {
    push_tenths(out, value, b"+");
}

fn push_tenths(out: &mut Vec<u8>, value: f64, plus: &[u8]) {
    push_sign(out, value, plus);
    // Above, the neighbours of a float64 may be further apart than the digits asked for.
    let short = (value.abs() < 1e9).then(|| Decimal::shortest(value));
    match short.and_then(|short| short.rounded(short.power + 2)) {
        Some(rounded) => rounded.push_fixed(out, 1),
        None => push_formatted(out, format_args!("{:.1}", value.abs())),
    }
}

fn push_sign(out: &mut Vec<u8>, value: f64, plus: &[u8]) {
    out.extend_from_slice(if value.is_sign_negative() { b"-" } else { plus });
}

fn push_formatted(out: &mut Vec<u8>, text: std::fmt::Arguments) {
    let _ = out.write_fmt(text); // Memory takes everything.
}

/// A decimal without its sign. The first digit is not 0 and stands for 10^`power`, nor is the last; zero has none.
#[derive(Clone, Copy)]
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

    /// The float64 this is the shortest decimal of, rounded to so many digits; None where this is half way, since the
    /// float itself is then above, below or exactly there.
    ///
    /// Nowhere else does it matter that this is only near the float: if a decimal half way lay between the two, it would
    /// read back as the same float and be shorter, or as short and in one place with this.
    fn rounded(mut self, digits: i32) -> Option<Decimal> {
        if digits >= self.len as i32 {
            return Some(self);
        }
        if digits < 0 {
            return Some(Decimal::ZERO);
        }
        let (kept, cut) = self.digits[..self.len].split_at_mut(digits as usize);
        let up = match cut {
            [b'5'] => return None,
            _ => cut[0] >= b'5',
        };
        cut.fill(b'0');
        let mut len = kept.iter().rposition(|&digit| digit != if up { b'9' } else { b'0' }).map_or(0, |at| at + 1);
        if up {
            match len.checked_sub(1) {
                Some(last) => kept[last] += 1,
                None => {
                    (self.power, len) = (self.power + 1, 1);
                    self.digits[0] = b'1';
                }
            }
        }
        self.digits[len..].fill(b'0');
        self.len = len;
        Some(if len == 0 { Decimal::ZERO } else { self })
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
        out.extend_from_slice(if self.power.abs() < 10 { b"0" } else { b"" });
        push_int(out, self.power.abs().into());
    }
}
