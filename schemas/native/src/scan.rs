//! A strict scanner of RFC 8259 text. It stops at the first thing it is not sure of, and Python decides about that.
#![forbid(unsafe_code)]

/// Not for this decoder: a broken event, or one too strange to be worth the code. The Python decoder has the last word.
#[derive(Debug)]
pub struct Odd;

pub type Res<T> = Result<T, Odd>;

/// Depth at which a document is strange.
const DEPTH_MAX: u32 = 100;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    #[default]
    Absent,
    Null,
    Bool,
    Int,
    UInt,
    Float,
    /// Bytes of the payload.
    Text,
    /// Bytes of the arena: a text that had to be made (escapes, keys and headers).
    Made,
}

/// A value that is no container. Kind and bits travel in two registers; an enum with data would go through memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scalar {
    pub kind: Kind,
    bits: u64,
}

impl Scalar {
    pub const ABSENT: Scalar = Scalar { kind: Kind::Absent, bits: 0 };
    pub const NULL: Scalar = Scalar { kind: Kind::Null, bits: 0 };

    pub fn bool(value: bool) -> Scalar {
        Scalar { kind: Kind::Bool, bits: value.into() }
    }

    #[inline]
    pub fn int(value: i64) -> Scalar {
        Scalar { kind: Kind::Int, bits: value as u64 }
    }

    #[inline]
    pub fn float(value: f64) -> Scalar {
        Scalar { kind: Kind::Float, bits: value.to_bits() }
    }

    #[inline]
    pub fn text(kind: Kind, start: usize, end: usize) -> Scalar {
        Scalar { kind, bits: (start as u64) << 32 | end as u64 }
    }

    /// An integer of either sign.
    pub fn whole(self) -> i128 {
        if self.kind == Kind::Int { (self.bits as i64).into() } else { self.bits.into() }
    }

    pub fn truth(self) -> bool {
        self.bits != 0
    }

    pub fn range(self) -> std::ops::Range<usize> {
        (self.bits >> 32) as usize..(self.bits & 0xffff_ffff) as usize
    }

    #[inline]
    pub fn number(self) -> Option<f64> {
        match self.kind {
            Kind::Float => Some(f64::from_bits(self.bits)),
            Kind::Int => Some(self.bits as i64 as f64),
            Kind::UInt => Some(self.bits as f64),
            _ => None,
        }
    }

    pub fn is_none(self) -> bool {
        matches!(self.kind, Kind::Absent | Kind::Null)
    }
}

/// A text as it stands in raw JSON, ready to be compared with what is at hand: most keys fit one machine word.
#[derive(Clone, Copy, Default)]
pub struct Head {
    word: u64,
    mask: u64,
}

impl Head {
    /// The first bytes of a text and its closing quote.
    pub fn of(text: &[u8]) -> Head {
        let mut bytes = [0; 8];
        let mut mask = [0; 8];
        for (i, byte) in text.iter().chain(b"\"").take(8).enumerate() {
            (bytes[i], mask[i]) = (*byte, 0xff);
        }
        Head { word: u64::from_le_bytes(bytes), mask: u64::from_le_bytes(mask) }
    }

    /// Whether `quoted` (from its opening quote on) is the text of this head, which is given too, and nothing else.
    #[inline]
    pub fn matches(self, text: &[u8], quoted: &[u8]) -> bool {
        if let Some(chunk) = quoted.get(1..9) {
            let same = (u64::from_le_bytes(chunk.try_into().unwrap_or_default()) & self.mask) == self.word;
            if !same || text.len() < 8 {
                return same;
            }
        }
        quoted.get(1..1 + text.len()) == Some(text) && quoted.get(1 + text.len()) == Some(&b'"')
    }
}

pub struct Scanner<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
}

