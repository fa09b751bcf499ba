//! One packed record of events, as `schemas/events/packed.py` has it: how its columns are written, and read again.
#![forbid(unsafe_code)]

use xxhash_rust::xxh3::xxh3_64;

const MAGIC: &[u8] = b"DRFE";
const FORMAT: u16 = 2;
/// Magic, format, checksum.
pub const HEAD: usize = 4 + 2 + 8;
/// Flags and eight counts.
const HEADER: usize = 1 + 8 * 4;
const COLUMN: usize = 1 + 8;
pub const RETAINED: u8 = 1;
pub const ROWS: u8 = 2;
pub const ALIKE: u8 = 4;
const EVENTS_MAX: usize = 1 << 20;
const CODES_MAX: i64 = (1 << 31) - 1;
const OFFSET_MAX: i64 = CODES_MAX << 32;

/// A column of whole numbers: the width of its entries, the least, and what each is above that.
pub fn put_whole<T: Copy + Into<i64>>(out: &mut Vec<u8>, column: &[T], least: u8) {
    let mut values = column.iter().map(|&value| value.into());
    let first = values.next().unwrap_or_default();
    let (low, high) = values.fold((first, first), |(low, high): (i64, i64), value| (low.min(value), high.max(value)));
    let width = match high.wrapping_sub(low) as u64 {
        0 => 0,
        1..0x100 => 1,
        0x100..0x1_0000 => 2,
        0x1_0000..0x1_0000_0000 => 4,
        0x1_0000_0000.. => 8,
    }
    .max(least);
    out.push(width);
    out.extend(low.to_le_bytes());
    let above = column.iter().map(|&value| value.into().wrapping_sub(low));
    match width {
        0 => {}
        1 => out.extend(above.map(|value| value as u8)),
        2 => put_each(out, above.map(|value| (value as u16).to_le_bytes())),
        4 => put_each(out, above.map(|value| (value as u32).to_le_bytes())),
        _ => put_each(out, above.map(i64::to_le_bytes)),
    }
}

/// The bytes of each, one after the other.
pub fn put_each<const WIDTH: usize>(out: &mut Vec<u8>, cells: impl ExactSizeIterator<Item = [u8; WIDTH]>) {
    let begin = out.len();
    out.resize(begin + WIDTH * cells.len(), 0);
    out[begin..].chunks_exact_mut(WIDTH).zip(cells).for_each(|(place, cell)| place.copy_from_slice(&cell));
}

/// What stands before the columns; the head is left open until all is there.
pub fn begin(flags: u8, counts: [usize; 8]) -> Vec<u8> {
    let mut out = vec![0; HEAD];
    out.push(flags);
    counts.iter().for_each(|&count| out.extend((count as u32).to_le_bytes()));
    out
}

/// Write the head, now that all is there.
pub fn seal(out: &mut [u8]) {
    let digest = xxh3_64(&out[HEAD..]).to_be_bytes();
    out[..4].copy_from_slice(MAGIC);
    out[4..6].copy_from_slice(&FORMAT.to_be_bytes());
    out[6..HEAD].copy_from_slice(&digest);
}

/// The checksum holds, but the parts do not fit together.
#[derive(Debug)]
pub struct Misfit;
type Fit<T> = Result<T, Misfit>;

fn holds(fits: bool) -> Fit<()> {
    if fits { Ok(()) } else { Err(Misfit) }
}

/// A column of whole numbers where it lies; none is below zero, or above what it may be.
pub struct Whole<'a> {
    bytes: &'a [u8],
    width: usize,
    base: i64,
    pub count: usize,
}

/// An entry of that width, or of eight bytes.
#[inline(always)]
fn cell<const WIDTH: usize>(bytes: &[u8]) -> [u8; WIDTH] {
    bytes.first_chunk().copied().unwrap_or([0; WIDTH])
}

