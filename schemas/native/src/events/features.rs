//! Features that are no leaves of one object: by position, in objects within it, in arrays of numbers.
//!
//! As in `schemas/events/odd.py`: a member of an object is OBJECT.MEMBER, one of an array ARRAY.0 and so on. Here all of
//! it is found key by key; the next event of the same shape is read without a look at any of it.
#![forbid(unsafe_code)]

use std::io::Write;

use crate::events::event::{ENTRIES_MAX, Event};
use crate::events::names::Names;
use crate::events::plan::{CONTAINERS, Plan};
use crate::events::scalar::{Kind, Odd, Res};
use crate::events::scan::Scanner;
use crate::events::shape::Goes;

/// Objects within objects, as in `schemas/events/odd.py`.
const DEPTH_MAX: usize = 8;
const PREFIX: &str = CONTAINERS[0].1;

impl Event {
    /// An array on the way to what is read: its elements are named by their numbers.
    pub fn elements(&mut self, scanner: &mut Scanner, plan: &mut Plan, node: usize, names: &mut Names) -> Res<()> {
        if plan.nodes[node].children.iter().any(|child| child.index.is_none()) {
            return Err(Odd);
        }
        if scanner.enter_empty(b']') {
            return Ok(());
        }
        for number in 0.. {
            match plan.nodes[node].children.iter().find(|child| child.index == Some(number)).map(|child| child.target) {
                Some(target) => self.value(scanner, plan, target, names)?,
                None => self.unread(scanner, Goes::Nowhere)?,
            }
            if !scanner.more(b']')? {
                break;
            }
        }
        Ok(())
    }

    /// Features by position.
    pub fn positions(&mut self, scanner: &mut Scanner, names: &mut Names) -> Res<()> {
        if scanner.enter_empty(b']') {
            return Ok(());
        }
        for place in 0..=ENTRIES_MAX {
            if place == self.position_names.len() {
                let id = match self.naming.names.get(place) {
                    Some(name) => names.find(PREFIX, name.as_bytes())?,
                    None => names.find(PREFIX, place.to_string().as_bytes())?,
                };
                self.position_names.push(id);
            }
            let id = self.position_names[place];
            names.once(id)?;
            self.any_feature(scanner, id, names)?;
            if !scanner.more(b']')? {
                return Ok(());
            }
        }
        Err(Odd)
    }

    /// The value of a feature: a leaf, or what features are made of.
    #[inline]
    pub fn any_feature(&mut self, scanner: &mut Scanner, id: u32, names: &mut Names) -> Res<()> {
        if !matches!(scanner.token(), b'{' | b'[') {
            return self.member(scanner, 0, id);
        }
        let mut path = std::mem::take(&mut self.path);
        path.clear();
        path.extend_from_slice(names.bytes(id));
        let done = self.within(scanner, id, names, &mut path, 0);
        self.path = path;
        done
    }

    /// `path`: the name of the value at hand.
    fn within(
        &mut self,
        scanner: &mut Scanner,
        id: u32,
        names: &mut Names,
        path: &mut Vec<u8>,
        depth: usize,
    ) -> Res<()> {
        match scanner.token() {
            b'{' if depth < DEPTH_MAX => self.inner(scanner, names, path, depth),
            b'{' => Err(Odd),
            b'[' => self.entries(scanner, names, path),
            _ => self.member(scanner, 0, id),
        }
    }

    /// An object. An empty one is odd.
    fn inner(&mut self, scanner: &mut Scanner, names: &mut Names, path: &mut Vec<u8>, depth: usize) -> Res<()> {
        let length = path.len();
        if scanner.enter_empty(b'}') {
            return Err(Odd);
        }
        while self.members[0].len() <= ENTRIES_MAX {
            if scanner.token() != b'"' {
                return Err(Odd);
            }
            let text = scanner.string(&mut self.arena)?;
            path.truncate(length);
            path.push(b'.');
            path.extend_from_slice(self.text(scanner.bytes, text).ok_or(Odd)?);
            let id = names.find(PREFIX, path)?;
            names.once(id)?; // Of two values of one name, or of one key, Python says which one counts.
            scanner.expect(b':')?;
            self.within(scanner, id, names, path, depth + 1)?;
            if !scanner.more(b'}')? {
                return Ok(());
            }
        }
        Err(Odd)
    }

    /// An array of numbers. Texts in it are odd, and so is an empty one.
    fn entries(&mut self, scanner: &mut Scanner, names: &mut Names, path: &mut Vec<u8>) -> Res<()> {
        let length = path.len();
        if scanner.enter_empty(b']') {
            return Err(Odd);
        }
        for number in 0..self.naming.array_max {
            path.truncate(length);
            write!(path, ".{number}").map_err(|_| Odd)?;
            let id = names.find(PREFIX, path)?;
            names.once(id)?;
            scanner.token();
            let start = scanner.at;
            let value = scanner.scalar(&mut self.arena)?;
            if matches!(value.kind, Kind::Text | Kind::Made) || self.members[0].len() > ENTRIES_MAX {
                return Err(Odd);
            }
            self.members[0].push((id, value));
            self.meet(start, scanner, Goes::Entry(id));
            if !scanner.more(b']')? {
                return Ok(());
            }
        }
        Err(Odd)
    }
}