impl<'a> Scanner<'a> {
    /// Of a payload; its bytes must be UTF-8 throughout, skipped parts too.
    pub fn new(bytes: &'a [u8]) -> Res<Scanner<'a>> {
        std::str::from_utf8(bytes).map_err(|_| Odd)?;
        Ok(Scanner { bytes, at: 0 })
    }

    /// The byte at hand; at the end 0, which is no token.
    #[inline]
    pub fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    /// The next byte that is no white space, not yet taken.
    #[inline]
    pub fn token(&mut self) -> u8 {
        loop {
            match self.peek() {
                b' ' | b'\n' | b'\t' | b'\r' => self.at += 1,
                byte => return byte,
            }
        }
    }

    #[inline]
    pub fn expect(&mut self, byte: u8) -> Res<()> {
        if self.token() != byte {
            return Err(Odd);
        }
        self.at += 1;
        Ok(())
    }

    /// After a value: true when another follows, false when `close` ends the container.
    #[inline]
    pub fn more(&mut self, close: u8) -> Res<bool> {
        let byte = self.token();
        self.at += 1;
        match byte {
            b',' => Ok(true),
            _ if byte == close => Ok(false),
            _ => Err(Odd),
        }
    }

    /// From `{` or `[` to the first member; true when there is none.
    #[inline]
    pub fn enter_empty(&mut self, close: u8) -> bool {
        self.at += 1;
        let empty = self.token() == close;
        self.at += usize::from(empty);
        empty
    }

    /// A string, from its opening quote on. What has escapes is written to the arena.
    pub fn string(&mut self, arena: &mut Vec<u8>) -> Res<Scalar> {
        let start = self.at + 1;
        let end = self.plain_end(start);
        match self.bytes.get(end) {
            Some(b'"') => {
                self.at = end + 1;
                Ok(Scalar::text(Kind::Text, start, end))
            }
            Some(b'\\') => self.unescape(start, end, arena),
            _ => Err(Odd),
        }
    }

    /// The first quote, backslash or control character from `at` on, eight bytes at a time; the length if there is none.
    #[inline]
    fn plain_end(&self, mut at: usize) -> usize {
        const ONES: u64 = u64::MAX / 255;
        const HIGHS: u64 = ONES * 0x80;
        while let Some(chunk) = self.bytes.get(at..at + 8) {
            let word = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
            let zero = |x: u64| x.wrapping_sub(ONES) & !x;
            let control = word.wrapping_sub(ONES * 0x20) & !word;
            let stop = (zero(word ^ (ONES * 0x22)) | zero(word ^ (ONES * 0x5c)) | control) & HIGHS;
            if stop != 0 {
                // A borrow can only mark bytes above a true one, so the lowest mark is true.
                return at + stop.trailing_zeros() as usize / 8;
            }
            at += 8;
        }
        while self.bytes.get(at).is_some_and(|&byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
            at += 1;
        }
        at
    }

    /// The string that begins at `start` and has its first backslash at `at`.
    fn unescape(&mut self, start: usize, mut at: usize, arena: &mut Vec<u8>) -> Res<Scalar> {
        let begin = arena.len();
        arena.extend_from_slice(&self.bytes[start..at]);
        loop {
            match self.bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => at = self.escape(at + 1, arena)?,
                _ => return Err(Odd),
            }
            let end = self.plain_end(at);
            arena.extend_from_slice(&self.bytes[at..end]);
            at = end;
        }
        self.at = at + 1;
        Ok(Scalar::text(Kind::Made, begin, arena.len()))
    }

    /// One escape, from the byte after its backslash; where the text goes on.
    fn escape(&self, at: usize, arena: &mut Vec<u8>) -> Res<usize> {
        let plain = match self.bytes.get(at).ok_or(Odd)? {
            b'u' => return self.code_point(at + 1, arena),
            b'"' => b'"',
            b'\\' => b'\\',
            b'/' => b'/',
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            _ => return Err(Odd),
        };
        arena.push(plain);
        Ok(at + 1)
    }

