//! A strict scanner of RFC 8259 text. It stops at the first thing it is not sure of, and Python decides about that.
#![forbid(unsafe_code)]

use crate::events::number::number;
use crate::events::scalar::{Kind, Odd, Res, Scalar};

/// Depth at which a document is strange.
const DEPTH_MAX: u32 = 100;

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

#[derive(Clone, Copy)]
pub struct Scanner<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
}

impl<'a> Scanner<'a> {
    /// From the beginning of a payload.
    pub fn new(bytes: &'a [u8]) -> Scanner<'a> {
        Scanner { bytes, at: 0 }
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
        let end = self.plain_end(start)?;
        match self.bytes.get(end) {
            Some(b'"') => {
                self.at = end + 1;
                Ok(Scalar::text(Kind::Text, start, end))
            }
            Some(b'\\') => self.unescape(start, end, arena),
            _ => Err(Odd),
        }
    }

    /// The first quote, backslash or control character from `at` on; the length if there is none. What is before it is
    /// UTF-8: outside of strings nothing but ASCII is taken anyway.
    #[inline]
    fn plain_end(&self, at: usize) -> Res<usize> {
        let (end, ascii) = self.stop(at);
        // Nearly all strings are ASCII, which is seen on the way.
        if ascii || std::str::from_utf8(&self.bytes[at..end]).is_ok() { Ok(end) } else { Err(Odd) }
    }

    /// The same, eight bytes at a time, and whether all bytes that were looked at are ASCII.
    #[inline]
    fn stop(&self, mut at: usize) -> (usize, bool) {
        let mut seen = 0;
        const ONES: u64 = u64::MAX / 255;
        const HIGHS: u64 = ONES * 0x80;
        while let Some(chunk) = self.bytes.get(at..at + 8) {
            let word = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
            let zero = |x: u64| x.wrapping_sub(ONES) & !x;
            let control = word.wrapping_sub(ONES * 0x20) & !word;
            let stop = (zero(word ^ (ONES * 0x22)) | zero(word ^ (ONES * 0x5c)) | control) & HIGHS;
            seen |= word;
            if stop != 0 {
                // A borrow can only mark bytes above a true one, so the lowest mark is true.
                return (at + stop.trailing_zeros() as usize / 8, seen & HIGHS == 0);
            }
            at += 8;
        }
        while let Some(&byte) = self.bytes.get(at).filter(|&&byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
            seen |= u64::from(byte);
            at += 1;
        }
        (at, seen & HIGHS == 0)
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
            let end = self.plain_end(at)?;
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

    #[inline]
    pub fn number(&mut self) -> Res<Scalar> {
        let (length, value) = number(&self.bytes[self.at..])?;
        self.at += length;
        Ok(value)
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
