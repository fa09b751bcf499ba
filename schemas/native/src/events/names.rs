//! Names and texts as small numbers: names of members for the decoder's whole life, texts for one batch.
#![forbid(unsafe_code)]

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::events::scalar::{Odd, Res};
use crate::events::scan::Head;
use crate::events::text::is_name;

/// Names kept; a batch that brings more is decoded in Python, and the table begins anew.
const NAMES_MAX: usize = 200_000;

/// No name: what comes before the first member.
pub const NONE: u32 = u32::MAX;

/// What is looked at for every value; small, since wide events have many names.
struct Name {
    /// The last event it occurred in, for finding duplicate keys.
    event: u64,
    /// Its number in the batch, valid when `batch` is the current one.
    batch: u64,
    code: i32,
    /// The name that came after this one the last time, which is the guess for the next time.
    next: u32,
    /// Where its text is in `bytes`.
    start: u32,
    end: u32,
    /// Can be compared with raw JSON: nothing in it would be escaped there.
    plain: bool,
    prefix: &'static str,
    head: Head,
}

/// Names of members by prefix ("features.", "segment." ...), and which of them the current batch has.
pub struct Names {
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
    names: Vec<Name>,
    bytes: Vec<u8>,
    python: Vec<Option<Py<PyString>>>,
    fixed: usize,
    first: Vec<(&'static str, u32)>,
    pub batch: u64,
    event: u64,
    in_batch: Vec<u32>,
}

impl Names {
    pub fn new() -> Self {
        Names {
            table: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            names: Vec::new(),
            bytes: Vec::new(),
            python: Vec::new(),
            fixed: 0,
            first: Vec::new(),
            batch: 0,
            event: 0,
            in_batch: Vec::new(),
        }
    }

    /// Names that are never forgotten; call it before any other.
    pub fn fix(&mut self, text: &str) -> u32 {
        let id = self.push("", text.as_bytes());
        self.fixed = self.names.len();
        id
    }

    fn push(&mut self, prefix: &'static str, text: &[u8]) -> u32 {
        let plain = text.iter().all(|&byte| byte >= 0x20 && byte != b'"' && byte != b'\\');
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(text);
        let end = self.bytes.len() as u32;
        self.names.push(Name {
            event: 0,
            batch: 0,
            code: 0,
            next: NONE,
            start,
            end,
            plain,
            prefix,
            head: Head::of(text),
        });
        self.python.push(None);
        (self.names.len() - 1) as u32
    }

    /// True when the names of before are forgotten.
    pub fn begin_batch(&mut self) -> bool {
        self.batch += 1;
        self.in_batch.clear();
        let full = self.names.len() > NAMES_MAX;
        if full {
            self.names.truncate(self.fixed);
            self.python.truncate(self.fixed);
            self.bytes.truncate(self.names.last().map_or(0, |name| name.end as usize));
            self.table.clear();
            self.first.clear();
        }
        full
    }

    pub fn begin_event(&mut self) {
        self.event += 1;
    }

    #[inline]
    fn text(&self, name: &Name) -> &[u8] {
        &self.bytes[name.start as usize..name.end as usize]
    }

    /// A name, without its prefix.
    pub fn bytes(&self, id: u32) -> &[u8] {
        self.text(&self.names[id as usize])
    }

    /// The name that is likely to come after `last`.
    #[inline]
    fn guess(&self, prefix: &'static str, last: u32) -> u32 {
        match self.names.get(last as usize) {
            Some(name) => name.next,
            None => self.first.iter().find(|(p, _)| *p == prefix).map_or(NONE, |(_, id)| *id),
        }
    }

    /// The name after `last` when the raw JSON at hand is just that, in quotes.
    #[inline]
    pub fn guessed(&self, prefix: &'static str, last: u32, quoted: &[u8]) -> Option<(u32, usize)> {
        let id = self.guess(prefix, last);
        let name = self.names.get(id as usize)?;
        let text = self.text(name);
        (name.plain && name.head.matches(text, quoted)).then_some((id, text.len() + 2))
    }