    /// Four hex digits, or two times four for a pair of surrogates; a lone surrogate is no text.
    fn code_point(&self, at: usize, arena: &mut Vec<u8>) -> Res<usize> {
        let (first, mut end) = (self.hex4(at)?, at + 4);
        let mut code = first;
        if (0xd800..0xdc00).contains(&first) {
            if self.bytes.get(end..end + 2) != Some(b"\\u") {
                return Err(Odd);
            }
            let second = self.hex4(end + 2)?;
            if !(0xdc00..0xe000).contains(&second) {
                return Err(Odd);
            }
            code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            end += 6;
        }
        let char = char::from_u32(code).ok_or(Odd)?;
        arena.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(end)
    }

    fn hex4(&self, at: usize) -> Res<u32> {
        let digits = self.bytes.get(at..at + 4).ok_or(Odd)?;
        digits.iter().try_fold(0, |code, &digit| Ok(code * 16 + (digit as char).to_digit(16).ok_or(Odd)?))
    }

    /// A value that is no container.
    #[inline]
    pub fn scalar(&mut self, arena: &mut Vec<u8>) -> Res<Scalar> {
        match self.token() {
            b'"' => self.string(arena),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.literal(b"true", Scalar::bool(true)),
            b'f' => self.literal(b"false", Scalar::bool(false)),
            b'n' => self.literal(b"null", Scalar::NULL),
            _ => Err(Odd),
        }
    }

    fn literal(&mut self, text: &[u8], value: Scalar) -> Res<Scalar> {
        if !self.bytes[self.at..].starts_with(text) {
            return Err(Odd);
        }
        self.at += text.len();
        Ok(value)
    }

    /// A number: an integer where it is written as one and fits 64 bits, else a float; Odd when it rounds to infinity.
    #[inline]
    pub fn number(&mut self) -> Res<Scalar> {
        let text = &self.bytes[self.at..];
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
        self.at += end;
        if integer && !mantissa.too_long {
            match (negative, mantissa.value) {
                (false, value) => return Ok(i64::try_from(value).map_or(Scalar { kind: Kind::UInt, bits: value }, Scalar::int)),
                (true, value) if value <= 1 << 63 => return Ok(Scalar::int((value as i64).wrapping_neg())),
                _ => {}
            }
        }
        float(&text[..end], negative, &mantissa, scale)
    }

    /// Over a value of any kind, checking all of it.
    pub fn skip(&mut self, arena: &mut Vec<u8>, depth: u32) -> Res<()> {
        if depth > DEPTH_MAX {
            return Err(Odd);
        }
        match self.token() {
            b'{' => {
                if self.enter_empty(b'}') {
                    return Ok(());
                }
                loop {
                    if self.token() != b'"' {
                        return Err(Odd);
                    }
                    self.string(arena)?;
                    self.expect(b':')?;
                    self.skip(arena, depth + 1)?;
                    if !self.more(b'}')? {
                        return Ok(());
                    }
                }
            }
            b'[' => {
                if self.enter_empty(b']') {
                    return Ok(());
                }
                loop {
                    self.skip(arena, depth + 1)?;
                    if !self.more(b']')? {
                        return Ok(());
                    }
                }
            }
            _ => self.scalar(arena).map(|_| ()),
        }
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

const TENS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

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

/// Exact for what float64 holds exactly (Clinger 1990); the rest is the standard library's correctly rounded parser.
#[inline]
fn float(text: &[u8], negative: bool, mantissa: &Mantissa, scale: i64) -> Res<Scalar> {
    if !mantissa.too_long && mantissa.value <= 1 << 53 && scale.unsigned_abs() <= 22 {
        let power = POWERS[scale.unsigned_abs() as usize];
        let size = mantissa.value as f64;
        let value = if scale < 0 { size / power } else { size * power };
        // The sign is as good as random in standardised features: set as a bit, it is no branch to mispredict.
        return Ok(Scalar::float(f64::from_bits(value.to_bits() | u64::from(negative) << 63)));
    }
    let text = std::str::from_utf8(text).map_err(|_| Odd)?;
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Scalar::float(value)),
        _ => Err(Odd),
    }
}

const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];
