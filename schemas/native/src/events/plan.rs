//! Where in a document the values are that somebody reads: the pointers of all slots as a tree.
#![forbid(unsafe_code)]

use crate::events::scan::Head;

/// Slots in the order of FIELDS in `schemas/events/fields.py`; those of the extra pointers follow.
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

/// How features are called that are no leaves of one object, as the config has it.
pub struct Naming {
    /// By position; beyond them the position is the name.
    pub names: Vec<String>,
    /// Numbers of an array, at most.
    pub array_max: usize,
}

/// A place in the document that somebody reads: an object on the way, or the slot it goes to.
#[derive(Clone, Copy)]
pub enum Target {
    Inner { node: usize, of_field: bool },
    Slot(usize),
    Container(usize),
}

pub struct Child {
    pub name: Vec<u8>,
    /// What it is the number of, where an array is found instead of an object.
    pub index: Option<usize>,
    pub target: Target,
    /// The last event that had it, for finding duplicate keys.
    pub event: u64,
}

impl Child {
    fn of(name: &[u8], target: Target) -> Child {
        let number = std::str::from_utf8(name).ok().and_then(|text| text.parse::<usize>().ok());
        let index = number.filter(|number| number.to_string().as_bytes() == name);
        Child { name: name.to_vec(), index, target, event: 0 }
    }
}

/// A key as a document had it at some place of an object, and what it meant.
#[derive(Default)]
struct Key {
    text: Vec<u8>,
    head: Head,
    child: Option<usize>,
}

#[derive(Default)]
pub struct Node {
    pub children: Vec<Child>,
    /// The keys of the last document, unknown ones too: the next mostly has the same at the same places.
    keys: Vec<Key>,
}

/// Keys remembered per object, and their longest.
const KEYS_MAX: usize = 64;
const KEY_BYTES_MAX: usize = 64;

impl Node {
    /// The key at hand (its opening quote is) when it is the one remembered for this place: what it means, its length.
    #[inline]
    pub fn guessed(&self, place: usize, quoted: &[u8]) -> Option<(Option<usize>, usize)> {
        let key = self.keys.get(place)?;
        key.head.matches(&key.text, quoted).then_some((key.child, key.text.len() + 2))
    }

    /// Remember a key, which has no escapes.
    pub fn remember(&mut self, place: usize, text: &[u8], child: Option<usize>) {
        if place >= KEYS_MAX || text.len() > KEY_BYTES_MAX {
            return;
        }
        if self.keys.len() <= place {
            self.keys.resize_with(place + 1, Key::default);
        }
        let key = &mut self.keys[place];
        key.text.clear();
        key.text.extend_from_slice(text);
        key.head = Head::of(text);
        key.child = child;
    }
}

/// The pointers of all slots as a tree; the root is node 0.
pub struct Plan {
    pub nodes: Vec<Node>,
    pub event: u64,
}

impl Plan {
    /// No pointer may be the beginning of another; the caller sees to that.
    pub fn new(pointers: &[(usize, Vec<String>)]) -> Self {
        let mut plan = Plan { nodes: vec![Node::default()], event: 0 };
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
        let target = container.map_or(Target::Slot(slot), Target::Container);
        self.nodes[at].children.push(Child::of(leaf.as_bytes(), target));
    }

    fn inner(&mut self, at: usize, name: &[u8], field: bool) -> usize {
        for child in self.nodes[at].children.iter_mut().filter(|child| child.name == name) {
            if let Target::Inner { node, of_field } = &mut child.target {
                *of_field |= field;
                return *node;
            }
        }
        let node = self.nodes.len();
        self.nodes.push(Node::default());
        self.nodes[at].children.push(Child::of(name, Target::Inner { node, of_field: field }));
        node
    }
}