    /// The number of a name under a prefix, a new one when it has none.
    pub fn find(&mut self, prefix: &'static str, text: &[u8]) -> Res<u32> {
        let hash = self.hasher.hash_one((prefix, text));
        let (names, bytes, hasher) = (&self.names, &self.bytes, &self.hasher);
        let of = |id: u32| {
            let name = &names[id as usize];
            (name.prefix, &bytes[name.start as usize..name.end as usize])
        };
        let same = |&id: &u32| of(id) == (prefix, text);
        if let Some(&id) = self.table.find(hash, same) {
            return Ok(id);
        }
        if self.names.len() > NAMES_MAX || !is_name(text) {
            return Err(Odd);
        }
        self.table.insert_unique(hash, names.len() as u32, |&id| hasher.hash_one(of(id)));
        Ok(self.push(prefix, text))
    }

    /// Note that `id` is in this event; Odd when it has been before.
    #[inline]
    pub fn once(&mut self, id: u32) -> Res<()> {
        let name = &mut self.names[id as usize];
        if std::mem::replace(&mut name.event, self.event) == self.event { Err(Odd) } else { Ok(()) }
    }

    /// Note that `id` came after `last` in this event; Odd when it has occurred before.
    #[inline]
    pub fn occurs(&mut self, prefix: &'static str, last: u32, id: u32) -> Res<()> {
        self.once(id)?;
        match self.names.get_mut(last as usize) {
            Some(before) => before.next = id,
            None => match self.first.iter_mut().find(|(p, _)| *p == prefix) {
                Some(entry) => entry.1 = id,
                None => self.first.push((prefix, id)),
            },
        }
        Ok(())
    }

    /// The number of a name in this batch, in order of first appearance.
    #[inline]
    pub fn code(&mut self, id: u32) -> i32 {
        let name = &mut self.names[id as usize];
        if name.batch != self.batch {
            (name.batch, name.code) = (self.batch, self.in_batch.len() as i32);
            self.in_batch.push(id);
        }
        name.code
    }

    /// The names of this batch as Python texts.
    pub fn texts<'py>(&mut self, py: Python<'py>) -> Vec<Bound<'py, PyString>> {
        let (names, bytes, python) = (&self.names, &self.bytes, &mut self.python);
        let make = |&id: &u32| {
            let name = &names[id as usize];
            let text = || String::from_utf8_lossy(&bytes[name.start as usize..name.end as usize]);
            let full = || PyString::new(py, &format!("{}{}", name.prefix, text())).unbind();
            python[id as usize].get_or_insert_with(full).clone_ref(py).into_bound(py)
        };
        self.in_batch.iter().map(make).collect()
    }
}

/// The texts of one batch, numbered in order of first appearance.
#[derive(Default)]
pub struct Strings {
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
    bytes: Vec<u8>,
    spans: Vec<(u32, u32)>,
}

impl Strings {
    pub fn clear(&mut self) {
        self.table.clear();
        self.bytes.clear();
        self.spans.clear();
    }

    pub fn code(&mut self, text: &[u8]) -> i32 {
        let (bytes, spans, hasher) = (&self.bytes, &self.spans, &self.hasher);
        let of = |id: u32| &bytes[spans[id as usize].0 as usize..spans[id as usize].1 as usize];
        let hash = hasher.hash_one(text);
        if let Some(&id) = self.table.find(hash, |&id| of(id) == text) {
            return id as i32;
        }
        let id = spans.len() as u32;
        self.table.insert_unique(hash, id, |&id| hasher.hash_one(of(id)));
        let start = self.bytes.len();
        self.bytes.extend_from_slice(text);
        self.spans.push((start as u32, self.bytes.len() as u32));
        id as i32
    }

    /// The same, looking first whether it is the text that `hint` stands for: fields mostly repeat.
    #[inline]
    pub fn code_near(&mut self, text: &[u8], hint: &mut i32) -> i32 {
        if let Some(&(start, end)) = self.spans.get(*hint as usize) {
            if self.bytes[start as usize..end as usize] == *text {
                return *hint;
            }
        }
        *hint = self.code(text);
        *hint
    }

    pub fn texts<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyString>> {
        let text = |&(start, end): &(u32, u32)| String::from_utf8_lossy(&self.bytes[start as usize..end as usize]);
        self.spans.iter().map(|span| PyString::new(py, &text(span))).collect()
    }
}
