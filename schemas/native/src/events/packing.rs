//! Events of a batch as packed records, one or more for each part they go to, as `packed_parts` of
//! `schemas/events/packed.py`.
#![forbid(unsafe_code)]

use std::ops::Range;

use hashbrown::HashMap;
use numpy::PyReadonlyArray1;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::arrays::{check_ascending, check_codes, check_length, slice};
use crate::events::packed::{self, put_each, put_whole};

const RECORD_BYTES_MAX: usize = 900_000;
/// At most, without texts: of an event, of one of its values, and of what there is beside a text.
const EVENT_BYTES: usize = 64;
const VALUE_BYTES: usize = 16;
const TEXT_BYTES: usize = 4;

type Array<'py, T> = PyReadonlyArray1<'py, T>;
/// Offsets, times, model, version, ids, rows.
type Own<'py> =
    (Array<'py, i64>, Array<'py, i64>, Array<'py, i32>, Array<'py, i32>, Array<'py, u64>, Option<Array<'py, i32>>);
type Triple<'py, T> = (Array<'py, i32>, Array<'py, i32>, Array<'py, T>);
/// Numbers, texts, nulls.
type Tables<'py> = (Triple<'py, f64>, Triple<'py, i32>, (Array<'py, i32>, Array<'py, i32>));
/// Event, field and reason of what could not be used.
type Odd = (i32, String, u8);

/// Values of events: where those of each begin, and their names.
struct Table<'a> {
    begins: Vec<usize>,
    name: &'a [i32],
}

impl<'a> Table<'a> {
    fn new(event: &[i32], name: &'a [i32], events: usize, names: usize) -> PyResult<Self> {
        check_length(&[event.len(), name.len()])?;
        check_codes(event, events)?;
        check_ascending(event)?;
        check_codes(name, names)?;
        let (mut begins, mut at, mut each) = (Vec::with_capacity(events + 1), 0, 0);
        for number in 0..events as i32 {
            begins.push(at);
            // They ascend, so an event that has as many as the one before shows it by its last, and by what is behind.
            let as_many =
                each > 0 && event.get(at + each - 1) == Some(&number) && event.get(at + each) != Some(&number);
            if !as_many {
                each = event[at..].iter().take_while(|&&event| event == number).count();
            }
            at += each;
        }
        begins.push(at);
        Ok(Table { begins, name })
    }

    #[inline(always)]
    fn of(&self, event: u32) -> Range<usize> {
        self.begins[event as usize]..self.begins[event as usize + 1]
    }
}

struct Batch<'a> {
    topic: &'a str,
    partition: u32,
    offsets: &'a [i64],
    times_ms: &'a [i64],
    model: &'a [i32],
    version: &'a [i32],
    event_id: &'a [u64],
    rows: Option<&'a [i32]>,
    names: Vec<&'a str>,
    strings: Vec<&'a str>,
    tables: [Table<'a>; 3],
    value: &'a [f64],
    text: &'a [i32],
    odd: Vec<Odd>,
}

/// Which of the texts of a batch are in a record, and their codes there.
struct Texts<'a> {
    code: Vec<u32>,
    kept: Vec<&'a str>,
}

