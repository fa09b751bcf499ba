//! The shapes of events: what stands between their values. A producer's events mostly differ in their values only, so
//! the next one is read as the literals of a known shape and the scalars between them, without a look at any key.
//!
//! A payload fits a shape exactly when its literals are those bytes and what is between them are scalars; then it says
//! the same as the event the shape was learned from, but for those scalars. Whatever fits no shape is parsed.
#![forbid(unsafe_code)]

use crate::events::names::Names;
use crate::events::scalar::{Odd, Res};

/// Shapes kept; more producers than that in one partition take turns.
const SHAPES_MAX: usize = 16;
/// Longest literal text of a shape, and most values: beyond them an event is parsed every time.
const LITERAL_BYTES_MAX: usize = 1 << 16;
const VALUES_MAX: usize = 2048;

/// Where a value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goes {
    /// Nobody reads it; it may be of any kind, containers too.
    Nowhere,
    /// Nobody reads it, as long as it is no container.
    Leaf,
    Slot(u32),
    /// A feature, and its name.
    Feature(u32),
    /// One of an array of numbers, which is no text.
    Entry(u32),
    /// A member of another container, and its name.
    Member(u32, u32),
}

/// A value as the parser met it.
#[derive(Clone, Copy)]
pub struct Met {
    pub start: usize,
    pub end: usize,
    pub goes: Goes,
}

/// Bytes between two values. The first sixteen are compared as two words.
#[derive(Clone, Copy)]
pub struct Literal {
    words: [u64; 2],
    masks: [u64; 2],
    start: u32,
    end: u32,
}

const WORDS: usize = 16;

/// The eight bytes at `at`.
#[inline(always)]
fn word(bytes: &[u8; WORDS], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

impl Literal {
    fn of(texts: &mut Vec<u8>, text: &[u8]) -> Literal {
        let (mut bytes, mut mask) = ([0; WORDS], [0; WORDS]);
        for (i, byte) in text.iter().take(WORDS).enumerate() {
            (bytes[i], mask[i]) = (*byte, 0xff);
        }
        let start = texts.len() as u32;
        texts.extend_from_slice(text);
        let (words, masks) = ([word(&bytes, 0), word(&bytes, 8)], [word(&mask, 0), word(&mask, 8)]);
        Literal { words, masks, start, end: texts.len() as u32 }
    }

    fn text<'a>(&self, texts: &'a [u8]) -> &'a [u8] {
        &texts[self.start as usize..self.end as usize]
    }

    /// Where the literal ends, if it is what stands at `at`.
    #[inline(always)]
    fn pass(&self, texts: &[u8], bytes: &[u8], at: usize) -> Res<usize> {
        let end = at + (self.end - self.start) as usize;
        let same = match bytes.get(at..).and_then(|rest| rest.first_chunk::<WORDS>()) {
            Some(chunk) => {
                let apart = |k: usize| (word(chunk, 8 * k) ^ self.words[k]) & self.masks[k];
                (apart(0) | apart(1)) == 0
                    && (end <= at + WORDS || bytes.get(at + WORDS..end) == self.text(texts).get(WORDS..))
            }
            None => bytes.get(at..end) == Some(self.text(texts)),
        };
        if same { Ok(end) } else { Err(Odd) }
    }
}

/// A value, and what stands before it.
pub struct Value {
    pub literal: Literal,
    pub goes: Goes,
}

pub struct Shape {
    texts: Vec<u8>,
    pub values: Vec<Value>,
    pub tail: Literal,
    /// The shape that came after this one the last time.
    next: usize,
    /// Names of the members of the first container in the order of the document, and their numbers in a batch.
    pub names: Vec<u32>,
    codes: Vec<i32>,
    codes_of: u64,
}

