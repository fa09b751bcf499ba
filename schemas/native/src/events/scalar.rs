//! What is read of a document: a value that is no container, or that this decoder is not sure.
#![forbid(unsafe_code)]

/// Not for this decoder: a broken event, or one too strange to be worth the code. The Python decoder has the last word.
#[derive(Debug)]
pub struct Odd;

pub type Res<T> = Result<T, Odd>;

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
    pub fn unsigned(value: u64) -> Scalar {
        i64::try_from(value).map_or(Scalar { kind: Kind::UInt, bits: value }, Scalar::int)
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
