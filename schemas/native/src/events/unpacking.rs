//! Records of the ordered log as one batch, as `events_of` of `schemas/events/packed.py`.
#![forbid(unsafe_code)]

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::arrays::slice;
use crate::events::decode::bytes_of;
use crate::events::names::Strings;
use crate::events::packed::{Limits, Packed, Table, claimed, eights, read};
use crate::kafka::intake::Messages;
use crate::kafka::librdkafka::Message;

/// Values of a table: event, name and what they are.
#[derive(Default)]
struct Column<T> {
    event: Vec<i32>,
    name: Vec<i32>,
    value: Vec<T>,
}

impl<T> Column<T> {
    fn with_room(values: usize) -> Self {
        Column {
            event: Vec::with_capacity(values),
            name: Vec::with_capacity(values),
            value: Vec::with_capacity(if size_of::<T>() > 0 { values } else { 0 }),
        }
    }

    /// Events and names of a record whose first event is `begin` here.
    fn take(&mut self, table: &Table, begin: usize, name: &[i32]) {
        for (event, &each) in (begin as i32..).zip(&table.each) {
            self.event.resize(self.event.len() + each as usize, event);
        }
        if table.alike {
            let mut names = Vec::with_capacity(table.name.count);
            table.name.extend(&mut names, |code| name[code as usize]);
            table.each.iter().for_each(|_| self.name.extend_from_slice(&names));
        } else {
            table.name.extend(&mut self.name, |code| name[code as usize]);
        }
    }
}

/// The batch under construction.
struct United<'a> {
    offsets: Vec<i64>,
    times_ms: Vec<i64>,
    model: Vec<i32>,
    version: Vec<i32>,
    event_id: Vec<u64>,
    rows: Vec<i32>,
    names: Strings,
    strings: Strings,
    numbers: Column<f64>,
    texts: Column<i32>,
    nulls: Column<()>,
    odd: Vec<(i64, String, i64)>,
    origin_topic: Vec<i32>,
    origin_partition: Vec<i32>,
    origin_offset: Vec<i64>,
    origin_row: Vec<i32>,
    /// The names of the last record, and their codes here: the next one mostly has the same.
    last: (Vec<&'a str>, Vec<i32>),
    /// Of each record: its topic, and how many events it has.
    topics: Vec<(&'a str, usize)>,
}

impl<'a> United<'a> {
    fn with_room([events, numbers, texts, nulls]: [usize; 4]) -> Self {
        United {
            offsets: Vec::with_capacity(events),
            times_ms: Vec::with_capacity(events),
            model: Vec::with_capacity(events),
            version: Vec::with_capacity(events),
            event_id: Vec::with_capacity(events),
            rows: Vec::with_capacity(events),
            names: Strings::default(),
            strings: Strings::default(),
            numbers: Column::with_room(numbers),
            texts: Column::with_room(texts),
            nulls: Column::with_room(nulls),
            odd: Vec::new(),
            origin_topic: Vec::with_capacity(events),
            origin_partition: Vec::with_capacity(events),
            origin_offset: Vec::with_capacity(events),
            origin_row: Vec::with_capacity(events),
            last: Default::default(),
            topics: Vec::new(),
        }
    }

    /// Append the events of a record.
    fn take(&mut self, record: Packed<'a>, offset: i64) {
        let begin = self.offsets.len();
        let end = begin + record.count;
        if record.names != self.last.0 {
            self.last.1 = record.names.iter().map(|text| self.names.code(text.as_bytes())).collect();
            self.last.0 = record.names;
        }
        let (name, strings) = (&self.last.1, &mut self.strings);
        let text: Vec<i32> = record.strings.iter().map(|text| strings.code(text.as_bytes())).collect();
        self.offsets.resize(end, offset);
        record.times_ms.extend(&mut self.times_ms, |time_ms| time_ms);
        record.model.extend(&mut self.model, |code| text[code as usize]);
        record.version.extend(&mut self.version, |code| if code == 0 { -1 } else { text[code as usize - 1] });
        eights(record.event_id, &mut self.event_id, u64::from_le_bytes);
        self.rows.extend(0..record.count as i32);
        self.numbers.take(&record.numbers, begin, name);
        eights(record.numbers.value, &mut self.numbers.value, f64::from_le_bytes);
        self.texts.take(&record.texts, begin, name);
        if let Some(texts) = &record.texts.text {
            texts.extend(&mut self.texts.value, |code| text[code as usize]);
        }
        self.nulls.take(&record.nulls, begin, name);
        let odd = record.odd.iter().zip(&record.fields);
        self.odd.extend(odd.map(|(&(event, reason), &field)| (begin as i64 + event, field.to_owned(), reason)));
        self.origin_partition.resize(end, record.partition);
        self.origin_offset.extend_from_slice(&record.offsets);
        match &record.rows {
            Some(rows) => rows.extend(&mut self.origin_row, |row| row as i32),
            None => self.origin_row.resize(end, -1),
        }
        self.topics.push((record.topic, record.count));
    }

    /// The topics stand behind all other texts.
    fn with_topics(mut self) -> Self {
        for &(topic, count) in &self.topics {
            let topic = self.strings.code(topic.as_bytes());
            self.origin_topic.resize(self.origin_topic.len() + count, topic);
        }
        self
    }
}

type Array<'py, T> = Bound<'py, PyArray1<T>>;
/// Offsets, times, model, version, ids, rows.
type Own<'py> = (Array<'py, i64>, Array<'py, i64>, Array<'py, i32>, Array<'py, i32>, Array<'py, u64>, Array<'py, i32>);
type Triple<'py, T> = (Array<'py, i32>, Array<'py, i32>, Array<'py, T>);
type Origin<'py> = (Array<'py, i32>, Array<'py, i32>, Array<'py, i64>, Array<'py, i32>);
/// Which records are damaged, and how; the first that is not of before the first start; bytes of all.
type Account = (Vec<(usize, String)>, Option<usize>, usize);
/// Columns; names, strings; numbers, texts, nulls; what could not be used of an event; where the events are from.
type Unpacked<'py> = (
    Own<'py>,
    (Bound<'py, PyTuple>, Bound<'py, PyTuple>),
    Triple<'py, f64>,
    Triple<'py, i32>,
    (Array<'py, i32>, Array<'py, i32>),
    Vec<(i64, String, i64)>,
    Origin<'py>,
    Account,
);

