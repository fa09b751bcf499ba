//! One event: from the bytes of a record to the values of its fields, checked, before any of them enters a column.
#![forbid(unsafe_code)]

use crate::events::decimal::push_repr;
use crate::events::names::{NONE, Names};
use crate::events::number::{Decimals, number, short_decimal};
use crate::events::plan::{
    CALLER, CONFIDENCE, CONTAINERS, EVENT_ID, FEATURES, FIELDS, LABEL, LATENCY, LOGITS, MODEL, Naming, Node, Plan,
    STATUS, TIME, Target, VALUE, VERSION,
};
use crate::events::scalar::{Kind, Odd, Res, Scalar};
use crate::events::scan::Scanner;
use crate::events::shape::{Goes, Met, Shape};
use crate::events::text::{TIME_MAX_MS, epoch_of_float, epoch_of_int, id_hash, is_name, rfc3339_ms};

/// As in `schemas/events/odd.py`.
pub const ENTRIES_MAX: usize = 2000;
const FUTURE_MS: i64 = 5 * 60 * 1000;
/// Below it a float that is whole has no neighbour it could be mistaken for.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// What has been read of the event at hand.
pub struct Event {
    pub slots: Vec<Scalar>,
    /// Members of CONTAINERS: name and value, in the order of the document.
    pub members: [Vec<(u32, Scalar)>; 4],
    /// Features of an event of a known shape all of which are numbers; there are none in `members` then.
    pub plain: Vec<f64>,
    decimals: Decimals,
    /// Texts that are not in the payload as they are.
    pub arena: Vec<u8>,
    /// The values of a parsed document, in its order: what its shape is learned from.
    pub met: Vec<Met>,
    index_names: Vec<u32>,
    pub naming: Naming,
    pub position_names: Vec<u32>,
    /// The name of the feature at hand within an object or array.
    pub path: Vec<u8>,
}

impl Event {
    pub fn new(slots: usize, (names, array_max): (Vec<String>, usize)) -> Self {
        Event {
            slots: vec![Scalar::ABSENT; slots],
            members: Default::default(),
            plain: Vec::new(),
            decimals: Decimals::default(),
            arena: Vec::new(),
            met: Vec::new(),
            index_names: Vec::new(),
            naming: Naming { names, array_max },
            position_names: Vec::new(),
            path: Vec::new(),
        }
    }

    pub fn clear(&mut self) {
        self.slots.fill(Scalar::ABSENT);
        self.members.iter_mut().for_each(Vec::clear);
        self.plain.clear();
        self.arena.clear();
        self.met.clear();
    }

    pub fn forget_names(&mut self) {
        self.index_names.clear();
        self.position_names.clear();
    }

    /// The bytes of a text.
    #[inline]
    pub fn text<'a>(&'a self, payload: &'a [u8], value: Scalar) -> Option<&'a [u8]> {
        match value.kind {
            Kind::Text => payload.get(value.range()),
            Kind::Made => self.arena.get(value.range()),
            _ => None,
        }
    }

    /// Read a payload of this shape; Odd as soon as it is of another, and then nothing of it may be used.
    ///
    /// Most of a decoder's time goes by in this loop: it has the processor's registers for itself.
    #[inline(never)]
    pub fn shaped(&mut self, bytes: &[u8], shape: &Shape) -> Res<()> {
        let (mut at, mut decimals) = (0, self.decimals);
        for value in &shape.values {
            at = shape.pass(&value.literal, bytes, at)?;
            at = match value.goes {
                Goes::Feature(_) | Goes::Entry(_) => {
                    match bytes.get(at..).and_then(<[u8]>::first_chunk).and_then(short_decimal) {
                        Some((begin, count, value)) if self.members[0].is_empty() => {
                            self.plain.push(value);
                            at + begin + decimals.take(count)
                        }
                        _ => self.feature(bytes, at, value.goes, &shape.names)?,
                    }
                }
                goes => self.take(bytes, at, goes)?,
            };
        }
        self.decimals = decimals;
        at = shape.pass(&shape.tail, bytes, at)?;
        if at == bytes.len() { Ok(()) } else { Err(Odd) }
    }

