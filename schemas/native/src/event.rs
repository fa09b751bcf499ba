//! One event: from the bytes of a record to the values of its fields, checked, before any of them enters a column.
#![forbid(unsafe_code)]

use crate::names::{NONE, Names};
use crate::scan::{Odd, Res, Scalar, Scanner};
use crate::text::{epoch_of_float, epoch_of_int, id_hash, is_name, repr, rfc3339_ms};

/// Slots in the order of FIELDS in `schemas/fields.py`; those of the extra pointers follow.
pub const MODEL: usize = 0;
pub const VERSION: usize = 1;
pub const TIME: usize = 2;
pub const EVENT_ID: usize = 3;
pub const FEATURES: usize = 4;
pub const LABEL: usize = 5;
pub const VALUE: usize = 6;
pub const CONFIDENCE: usize = 7;
pub const SCORES: usize = 8;
pub const LOGITS: usize = 9;
pub const LATENCY: usize = 10;
pub const STATUS: usize = 11;
pub const CALLER: usize = 12;
pub const SEGMENT: usize = 13;
pub const FIELDS: usize = 14;

/// The containers, with the prefix of their members' names.
pub const CONTAINERS: [(usize, &str); 4] =
    [(FEATURES, "features."), (SCORES, "prediction.scores."), (LOGITS, "prediction.logits."), (SEGMENT, "segment.")];

/// As in `schemas/decode.py`.
const ENTRIES_MAX: usize = 2000;

/// A place in the document that somebody reads: an object on the way, or the slot it goes to.
enum Kind {
    Inner { node: usize, of_field: bool },
    Slot(usize),
    Container(usize),
}

struct Child {
    name: Vec<u8>,
    kind: Kind,
    event: u64,
}

/// The pointers of all slots as a tree; the root is node 0.
pub struct Plan {
    nodes: Vec<Vec<Child>>,
    event: u64,
}

impl Plan {
    /// No pointer may be the beginning of another; the caller sees to that.
    pub fn new(pointers: &[(usize, Vec<String>)]) -> Self {
        let mut plan = Plan { nodes: vec![Vec::new()], event: 0 };
        for (slot, steps) in pointers {
            plan.add(*slot, steps);
        }
        plan
    }

    fn add(&mut self, slot: usize, steps: &[String]) {
        let Some((leaf, inner)) = steps.split_last() else { return };
        let mut at = 0;
        for step in inner {
            at = self.inner(at, step.as_bytes(), slot < FIELDS);
        }
        let container = CONTAINERS.iter().position(|(own, _)| *own == slot);
        let kind = container.map_or(Kind::Slot(slot), Kind::Container);
        self.nodes[at].push(Child { name: leaf.as_bytes().to_vec(), kind, event: 0 });
    }

    fn inner(&mut self, at: usize, name: &[u8], field: bool) -> usize {
        for child in self.nodes[at].iter_mut().filter(|child| child.name == name) {
            if let Kind::Inner { node, of_field } = &mut child.kind {
                *of_field |= field;
                return *node;
            }
        }
        let node = self.nodes.len();
        self.nodes.push(Vec::new());
        self.nodes[at].push(Child { name: name.to_vec(), kind: Kind::Inner { node, of_field: field }, event: 0 });
        node
    }
}

/// What has been read of the event at hand.
pub struct Event {
    pub slots: Vec<Scalar>,
    /// Members of CONTAINERS: name and value, in the order of the document.
    pub members: [Vec<(u32, Scalar)>; 4],
    /// Texts that are not in the payload as they are.
    pub arena: Vec<u8>,
    index_names: Vec<u32>,
}

impl Event {
    pub fn new(slots: usize) -> Self {
        Event { slots: vec![Scalar::Absent; slots], members: Default::default(), arena: Vec::new(), index_names: Vec::new() }
    }

    pub fn clear(&mut self) {
        self.slots.fill(Scalar::Absent);
        self.members.iter_mut().for_each(Vec::clear);
        self.arena.clear();
    }