impl<'a> Texts<'a> {
    fn of(texts: &[&'a str], there: &[bool]) -> Self {
        let mut kept = Vec::new();
        let mut keep = |(&text, &there): (&&'a str, &bool)| {
            let code = kept.len() as u32;
            if there {
                kept.push(text);
            }
            code
        };
        let code = texts.iter().zip(there).map(&mut keep).collect();
        Texts { code, kept }
    }
}

impl Batch<'_> {
    /// What each event takes in bytes, at most, as if it shared no text with another; nothing where no lane has more of
    /// them than fit into one record.
    fn weights(&self, lane: &[i64]) -> Option<Vec<usize>> {
        let sizes = |texts: &[&str]| texts.iter().map(|text| text.len() + TEXT_BYTES).collect::<Vec<_>>();
        let (names, strings) = (sizes(&self.names), sizes(&self.strings));
        let most = |sizes: &[usize]| sizes.iter().copied().max().unwrap_or(0);
        let (name, string) = (most(&names), most(&strings));
        let odd = self.odd.iter().map(|(_, field, _)| VALUE_BYTES + TEXT_BYTES + field.len());
        // At most, by how many values they have: a look at each of these costs a quarter of packing them.
        let mut of_lane = HashMap::<i64, usize>::new();
        for (event, &lane) in lane.iter().enumerate() {
            let [numbers, texts, nulls] = [0, 1, 2].map(|table: usize| self.tables[table].of(event as u32).len());
            *of_lane.entry(lane).or_default() +=
                EVENT_BYTES + 2 * string + (numbers + texts + nulls) * (VALUE_BYTES + name) + texts * string;
        }
        if of_lane.values().max().unwrap_or(&0) + odd.clone().sum::<usize>() <= RECORD_BYTES_MAX {
            return None;
        }
        let of = |code: i32| strings.get(code as usize).copied().unwrap_or(0);
        let mut weights: Vec<usize> = self
            .model
            .iter()
            .zip(self.version)
            .map(|(&model, &version)| EVENT_BYTES + of(model) + of(version))
            .collect();
        for (event, weight) in weights.iter_mut().enumerate() {
            for table in &self.tables {
                *weight +=
                    table.name[table.of(event as u32)].iter().map(|&n| VALUE_BYTES + names[n as usize]).sum::<usize>();
            }
            *weight += self.text[self.tables[1].of(event as u32)].iter().map(|&text| of(text)).sum::<usize>();
        }
        self.odd.iter().zip(odd).for_each(|((event, ..), size)| weights[*event as usize] += size);
        Some(weights)
    }

    /// These events, which ascend, as one record.
    fn record(&self, events: &[u32], retained: bool) -> Vec<u8> {
        let (mut names, mut strings) = (vec![false; self.names.len()], vec![false; self.strings.len() + 1]);
        let (none, alike) = (self.strings.len(), self.alike(events));
        for (number, &event) in events.iter().enumerate() {
            let at = event as usize;
            for table in &self.tables[usize::from(alike && number > 0)..] {
                table.name[table.of(event)].iter().for_each(|&name| names[name as usize] = true);
            }
            self.text[self.tables[1].of(event)].iter().for_each(|&text| strings[text as usize] = true);
            strings[self.model[at] as usize] = true;
            strings[usize::try_from(self.version[at]).unwrap_or(none)] = true;
        }
        let (names, strings) = (Texts::of(&self.names, &names), Texts::of(&self.strings, &strings));
        let odd = self.odd_of(events);
        let fields = odd.iter().map(|&(_, odd)| self.odd[odd].1.as_str());
        let texts: Vec<&str> = [self.topic]
            .into_iter()
            .chain(names.kept.iter().copied())
            .chain(strings.kept.iter().copied())
            .chain(fields)
            .collect();
        let held = [0, 1, 2].map(|t: usize| events.iter().map(|&event| self.tables[t].of(event).len()).sum::<usize>());
        let rows = packed::ROWS * u8::from(self.rows.is_some());
        let flags = packed::RETAINED * u8::from(retained) + rows + packed::ALIKE * u8::from(alike);
        let own = [self.partition as usize, events.len()];
        let counts = [own[0], own[1], held[0], held[1], held[2], names.kept.len(), strings.kept.len(), odd.len()];
        let mut out = packed::begin(flags, counts);
        out.reserve(events.len() * EVENT_BYTES + held.iter().sum::<usize>() * (VALUE_BYTES - 4));
        put_whole(&mut out, &texts.iter().map(|text| text.len() as i64).collect::<Vec<_>>(), 1);
        self.own(&mut out, events, &strings);
        self.values(&mut out, events, if alike { &events[..1] } else { events }, &names, &strings);
        put_whole(&mut out, &odd.iter().map(|&(event, _)| event).collect::<Vec<_>>(), 0);
        put_whole(&mut out, &odd.iter().map(|&(_, odd)| i64::from(self.odd[odd].2)).collect::<Vec<_>>(), 0);
        texts.iter().for_each(|text| out.extend_from_slice(text.as_bytes()));
        packed::seal(&mut out);
        out
    }

