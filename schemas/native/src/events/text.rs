//! From one JSON value to what a column holds, as `schemas/events/convert.py` has it: texts, times and ids.
#![forbid(unsafe_code)]

use xxhash_rust::xxh3::xxh3_64;

use crate::events::scalar::{Odd, Res};

/// As in `schemas/events/convert.py`.
pub const NAME_MAX: usize = 256;
pub const TEXT_MAX: usize = 256;
pub const TIME_MAX_MS: i64 = 7_289_654_400_000;

/// At most `NAME_MAX` characters.
pub fn is_name(text: &[u8]) -> bool {
    text.len() <= NAME_MAX || std::str::from_utf8(text).is_ok_and(|text| text.chars().count() <= NAME_MAX)
}

/// The first `TEXT_MAX` characters.
pub fn beginning(text: &[u8]) -> &[u8] {
    if text.len() <= TEXT_MAX {
        return text;
    }
    match std::str::from_utf8(text).map(|text| text.char_indices().nth(TEXT_MAX)) {
        Ok(Some((end, _))) => &text[..end],
        _ => text,
    }
}

/// 64 bits that stand for an event id; the empty text counts as none.
pub fn id_hash(text: &[u8]) -> u64 {
    if text.is_empty() {
        return 0;
    }
    xxh3_64(text).max(1)
}

fn in_range(time_ms: i64) -> Res<i64> {
    if (0..TIME_MAX_MS).contains(&time_ms) { Ok(time_ms) } else { Err(Odd) }
}

/// Milliseconds of an epoch number in s, ms, us or ns; an integer is cut.
pub fn epoch_of_int(value: i128) -> Res<i64> {
    let ms = match value {
        ..0 => return Err(Odd),
        0..10_000_000_000 => value * 1000,
        10_000_000_000..10_000_000_000_000 => value,
        10_000_000_000_000..10_000_000_000_000_000 => value / 1000,
        _ => value / 1_000_000,
    };
    in_range(i64::try_from(ms).map_err(|_| Odd)?)
}

/// The same of a float, which is rounded, half to even.
pub fn epoch_of_float(value: f64) -> Res<i64> {
    let ms = if value < 0.0 {
        return Err(Odd);
    } else if value < 1e10 {
        value * 1000.0
    } else if value < 1e13 {
        value
    } else if value < 1e16 {
        value / 1000.0
    } else if value < 18_446_744_073_709_551_616.0 {
        value / 1_000_000.0
    } else {
        return Err(Odd);
    };
    in_range(ms.round_ties_even() as i64)
}

/// Milliseconds of an RFC 3339 text with a zone, cut.
pub fn rfc3339_ms(text: &[u8]) -> Res<i64> {
    let number = |from: usize, to: usize| -> Res<i64> {
        let digits = text.get(from..to).ok_or(Odd)?;
        digits.iter().try_fold(0, |n, d| if d.is_ascii_digit() { Ok(n * 10 + i64::from(d - b'0')) } else { Err(Odd) })
    };
    let is = |at: usize, any: &[u8]| text.get(at).is_some_and(|byte| any.contains(byte));
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let marks = is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":");
    if !marks || year == 0 || !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 59 {
        return Err(Odd);
    }
    if day == 0 || day > days_of_month(year, month) {
        return Err(Odd);
    }
    let (mut at, mut ms) = (19, 0);
    if is(19, b".") {
        let fraction = text[20..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if fraction == 0 {
            return Err(Odd);
        }
        ms = (0..3).fold(0, |ms, i| ms * 10 + if i < fraction { i64::from(text[20 + i] - b'0') } else { 0 });
        at = 20 + fraction;
    }
    let zone_s = if is(at, b"Zz") && text.len() == at + 1 {
        0
    } else if is(at, b"+-") && is(at + 3, b":") && text.len() == at + 6 {
        let (hours, minutes) = (number(at + 1, at + 3)?, number(at + 4, at + 6)?);
        if hours > 23 || minutes > 59 {
            return Err(Odd);
        }
        (hours * 3600 + minutes * 60) * if is(at, b"-") { -1 } else { 1 }
    } else {
        return Err(Odd);
    };
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - zone_s;
    in_range(seconds * 1000 + ms)
}

fn days_of_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the proleptic Gregorian calendar, years counted from March so that the leap day comes last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (month * 153 + 2) / 5 + day - 1 - 719_468
}