    pub fn forget_names(&mut self) {
        self.index_names.clear();
    }

    /// The bytes of a text.
    #[inline]
    pub fn text<'a>(&'a self, payload: &'a [u8], value: Scalar) -> Option<&'a [u8]> {
        match value {
            Scalar::Text(span) if span.in_arena => self.arena.get(span.start as usize..span.end as usize),
            Scalar::Text(span) => payload.get(span.start as usize..span.end as usize),
            _ => None,
        }
    }

    pub fn document(&mut self, payload: &[u8], plan: &mut Plan, names: &mut Names) -> Res<()> {
        let mut scanner = Scanner::new(payload)?;
        plan.event += 1;
        if scanner.token() != b'{' {
            return Err(Odd);
        }
        self.object(&mut scanner, plan, 0, names)?;
        scanner.token();
        if scanner.at == payload.len() { Ok(()) } else { Err(Odd) }
    }

    fn object(&mut self, scanner: &mut Scanner, plan: &mut Plan, node: usize, names: &mut Names) -> Res<()> {
        if scanner.enter_empty(b'}') {
            return Ok(());
        }
        let mut guess = 0;
        loop {
            let found = self.child(scanner, &plan.nodes[node], guess)?;
            scanner.expect(b':')?;
            let Some(index) = found else {
                scanner.skip(&mut self.arena, 1)?;
                if scanner.more(b'}')? {
                    continue;
                }
                return Ok(());
            };
            guess = index + 1;
            let event = plan.event;
            let child = &mut plan.nodes[node][index];
            if std::mem::replace(&mut child.event, event) == event {
                return Err(Odd); // A key twice: which value counts is said in Python.
            }
            match child.kind {
                Kind::Slot(slot) => self.slot(scanner, slot)?,
                Kind::Container(own) => self.container(scanner, own, names)?,
                Kind::Inner { node, of_field } => match scanner.token() {
                    b'{' => self.object(scanner, plan, node, names)?,
                    b'n' => scanner.skip(&mut self.arena, 1)?,
                    _ if of_field => return Err(Odd),
                    b'[' => return Err(Odd), // A pointer may go into an array, which is too rare to be here.
                    _ => scanner.skip(&mut self.arena, 1)?,
                },
            }
            if !scanner.more(b'}')? {
                return Ok(());
            }
        }
    }

    /// Read a key; which child of the node it names. Members mostly come in the order of the fields.
    #[inline]
    fn child(&mut self, scanner: &mut Scanner, node: &[Child], guess: usize) -> Res<Option<usize>> {
        if scanner.token() != b'"' {
            return Err(Odd);
        }
        let span = scanner.string(&mut self.arena)?;
        let name = self.text(scanner.bytes, Scalar::Text(span)).ok_or(Odd)?;
        if node.get(guess).is_some_and(|child| child.name == name) {
            return Ok(Some(guess));
        }
        Ok(node.iter().position(|child| child.name == name))
    }

    fn slot(&mut self, scanner: &mut Scanner, slot: usize) -> Res<()> {
        match scanner.token() {
            b'{' | b'[' if slot < FIELDS => Err(Odd),
            b'{' | b'[' => scanner.skip(&mut self.arena, 1), // An extra pointer that leads to no leaf is absent.
            _ => {
                self.slots[slot] = scanner.scalar(&mut self.arena)?;
                Ok(())
            }
        }
    }