impl Whole<'_> {
    /// Append what `make` makes of each.
    #[inline(always)]
    pub fn extend<T: Copy>(&self, into: &mut Vec<T>, make: impl Fn(i64) -> T) {
        let (bytes, base) = (self.bytes, self.base);
        match self.width {
            0 => into.resize(into.len() + self.count, make(if self.count > 0 { base } else { 0 })),
            1 => into.extend(bytes.iter().map(|&above| make(base + i64::from(above)))),
            2 => into.extend(bytes.chunks_exact(2).map(|two| make(base + i64::from(u16::from_le_bytes(cell(two)))))),
            4 => into.extend(bytes.chunks_exact(4).map(|four| make(base + i64::from(u32::from_le_bytes(cell(four)))))),
            _ => into.extend(bytes.chunks_exact(8).map(|all| make(base.wrapping_add(i64::from_le_bytes(cell(all)))))),
        }
    }

    fn values(&self) -> Vec<i64> {
        let mut values = Vec::with_capacity(self.count);
        self.extend(&mut values, |value| value);
        values
    }

    /// The most that an entry is above the least.
    fn above(&self) -> u64 {
        let bytes = self.bytes;
        match self.width {
            0 => 0,
            1 => bytes.iter().fold(0, |most, &value| most.max(value)).into(),
            2 => bytes.chunks_exact(2).fold(0, |most, two| most.max(u16::from_le_bytes(cell(two)))).into(),
            4 => bytes.chunks_exact(4).fold(0, |most, four| most.max(u32::from_le_bytes(cell(four)))).into(),
            _ => bytes.chunks_exact(8).fold(0, |most, all| most.max(u64::from_le_bytes(cell(all)))),
        }
    }
}

/// Names, values or texts of a table, and how many each event has.
pub struct Table<'a> {
    pub name: Whole<'a>,
    /// Names stand there once, and are those of each event.
    pub alike: bool,
    pub value: &'a [u8],
    pub text: Option<Whole<'a>>,
    pub each: Vec<i64>,
}

/// One record, of which everything holds.
pub struct Packed<'a> {
    pub retained: bool,
    pub partition: i32,
    pub count: usize,
    pub event_id: &'a [u8],
    pub offsets: Vec<i64>,
    pub times_ms: Whole<'a>,
    pub model: Whole<'a>,
    pub version: Whole<'a>,
    pub rows: Option<Whole<'a>>,
    pub numbers: Table<'a>,
    pub texts: Table<'a>,
    pub nulls: Table<'a>,
    pub odd: Vec<(i64, i64)>,
    pub topic: &'a str,
    pub names: Vec<&'a str>,
    pub strings: Vec<&'a str>,
    pub fields: Vec<&'a str>,
}

/// What stands beyond the bytes: times are before this, reasons of odd fields below that.
pub type Limits = (i64, usize);

/// Takes columns off the bytes, one after the other.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn raw(&mut self, count: usize, width: usize) -> Fit<&'a [u8]> {
        let size = count.checked_mul(width).ok_or(Misfit)?;
        let (taken, rest) = self.rest.split_at_checked(size).ok_or(Misfit)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next column of whole numbers, none of which is above `most`.
    fn whole(&mut self, count: usize, most: i64, least: usize) -> Fit<Whole<'a>> {
        let head = self.raw(1, COLUMN)?;
        let (width, base) = (head[0] as usize, i64::from_le_bytes(cell(&head[1..])));
        holds(matches!(width, 0 | 1 | 2 | 4 | 8) && width >= least && base >= 0)?;
        let column = Whole { bytes: self.raw(count, width)?, width, base, count };
        holds(count == 0 || base.checked_add_unsigned(column.above()).is_some_and(|highest| highest <= most))?;
        Ok(column)
    }

    fn each(&mut self, events: usize, length: usize) -> Fit<Vec<i64>> {
        let each = self.whole(events, length as i64, 0)?.values();
        holds(each.iter().sum::<i64>() == length as i64)?;
        Ok(each)
    }

    fn texts(&self, lengths: &[i64]) -> Fit<Vec<&'a str>> {
        holds(lengths.iter().sum::<i64>() == self.rest.len() as i64)?;
        let (mut rest, mut texts) = (self.rest, Vec::with_capacity(lengths.len()));
        for &length in lengths {
            let (text, others) = rest.split_at_checked(length as usize).ok_or(Misfit)?;
            texts.push(std::str::from_utf8(text).map_err(|_| Misfit)?);
            rest = others;
        }
        Ok(texts)
    }
}

/// How many events, numbers, texts and nulls a record says it has, as far as it has bytes for them.
pub fn claimed(value: &[u8]) -> [usize; 4] {
    let count =
        |place: usize| value.get(HEAD + 1 + 4 * place..).map_or(0, |four| u32::from_le_bytes(cell(four)) as usize);
    let length = value.len();
    [count(1).min(length / 8), count(2).min(length / 8), count(3).min(length), count(4).min(length)]
}