    /// Any feature at `at`, of an event of a known shape; where it ends. Cold, so that it stays out of that loop.
    #[cold]
    fn feature(&mut self, bytes: &[u8], at: usize, goes: Goes, names: &[u32]) -> Res<usize> {
        if let (true, Some(b'-' | b'0'..=b'9')) = (self.members[0].is_empty(), bytes.get(at)) {
            let (length, value) = number(&bytes[at..])?;
            self.plain.push(value.number().unwrap_or_default());
            return Ok(at + length);
        }
        // Not a number, for once: from here on kinds matter, of those before as well.
        let before = std::mem::take(&mut self.plain);
        self.members[0].extend(names.iter().copied().zip(before.into_iter().map(Scalar::float)));
        self.take(bytes, at, goes)
    }

    /// Any value at `at`, of an event of a known shape; where it ends.
    fn take(&mut self, bytes: &[u8], at: usize, goes: Goes) -> Res<usize> {
        let mut scanner = Scanner { bytes, at };
        match goes {
            Goes::Nowhere => scanner.skip(&mut self.arena, 1)?,
            Goes::Leaf => drop(scanner.scalar(&mut self.arena)?),
            Goes::Slot(slot) => self.slots[slot as usize] = scanner.scalar(&mut self.arena)?,
            Goes::Feature(name) => self.members[0].push((name, scanner.scalar(&mut self.arena)?)),
            Goes::Entry(name) => match scanner.scalar(&mut self.arena)? {
                Scalar { kind: Kind::Text | Kind::Made, .. } => return Err(Odd),
                value => self.members[0].push((name, value)),
            },
            Goes::Member(own, name) => {
                let value = scanner.scalar(&mut self.arena)?;
                self.members[own as usize].push((name, value));
            }
        }
        Ok(scanner.at)
    }

    /// Read any document, key by key.
    pub fn document(&mut self, mut scanner: Scanner, plan: &mut Plan, names: &mut Names) -> Res<()> {
        plan.event += 1;
        if scanner.token() != b'{' {
            return Err(Odd);
        }
        self.object(&mut scanner, plan, 0, names)?;
        scanner.token();
        if scanner.at == scanner.bytes.len() { Ok(()) } else { Err(Odd) }
    }

    fn object(&mut self, scanner: &mut Scanner, plan: &mut Plan, node: usize, names: &mut Names) -> Res<()> {
        if scanner.enter_empty(b'}') {
            return Ok(());
        }
        let mut place = 0;
        loop {
            let found = self.child(scanner, &mut plan.nodes[node], place)?;
            place += 1;
            scanner.expect(b':')?;
            match found {
                None => self.unread(scanner, Goes::Nowhere)?,
                Some(index) => {
                    let event = plan.event;
                    let child = &mut plan.nodes[node].children[index];
                    if std::mem::replace(&mut child.event, event) == event {
                        return Err(Odd); // A key twice: which value counts is said in Python.
                    }
                    let target = child.target;
                    self.value(scanner, plan, target, names)?;
                }
            }
            if !scanner.more(b'}')? {
                return Ok(());
            }
        }
    }

    pub fn value(&mut self, scanner: &mut Scanner, plan: &mut Plan, target: Target, names: &mut Names) -> Res<()> {
        match target {
            Target::Slot(slot) => self.slot(scanner, slot),
            Target::Container(own) => self.container(scanner, own, names),
            Target::Inner { node, of_field } => match scanner.token() {
                b'{' => self.object(scanner, plan, node, names),
                b'[' => self.elements(scanner, plan, node, names),
                b'n' if of_field => scanner.skip(&mut self.arena, 1),
                _ if of_field => Err(Odd),
                _ => self.unread(scanner, Goes::Leaf),
            },
        }
    }

    /// Over a value that nobody reads.
    pub fn unread(&mut self, scanner: &mut Scanner, goes: Goes) -> Res<()> {
        scanner.token();
        let start = scanner.at;
        scanner.skip(&mut self.arena, 1)?;
        self.meet(start, scanner, goes);
        Ok(())
    }