    /// What of these events could not be used: the number of the event among them, and that of the field.
    fn odd_of(&self, events: &[u32]) -> Vec<(i64, usize)> {
        let mut found = Vec::new();
        if !self.odd.is_empty() {
            for (number, &event) in events.iter().enumerate() {
                let first = self.odd.partition_point(|&(other, ..)| (other as u32) < event);
                let mine = self.odd[first..].iter().take_while(|&&(other, ..)| other as u32 == event).count();
                found.extend((first..first + mine).map(|odd| (number as i64, odd)));
            }
        }
        found
    }

    fn own(&self, out: &mut Vec<u8>, events: &[u32], strings: &Texts) {
        put_each(out, events.iter().map(|&event| self.event_id[event as usize].to_le_bytes()));
        let mut put = |of: &dyn Fn(usize) -> i64| {
            put_whole(out, &events.iter().map(|&event| of(event as usize)).collect::<Vec<_>>(), 0);
        };
        put(&|event| self.offsets[event]);
        put(&|event| self.times_ms[event]);
        put(&|event| strings.code[self.model[event] as usize].into());
        put(&|event| usize::try_from(self.version[event]).map_or(0, |code| i64::from(strings.code[code]) + 1));
        if let Some(rows) = self.rows {
            put(&|event| rows[event].into());
        }
    }

    /// Whether all have numbers, and of the same names in the same order.
    fn alike(&self, events: &[u32]) -> bool {
        let of = |event: u32| &self.tables[0].name[self.tables[0].of(event)];
        let first = events.first().map_or(&[][..], |&first| of(first));
        !first.is_empty() && events.iter().all(|&event| of(event) == first)
    }

    /// `named`: the events whose numbers have their names written down.
    fn values(&self, out: &mut Vec<u8>, events: &[u32], named: &[u32], names: &Texts, strings: &Texts) {
        let mut codes = Vec::<u32>::new();
        for (number, table) in self.tables.iter().enumerate() {
            codes.clear();
            for &event in if number == 0 { named } else { events } {
                codes.extend(table.name[table.of(event)].iter().map(|&name| names.code[name as usize]));
            }
            put_whole(out, &codes, 1);
            if number == 0 {
                let mut at = out.len();
                out.resize(at + 8 * events.iter().map(|&event| table.of(event).len()).sum::<usize>(), 0);
                for &event in events {
                    let values = &self.value[table.of(event)];
                    let (begin, end) = (at, at + 8 * values.len());
                    at = end;
                    let places = out[begin..end].chunks_exact_mut(8);
                    places.zip(values).for_each(|(place, value)| place.copy_from_slice(&value.to_le_bytes()));
                }
            } else if number == 1 {
                codes.clear();
                for &event in events {
                    codes.extend(self.text[table.of(event)].iter().map(|&text| strings.code[text as usize]));
                }
                put_whole(out, &codes, 0);
            }
            put_whole(out, &events.iter().map(|&event| table.of(event).len() as i64).collect::<Vec<_>>(), 0);
        }
    }
}

/// Events in the order of their lanes, and which of them are a record: of one lane as many in a row as one may have.
fn pieces(lane: &[i64], weights: Option<&[usize]>) -> (Vec<u32>, Vec<Range<usize>>) {
    let mut order: Vec<u32> = (0..lane.len() as u32).collect();
    if !lane.is_sorted() {
        order.sort_by_key(|&event| lane[event as usize]);
    }
    let (mut found, mut begin, mut weight) = (Vec::new(), 0, 0);
    for (at, &event) in order.iter().enumerate() {
        let own = weights.map_or(0, |weights| weights[event as usize]);
        let same = lane[event as usize] == lane[order[begin] as usize];
        if at > begin && (!same || weight + own > RECORD_BYTES_MAX) {
            found.push(begin..at);
            (begin, weight) = (at, 0);
        }
        weight += own;
    }
    if begin < order.len() {
        found.push(begin..order.len());
    }
    (order, found)
}