/// `values`: messages as they were taken, or a tuple of bytes and None. `limits`: the end of all times, and how many
/// reasons there are for what is odd.
#[pyfunction]
pub fn unpack<'py>(
    py: Python<'py>,
    values: &Bound<'py, PyAny>,
    offsets: PyReadonlyArray1<'py, i64>,
    limits: Limits,
) -> PyResult<Unpacked<'py>> {
    let (offsets, taken) = (slice(&offsets)?, values.extract::<PyRef<Messages>>());
    let held = taken.as_ref().ok().map(|taken| taken.held());
    let payloads: Vec<Option<&[u8]>> = match &held {
        Some(messages) => messages.iter().map(Message::value).collect(),
        None => bytes_of(values.cast()?),
    };
    if offsets.len() != payloads.len() {
        return Err(PyValueError::new_err("columns of different length"));
    }
    let (united, account) = py.detach(|| {
        let room = payloads.iter().flatten().map(|payload| claimed(payload));
        let mut united = United::with_room(room.fold([0; 4], |sum, own| std::array::from_fn(|i| sum[i] + own[i])));
        let (mut news, mut bad) = (None, Vec::new());
        for (place, payload) in payloads.iter().enumerate() {
            match read(payload.unwrap_or_default(), limits) {
                Ok(record) => {
                    news = news.or((!record.retained).then_some(place));
                    united.take(record, offsets[place]);
                }
                Err(why) => bad.push((place, why)),
            }
        }
        let size = payloads.iter().flatten().map(|payload| payload.len()).sum();
        (united.with_topics(), (bad, news, size))
    });
    arrays(py, united, account)
}

fn arrays<'py>(py: Python<'py>, united: United, account: Account) -> PyResult<Unpacked<'py>> {
    let United { names, strings, numbers, texts, nulls, odd, .. } = united;
    let own = (
        united.offsets.into_pyarray(py),
        united.times_ms.into_pyarray(py),
        united.model.into_pyarray(py),
        united.version.into_pyarray(py),
        united.event_id.into_pyarray(py),
        united.rows.into_pyarray(py),
    );
    let origin = (
        united.origin_topic.into_pyarray(py),
        united.origin_partition.into_pyarray(py),
        united.origin_offset.into_pyarray(py),
        united.origin_row.into_pyarray(py),
    );
    Ok((
        own,
        (PyTuple::new(py, names.texts(py))?, PyTuple::new(py, strings.texts(py))?),
        (numbers.event.into_pyarray(py), numbers.name.into_pyarray(py), numbers.value.into_pyarray(py)),
        (texts.event.into_pyarray(py), texts.name.into_pyarray(py), texts.value.into_pyarray(py)),
        (nulls.event.into_pyarray(py), nulls.name.into_pyarray(py)),
        odd,
        origin,
        account,
    ))
}