    /// Read a key; which child of the node it names. Documents of one producer mostly have the same keys in one order.
    #[inline]
    fn child(&mut self, scanner: &mut Scanner, node: &mut Node, place: usize) -> Res<Option<usize>> {
        if scanner.token() != b'"' {
            return Err(Odd);
        }
        if let Some((child, length)) = node.guessed(place, &scanner.bytes[scanner.at..]) {
            scanner.at += length;
            return Ok(child);
        }
        let value = scanner.string(&mut self.arena)?;
        let name = self.text(scanner.bytes, value).ok_or(Odd)?;
        let child = node.children.iter().position(|child| child.name == name);
        if value.kind == Kind::Text {
            node.remember(place, name, child);
        }
        Ok(child)
    }

    fn slot(&mut self, scanner: &mut Scanner, slot: usize) -> Res<()> {
        match scanner.token() {
            b'{' | b'[' if slot < FIELDS => Err(Odd),
            b'{' | b'[' => scanner.skip(&mut self.arena, 1), // An extra pointer that leads to no leaf is absent.
            _ => {
                let start = scanner.at;
                self.slots[slot] = scanner.scalar(&mut self.arena)?;
                self.meet(start, scanner, Goes::Slot(slot as u32));
                Ok(())
            }
        }
    }

    fn container(&mut self, scanner: &mut Scanner, own: usize, names: &mut Names) -> Res<()> {
        match (scanner.token(), CONTAINERS[own].0) {
            (b'n', _) => scanner.skip(&mut self.arena, 1),
            (b'[', FEATURES) => self.positions(scanner, names),
            (b'[', LOGITS) => self.items(scanner, own, names),
            (b'{', slot) if slot != LOGITS => self.pairs(scanner, own, names),
            _ => Err(Odd),
        }
    }

    fn pairs(&mut self, scanner: &mut Scanner, own: usize, names: &mut Names) -> Res<()> {
        let prefix = CONTAINERS[own].1;
        let mut last = NONE;
        if scanner.enter_empty(b'}') {
            return Ok(());
        }
        loop {
            if scanner.token() != b'"' {
                return Err(Odd);
            }
            let id = match names.guessed(prefix, last, &scanner.bytes[scanner.at..]) {
                Some((id, length)) => {
                    scanner.at += length;
                    id
                }
                None => {
                    let text = scanner.string(&mut self.arena)?;
                    names.find(prefix, self.text(scanner.bytes, text).ok_or(Odd)?)?
                }
            };
            names.occurs(prefix, last, id)?;
            last = id;
            scanner.expect(b':')?;
            match own {
                0 => self.any_feature(scanner, id, names)?,
                _ => self.member(scanner, own, id)?,
            }
            if !scanner.more(b'}')? {
                return Ok(());
            }
        }
    }

    pub fn member(&mut self, scanner: &mut Scanner, own: usize, name: u32) -> Res<()> {
        scanner.token();
        let start = scanner.at;
        let value = scanner.scalar(&mut self.arena)?;
        self.members[own].push((name, value));
        self.meet(start, scanner, if own == 0 { Goes::Feature(name) } else { Goes::Member(own as u32, name) });
        Ok(())
    }

    #[inline]
    pub fn meet(&mut self, start: usize, scanner: &Scanner, goes: Goes) {
        self.met.push(Met { start, end: scanner.at, goes });
    }

    fn items(&mut self, scanner: &mut Scanner, own: usize, names: &mut Names) -> Res<()> {
        if scanner.enter_empty(b']') {
            return Ok(());
        }
        loop {
            let index = self.members[own].len();
            if index > ENTRIES_MAX {
                return Err(Odd);
            }
            if index == self.index_names.len() {
                let id = names.find(CONTAINERS[own].1, index.to_string().as_bytes())?;
                self.index_names.push(id);
            }
            self.member(scanner, own, self.index_names[index])?;
            if !scanner.more(b']')? {
                return Ok(());
            }
        }
    }