fn texts_of<'a>(texts: &'a Bound<'_, PyTuple>) -> PyResult<Vec<&'a str>> {
    texts.iter_borrowed().map(|text| text.extract()).collect()
}

/// `place`: topic and partition of the events, and the offset before which they were there before the first start.
/// `part`: where each event goes, nowhere where it is below 0. `texts`: names and strings.
#[pyfunction]
pub fn pack<'py>(
    py: Python<'py>,
    place: (String, u32, i64),
    part: Array<'py, i64>,
    own: Own<'py>,
    texts: (Bound<'py, PyTuple>, Bound<'py, PyTuple>),
    tables: Tables<'py>,
    odd: Vec<Odd>,
) -> PyResult<Vec<(i64, Bound<'py, PyBytes>)>> {
    let (part, (topic, partition, first_end), (numbers, others, nulls)) = (slice(&part)?, place, tables);
    let (names, strings) = (texts_of(&texts.0)?, texts_of(&texts.1)?);
    let (offsets, count) = (slice(&own.0)?, names.len());
    let events = offsets.len();
    let table = |event: &_, name| Table::new(slice(event)?, name, events, count);
    let tables = [
        table(&numbers.0, slice(&numbers.1)?)?,
        table(&others.0, slice(&others.1)?)?,
        table(&nulls.0, slice(&nulls.1)?)?,
    ];
    let mut batch = Batch {
        topic: &topic,
        partition,
        offsets,
        times_ms: slice(&own.1)?,
        model: slice(&own.2)?,
        version: slice(&own.3)?,
        event_id: slice(&own.4)?,
        rows: own.5.as_ref().map(slice).transpose()?,
        names,
        strings,
        tables,
        value: slice(&numbers.2)?,
        text: slice(&others.2)?,
        odd,
    };
    check(&batch, part.len())?;
    batch.odd.sort_by_key(|&(event, ..)| event);
    let lane: Vec<i64> = part
        .iter()
        .zip(offsets)
        .map(|(&part, &offset)| if part < 0 { -1 } else { 2 * part + i64::from(offset >= first_end) })
        .collect();
    let records: Vec<(i64, Vec<u8>)> = py.detach(|| {
        let (order, pieces) = pieces(&lane, batch.weights(&lane).as_deref());
        let of = |piece: Range<usize>| {
            let lane = lane[order[piece.start] as usize];
            (lane >= 0).then(|| (lane / 2, batch.record(&order[piece], lane % 2 == 0)))
        };
        pieces.into_iter().filter_map(of).collect()
    });
    Ok(records.into_iter().map(|(part, record)| (part, PyBytes::new(py, &record))).collect())
}

fn check(batch: &Batch, parts: usize) -> PyResult<()> {
    let (events, texts) = (batch.offsets.len(), batch.strings.len());
    let own = [batch.times_ms.len(), batch.model.len(), batch.version.len(), batch.event_id.len()];
    check_length(&[events, parts, own[0], own[1], own[2], own[3], batch.rows.map_or(events, <[i32]>::len)])?;
    check_length(&[batch.tables[0].name.len(), batch.value.len()])?;
    check_length(&[batch.tables[1].name.len(), batch.text.len()])?;
    check_codes(batch.model, texts)?;
    check_codes(batch.text, texts)?;
    let strange = |&version: &i32| version < -1 || version as i64 >= texts as i64;
    let lost = |(event, ..): &Odd| *event < 0 || *event as usize >= events;
    if batch.version.iter().any(strange) || batch.odd.iter().any(lost) || events > i32::MAX as usize {
        return Err(PyValueError::new_err("a code that does not exist"));
    }
    Ok(())
}