    fn container(&mut self, scanner: &mut Scanner, own: usize, names: &mut Names) -> Res<()> {
        match (scanner.token(), CONTAINERS[own].0) {
            (b'n', _) => scanner.skip(&mut self.arena, 1),
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
                    let span = scanner.string(&mut self.arena)?;
                    names.find(prefix, self.text(scanner.bytes, Scalar::Text(span)).ok_or(Odd)?)?
                }
            };
            names.occurs(prefix, last, id)?;
            last = id;
            scanner.expect(b':')?;
            let value = scanner.scalar(&mut self.arena)?;
            self.members[own].push((id, value));
            if !scanner.more(b'}')? {
                return Ok(());
            }
        }
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
            let value = scanner.scalar(&mut self.arena)?;
            self.members[own].push((self.index_names[index], value));
            if !scanner.more(b']')? {
                return Ok(());
            }
        }
    }

    /// Everything Python checks between the parser and the columns, except model, version, time and id.
    pub fn check(&self, payload: &[u8]) -> Res<()> {
        let entries: usize = self.members.iter().map(Vec::len).sum();
        let numbers = |own: usize| {
            self.members[own].iter().all(|(_, value)| matches!(value, Scalar::Null) || value.number().is_some())
        };
        let number = |slot: usize| {
            matches!(self.slots[slot], Scalar::Absent | Scalar::Null) || self.slots[slot].number().is_some()
        };
        let short = |value: Scalar| self.text(payload, value).is_none_or(is_name);
        let kinds = number(VALUE)
            && number(CONFIDENCE)
            && number(LATENCY)
            && !matches!(self.slots[LABEL], Scalar::Float(_))
            && !matches!(self.slots[STATUS], Scalar::Float(_) | Scalar::Bool(_))
            && matches!(self.slots[CALLER], Scalar::Absent | Scalar::Null | Scalar::Text(_));
        let texts = [LABEL, STATUS, CALLER].into_iter().all(|slot| short(self.slots[slot]))
            && self.members[3].iter().all(|(_, value)| short(*value));
        if entries <= ENTRIES_MAX && kinds && texts && numbers(1) && numbers(2) { Ok(()) } else { Err(Odd) }
    }

    /// The model's name.
    pub fn model<'a>(&'a self, payload: &'a [u8]) -> Res<&'a [u8]> {
        let text = self.text(payload, self.slots[MODEL]).ok_or(Odd)?;
        if !text.is_empty() && is_name(text) { Ok(text) } else { Err(Odd) }
    }

    /// Event time, 0 or more; None when the event has none.
    pub fn time_ms(&self, payload: &[u8]) -> Res<Option<i64>> {
        match self.slots[TIME] {
            Scalar::Absent | Scalar::Null => Ok(None),
            Scalar::Int(value) => epoch_of_int(value.into()).map(Some),
            Scalar::UInt(value) => epoch_of_int(value.into()).map(Some),
            Scalar::Float(value) => epoch_of_float(value).map(Some),
            Scalar::Text(_) => rfc3339_ms(self.text(payload, self.slots[TIME]).ok_or(Odd)?).map(Some),
            Scalar::Bool(_) => Err(Odd),
        }
    }

    pub fn id(&self, payload: &[u8]) -> Res<u64> {
        match self.slots[EVENT_ID] {
            Scalar::Absent | Scalar::Null => Ok(0),
            Scalar::Int(value) => Ok(id_hash(value.to_string().as_bytes())),
            Scalar::UInt(value) => Ok(id_hash(value.to_string().as_bytes())),
            value => self.text(payload, value).map(id_hash).ok_or(Odd),
        }
    }

    /// A naming value as text: integers in decimal, floats as Python writes them.
    pub fn named(&self, payload: &[u8], value: Scalar, take: &mut dyn FnMut(&[u8])) {
        match value {
            Scalar::Absent | Scalar::Null => {}
            Scalar::Bool(value) => take(if value { b"true" } else { b"false" }),
            Scalar::Int(value) => take(value.to_string().as_bytes()),
            Scalar::UInt(value) => take(value.to_string().as_bytes()),
            Scalar::Float(value) => take(repr(value).as_bytes()),
            Scalar::Text(_) => take(self.text(payload, value).unwrap_or_default()),
        }
    }

    /// The greatest score, the first of equal ones; None when there is no number among them.
    pub fn greatest_score(&self) -> Option<f64> {
        let scores = self.members[1].iter().filter_map(|(_, value)| value.number());
        scores.reduce(|most, score| if score > most { score } else { most })
    }
}