    /// Everything Python checks between the parser and the columns, except model, version, time and id.
    pub fn check(&self, payload: &[u8]) -> Res<()> {
        let entries = self.members.iter().map(Vec::len).sum::<usize>() + self.plain.len();
        let numbers =
            |own: usize| self.members[own].iter().all(|(_, value)| value.is_none() || value.number().is_some());
        let number = |slot: usize| self.slots[slot].is_none() || self.slots[slot].number().is_some();
        let short = |value: Scalar| self.text(payload, value).is_none_or(is_name);
        let kind = |slot: usize| self.slots[slot].kind;
        let kinds = number(VALUE)
            && number(CONFIDENCE)
            && number(LATENCY)
            && !matches!(kind(STATUS), Kind::Float | Kind::Bool)
            && !matches!(kind(CALLER), Kind::Float | Kind::Bool);
        let texts = [LABEL, STATUS, CALLER].into_iter().all(|slot| short(self.slots[slot]))
            && self.members[3].iter().all(|(_, value)| short(*value));
        if entries <= ENTRIES_MAX && kinds && texts && numbers(1) && numbers(2) { Ok(()) } else { Err(Odd) }
    }

    /// The model's name, a text or an integer.
    pub fn model(&self, payload: &[u8]) -> Res<Scalar> {
        let value = self.slots[MODEL];
        let fits = match self.text(payload, value) {
            Some(text) => !text.is_empty() && is_name(text),
            None => matches!(value.kind, Kind::Int | Kind::UInt),
        };
        if fits { Ok(value) } else { Err(Odd) }
    }

    /// The version, if there is one.
    pub fn version(&self, payload: &[u8]) -> Res<Scalar> {
        let value = self.slots[VERSION];
        let fits = value.kind != Kind::Bool && self.text(payload, value).is_none_or(is_name);
        if fits { Ok(value) } else { Err(Odd) }
    }

    /// The label; 1.0, as it comes of a column with gaps, is the class 1.
    #[inline]
    pub fn label(&self) -> Scalar {
        match (self.slots[LABEL].kind, self.slots[LABEL].number()) {
            (Kind::Float, Some(value)) if value.fract() == 0.0 && value.abs() < WHOLE_MAX => Scalar::int(value as i64),
            _ => self.slots[LABEL],
        }
    }

    /// Event time, not more than a while after the record's; the record's where the event has none.
    pub fn time_ms(&self, payload: &[u8], record_ms: i64) -> Res<i64> {
        let value = self.slots[TIME];
        let time_ms = match value.kind {
            Kind::Absent | Kind::Null if record_ms < TIME_MAX_MS => return Ok(record_ms.max(0)),
            Kind::Int | Kind::UInt => epoch_of_int(value.whole())?,
            Kind::Float => epoch_of_float(value.number().ok_or(Odd)?)?,
            Kind::Text | Kind::Made => rfc3339_ms(self.text(payload, value).ok_or(Odd)?)?,
            Kind::Absent | Kind::Null | Kind::Bool => return Err(Odd),
        };
        let latest = if record_ms < 0 { i64::MAX } else { record_ms };
        if time_ms > latest.saturating_add(FUTURE_MS) { Err(Odd) } else { Ok(time_ms.min(latest)) }
    }

    pub fn id(&self, payload: &[u8]) -> Res<u64> {
        let value = self.slots[EVENT_ID];
        match value.kind {
            Kind::Absent | Kind::Null => Ok(0),
            Kind::Int | Kind::UInt => Ok(id_hash(value.whole().to_string().as_bytes())),
            _ => self.text(payload, value).map(id_hash).ok_or(Odd),
        }
    }

    /// A naming value as text: integers in decimal, floats as Python writes them.
    #[inline]
    pub fn named(&self, payload: &[u8], value: Scalar, mut take: impl FnMut(&[u8])) {
        match value.kind {
            Kind::Absent | Kind::Null => {}
            Kind::Bool => take(if value.truth() { b"true" } else { b"false" }),
            Kind::Int | Kind::UInt => take(value.whole().to_string().as_bytes()),
            Kind::Float => {
                let mut text = Vec::new();
                push_repr(&mut text, value.number().unwrap_or_default());
                take(&text)
            }
            Kind::Text | Kind::Made => take(self.text(payload, value).unwrap_or_default()),
        }
    }

    /// The greatest score, the first of equal ones; None when there is no number among them.
    pub fn greatest_score(&self) -> Option<f64> {
        let scores = self.members[1].iter().filter_map(|(_, value)| value.number());
        scores.reduce(|most, score| if score > most { score } else { most })
    }
}