impl Shape {
    fn learn(payload: &[u8], met: &[Met]) -> Shape {
        let (mut texts, mut values, mut names, mut at) = (Vec::new(), Vec::with_capacity(met.len()), Vec::new(), 0);
        for value in met {
            let literal = Literal::of(&mut texts, &payload[at..value.start]);
            values.push(Value { literal, goes: value.goes });
            at = value.end;
            if let Goes::Feature(name) | Goes::Entry(name) = value.goes {
                names.push(name);
            }
        }
        let tail = Literal::of(&mut texts, &payload[at..]);
        Shape { texts, values, tail, next: 0, names, codes: Vec::new(), codes_of: 0 }
    }

    /// Whether this is the shape of an event that was parsed.
    fn is_of(&self, payload: &[u8], met: &[Met]) -> bool {
        let starts = met.iter().map(|value| value.start).chain([payload.len()]);
        let ends = [0].into_iter().chain(met.iter().map(|value| value.end));
        let literals = self.values.iter().map(|value| &value.literal).chain([&self.tail]);
        self.values.len() == met.len()
            && self.values.iter().zip(met).all(|(own, value)| own.goes == value.goes)
            && literals.zip(ends.zip(starts)).all(|(own, (end, start))| own.text(&self.texts) == &payload[end..start])
    }

    /// Where a literal of this shape ends, if it is what stands at `at`.
    #[inline(always)]
    pub fn pass(&self, literal: &Literal, bytes: &[u8], at: usize) -> Res<usize> {
        literal.pass(&self.texts, bytes, at)
    }

    /// The numbers of the first container's names in the batch, in order of first appearance.
    #[inline]
    pub fn codes(&mut self, names: &mut Names) -> &[i32] {
        if self.codes_of != names.batch {
            self.codes_of = names.batch;
            self.codes.clear();
            self.codes.extend(self.names.iter().map(|&name| names.code(name)));
        }
        &self.codes
    }
}

/// The shapes known, and which are expected next.
#[derive(Default)]
pub struct Shapes {
    known: Vec<Shape>,
    /// The last shape, the last one that was another, and that of the event at hand.
    last: usize,
    before: usize,
    current: usize,
    oldest: usize,
}

impl Shapes {
    /// The shapes to try, none twice: what came after the last one the last time, the last one, the one before.
    #[inline]
    pub fn expected(&self) -> impl Iterator<Item = usize> + use<> {
        let next = self.known.get(self.last).map_or(0, |shape| shape.next);
        let tried = [next, self.last, self.before];
        (0..tried.len()).filter(move |&i| !tried[..i].contains(&tried[i])).map(move |i| tried[i])
    }

    pub fn get(&self, number: usize) -> Option<&Shape> {
        self.known.get(number)
    }

    /// The shape of the event at hand is this.
    #[inline]
    pub fn found(&mut self, number: usize) {
        self.current = number;
    }

    #[inline]
    pub fn current(&mut self) -> Option<&mut Shape> {
        self.known.get_mut(self.current)
    }

    /// The event at hand is taken: it came after the last one.
    #[inline]
    pub fn confirm(&mut self) {
        if let Some(shape) = self.known.get_mut(self.last) {
            shape.next = self.current;
        }
        if self.current != self.last {
            (self.before, self.last) = (self.last, self.current);
        }
    }

    /// None of those expected was right: this is what came instead.
    pub fn learn(&mut self, payload: &[u8], met: &[Met]) {
        let literals = payload.len() - met.iter().map(|value| value.end - value.start).sum::<usize>();
        if literals > LITERAL_BYTES_MAX || met.len() > VALUES_MAX {
            return;
        }
        self.current = self.known.iter().position(|shape| shape.is_of(payload, met)).unwrap_or_else(|| {
            let shape = Shape::learn(payload, met);
            if self.known.len() < SHAPES_MAX {
                self.known.push(shape);
                return self.known.len() - 1;
            }
            self.oldest = (self.oldest + 1) % SHAPES_MAX;
            self.known[self.oldest] = shape;
            self.oldest
        });
        self.confirm();
    }

    /// Names are numbered anew.
    pub fn clear(&mut self) {
        *self = Shapes::default();
    }
}