/// The events of a record, or why it is none, in words.
pub fn read<'a>(value: &'a [u8], limits: Limits) -> Result<Packed<'a>, String> {
    let length = value.len();
    if length < HEAD + HEADER {
        return Err(format!("{length} bytes cannot be a packed record"));
    }
    let format = u16::from_be_bytes(cell(&value[4..]));
    if &value[..4] != MAGIC {
        return Err("not a packed record".to_owned());
    }
    if format != FORMAT {
        return Err(format!("packed records of format {format}; this version reads format {FORMAT}"));
    }
    if xxh3_64(&value[HEAD..]) != u64::from_be_bytes(cell(&value[6..])) {
        return Err("checksum does not match".to_owned());
    }
    body(&value[HEAD..], limits).map_err(|Misfit| "the checksum holds, but the parts do not fit together".to_owned())
}

fn body<'a>(bytes: &'a [u8], (time_end, reasons): Limits) -> Fit<Packed<'a>> {
    let (header, rest) = bytes.split_at(HEADER);
    let flags = header[0];
    let mut counts = [0; 8];
    counts.iter_mut().zip(header[1..].chunks_exact(4)).for_each(|(count, four)| {
        *count = u32::from_le_bytes(cell(four)) as usize;
    });
    let [partition, count, numbers, texts, nulls, names, strings, odd] = counts;
    holds(flags <= RETAINED | ROWS | ALIKE && partition as i64 <= CODES_MAX && 0 < count && count <= EVENTS_MAX)?;
    let mut reader = Reader { rest };
    let lengths = reader.whole(1 + names + strings + odd, rest.len() as i64, 1)?.values();
    let event_id = reader.raw(count, 8)?;
    let offsets = reader.whole(count, OFFSET_MAX, 0)?.values();
    holds(offsets.is_sorted())?;
    let times_ms = reader.whole(count, time_end - 1, 0)?;
    let model = reader.whole(count, strings as i64 - 1, 0)?;
    let version = reader.whole(count, strings as i64, 0)?;
    let rows = if flags & ROWS != 0 { Some(reader.whole(count, CODES_MAX, 0)?) } else { None };
    let alike = flags & ALIKE != 0;
    holds(!alike || numbers % count == 0)?;
    let name = reader.whole(if alike { numbers / count } else { numbers }, names as i64 - 1, 1)?;
    let value = reader.raw(numbers, 8)?;
    holds(finite(value))?;
    let each = reader.each(count, numbers)?;
    holds(!alike || each.iter().all(|&own| own == each[0]))?;
    let numbers = Table { name, alike, value, text: None, each };
    let (name, text) = (reader.whole(texts, names as i64 - 1, 1)?, reader.whole(texts, strings as i64 - 1, 0)?);
    let texts = Table { name, alike: false, value: &[], text: Some(text), each: reader.each(count, texts)? };
    let name = reader.whole(nulls, names as i64 - 1, 1)?;
    let nulls = Table { name, alike: false, value: &[], text: None, each: reader.each(count, nulls)? };
    let odd_event = reader.whole(odd, count as i64 - 1, 0)?.values();
    let reason = reader.whole(odd, reasons as i64 - 1, 0)?.values();
    holds(odd_event.is_sorted())?;
    let mut all = reader.texts(&lengths)?.into_iter();
    let topic = all.next().ok_or(Misfit)?;
    Ok(Packed {
        retained: flags & RETAINED != 0,
        partition: partition as i32,
        count,
        event_id,
        offsets,
        times_ms,
        model,
        version,
        rows,
        numbers,
        texts,
        nulls,
        odd: odd_event.into_iter().zip(reason).collect(),
        topic,
        names: all.by_ref().take(names).collect(),
        strings: all.by_ref().take(strings).collect(),
        fields: all.collect(),
    })
}

/// Whether all of these are numbers: the exponent of what is none has all its bits set, with one more it overflows.
fn finite(values: &[u8]) -> bool {
    const EXPONENT: u64 = f64::INFINITY.to_bits();
    const ONE: u64 = EXPONENT & EXPONENT.wrapping_neg();
    let bits = values.chunks_exact(8).map(|eight| u64::from_le_bytes(cell(eight)));
    bits.fold(0, |highest, bits| highest | ((bits & EXPONENT) + ONE)) >> 63 == 0
}

/// Append eight bytes of each.
pub fn eights<T>(bytes: &[u8], into: &mut Vec<T>, make: impl Fn([u8; 8]) -> T) {
    into.extend(bytes.chunks_exact(8).map(|eight| make(cell(eight))));
}
