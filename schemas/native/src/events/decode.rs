//! Records to columns, as `schemas/events/native_json.py`. A record this decoder is not sure of is named, and Python decides.

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use crate::arrays::{prefetch_text, slice};
use crate::events::event::Event;
use crate::events::names::{Names, Strings};
use crate::events::plan::{
    CALLER, CONFIDENCE, FIELDS, LABEL, LATENCY, MODEL, Plan, SEGMENT, STATUS, TIME, VALUE, VERSION,
};
use crate::events::scalar::{Kind, Odd, Res, Scalar};
use crate::events::scan::Scanner;
use crate::events::shape::Shapes;
use crate::events::text::beginning;
use crate::kafka::intake::Messages;
use crate::kafka::librdkafka::Message;

struct Column<T> {
    event: Vec<i32>,
    name: Vec<i32>,
    value: Vec<T>,
}

impl<T> Column<T> {
    fn with_room_for(count: usize) -> Self {
        Column { event: Vec::with_capacity(count), name: Vec::with_capacity(count), value: Vec::with_capacity(count) }
    }

    #[inline]
    fn push(&mut self, event: usize, name: i32, value: T) {
        self.event.push(event as i32);
        self.name.push(name);
        self.value.push(value);
    }
}

/// The batch under construction.
struct Columns {
    offsets: Vec<i64>,
    times_ms: Vec<i64>,
    model: Vec<i32>,
    version: Vec<i32>,
    event_id: Vec<u64>,
    numbers: Column<f64>,
    texts: Column<i32>,
    nulls: Column<()>,
    odd: Vec<i64>,
}

impl Columns {
    fn with_room(events: usize, [numbers, texts, nulls]: [usize; 3]) -> Self {
        Columns {
            offsets: Vec::with_capacity(events),
            times_ms: Vec::with_capacity(events),
            model: Vec::with_capacity(events),
            version: Vec::with_capacity(events),
            event_id: Vec::with_capacity(events),
            numbers: Column::with_room_for(numbers + numbers / 8),
            texts: Column::with_room_for(texts + texts / 8),
            nulls: Column::with_room_for(nulls + nulls / 8),
            odd: Vec::new(),
        }
    }
}

/// A record's own data: what the log says of it.
struct Place<'a> {
    payload: &'a [u8],
    offset: i64,
    time_ms: i64,
}

#[pyclass]
pub struct Decoder {
    plan: Plan,
    names: Names,
    strings: Strings,
    shapes: Shapes,
    event: Event,
    label: u32,
    value: u32,
    confidence: u32,
    latency: u32,
    status: u32,
    caller: u32,
    extra: Vec<u32>,
    outside: Vec<usize>,
    message_bytes: usize,
    /// Numbers, texts and nulls of the last batch: about as many as the next one will have.
    values_before: [usize; 3],
    /// Per slot the text it had last, as numbered in this batch.
    hints: [i32; FIELDS],
}

impl Decoder {
    /// Add one record to the columns, or nothing at all.
    fn record(&mut self, columns: &mut Columns, place: &Place, outside: &[Option<&[u8]>]) -> Res<()> {
        if place.payload.is_empty() || place.payload.len() > self.message_bytes {
            return Err(Odd);
        }
        let shaped = self.read(place.payload)?;
        for (&slot, text) in self.outside.iter().zip(outside) {
            self.event.slots[slot] = outside_value(&mut self.event, slot, *text)?;
        }
        let (event, payload) = (&self.event, place.payload);
        event.check(payload)?;
        let (version, model, id) = (event.version(payload)?, event.model(payload)?, event.id(payload)?);
        let time_ms = event.time_ms(payload, place.time_ms)?;
        columns.offsets.push(place.offset);
        columns.times_ms.push(time_ms);
        let (mut code, hint) = (-1, &mut self.hints[MODEL]);
        event.named(payload, model, |text| code = self.strings.code_near(text, hint));
        columns.model.push(code);
        let (mut code, hint) = (-1, &mut self.hints[VERSION]);
        event.named(payload, version, |text| code = self.strings.code_near(text, hint));
        columns.version.push(code);
        columns.event_id.push(id);
        self.values(columns, payload);
        if shaped {
            self.shapes.confirm()
        } else {
            self.shapes.learn(payload, &self.event.met)
        }
        Ok(())
    }

    /// Read the document into `event`; whether it was of the shape expected.
    fn read(&mut self, payload: &[u8]) -> Res<bool> {
        self.event.clear();
        let scanner = Scanner::new(payload);
        for number in self.shapes.expected() {
            let Some(shape) = self.shapes.get(number) else { break };
            if self.event.shaped(payload, shape).is_ok() {
                self.shapes.found(number);
                return Ok(true);
            }
            self.event.clear();
        }
        self.names.begin_event();
        self.event.document(scanner, &mut self.plan, &mut self.names)?;
        Ok(false)
    }

    /// The fields behind the first four, in the order of FIELDS.
    fn values(&mut self, columns: &mut Columns, payload: &[u8]) {
        let at = columns.offsets.len() - 1;
        let slots = [VALUE, CONFIDENCE, LATENCY, STATUS, CALLER].map(|slot| self.event.slots[slot]);
        let ([value, confidence, latency, status, caller], label) = (slots, self.event.label());
        if self.event.plain.is_empty() {
            self.members(columns, payload, at)
        } else {
            self.plain(columns, at)
        }
        self.text(columns, payload, at, self.label, label, LABEL);
        self.number(columns, at, self.value, value.number());
        self.numbers(columns, at, 1);
        let given = confidence.number().or_else(|| self.event.greatest_score());
        self.number(columns, at, self.confidence, given);
        self.numbers(columns, at, 2);
        self.number(columns, at, self.latency, latency.number());
        self.text(columns, payload, at, self.status, status, STATUS);
        self.text(columns, payload, at, self.caller, caller, CALLER);
        for i in 0..self.event.members[3].len() {
            let (id, value) = self.event.members[3][i];
            self.text(columns, payload, at, id, value, SEGMENT);
        }
        for i in 0..self.extra.len() {
            leaf(
                columns,
                &mut self.names,
                &mut self.strings,
                &self.event,
                payload,
                at,
                self.extra[i],
                self.event.slots[FIELDS + i],
            );
        }
    }

    /// Features that are numbers, all of them, of an event of the shape expected.
    fn plain(&mut self, columns: &mut Columns, at: usize) {
        let Some(shape) = self.shapes.current() else { return };
        let (numbers, values) = (&mut columns.numbers, &self.event.plain);
        numbers.event.resize(numbers.event.len() + values.len(), at as i32);
        numbers.name.extend_from_slice(shape.codes(&mut self.names));
        numbers.value.extend_from_slice(values);
    }

    fn members(&mut self, columns: &mut Columns, payload: &[u8], at: usize) {
        for &(id, value) in &self.event.members[0] {
            leaf(columns, &mut self.names, &mut self.strings, &self.event, payload, at, id, value);
        }
    }

    fn numbers(&mut self, columns: &mut Columns, at: usize, own: usize) {
        for &(id, value) in &self.event.members[own] {
            if let Some(number) = value.number() {
                columns.numbers.push(at, self.names.code(id), number);
            }
        }
    }

    fn number(&mut self, columns: &mut Columns, at: usize, id: u32, value: Option<f64>) {
        if let Some(number) = value {
            columns.numbers.push(at, self.names.code(id), number);
        }
    }

    /// A naming value: whatever its type, a text.
    fn text(&mut self, columns: &mut Columns, payload: &[u8], at: usize, id: u32, value: Scalar, slot: usize) {
        let (names, strings, hint) = (&mut self.names, &mut self.strings, &mut self.hints[slot]);
        let take = |text: &[u8]| columns.texts.push(at, names.code(id), strings.code_near(text, hint));
        self.event.named(payload, value, take);
    }
}

/// A feature or an extra pointer: any leaf, null too.
#[allow(clippy::too_many_arguments)]
#[inline]
fn leaf(
    columns: &mut Columns,
    names: &mut Names,
    strings: &mut Strings,
    event: &Event,
    payload: &[u8],
    at: usize,
    id: u32,
    value: Scalar,
) {
    match value.kind {
        Kind::Absent => {}
        Kind::Null => columns.nulls.push(at, names.code(id), ()),
        Kind::Bool => {
            let text: &[u8] = if value.truth() { b"true" } else { b"false" };
            columns.texts.push(at, names.code(id), strings.code(text));
        }
        Kind::Text | Kind::Made => {
            let text = beginning(event.text(payload, value).unwrap_or_default());
            columns.texts.push(at, names.code(id), strings.code(text));
        }
        _ => columns.numbers.push(at, names.code(id), value.number().unwrap_or_default()),
    }
}

/// A key, a header or the topic's name as the value of a slot; where a number is wanted it is read as JSON.
fn outside_value(event: &mut Event, slot: usize, text: Option<&[u8]>) -> Res<Scalar> {
    let Some(text) = text else { return Ok(Scalar::ABSENT) };
    if std::str::from_utf8(text).is_err() {
        return Err(Odd);
    }
    let mut scanner = Scanner::new(text);
    if matches!(slot, VALUE | CONFIDENCE | LATENCY | TIME) {
        scanner.token();
        if let Ok(number) = scanner.number() {
            scanner.token();
            if scanner.at == text.len() {
                return Ok(number);
            }
        }
        if slot != TIME {
            return Err(Odd);
        }
    }
    let start = event.arena.len();
    event.arena.extend_from_slice(text);
    Ok(Scalar::text(Kind::Made, start, event.arena.len()))
}

type Triple<'py, T> = (Bound<'py, PyArray1<i32>>, Bound<'py, PyArray1<i32>>, T);

/// offsets, times, model, version, ids; names, strings; numbers, texts, nulls; indices of the records left to Python;
/// bytes of the payloads.
type Decoded<'py> = (
    (Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<i64>>),
    (Bound<'py, PyArray1<i32>>, Bound<'py, PyArray1<i32>>, Bound<'py, PyArray1<u64>>),
    (Bound<'py, PyTuple>, Bound<'py, PyTuple>),
    Triple<'py, Bound<'py, PyArray1<f64>>>,
    Triple<'py, Bound<'py, PyArray1<i32>>>,
    (Bound<'py, PyArray1<i32>>, Bound<'py, PyArray1<i32>>),
    Bound<'py, PyArray1<i64>>,
    usize,
);

/// The bytes of each item, or None for anything else: a record without a value. A tuple keeps its items.
pub fn bytes_of<'a>(items: &'a Bound<'_, PyTuple>) -> Vec<Option<&'a [u8]>> {
    items.iter_borrowed().map(|item| item.extract().ok()).collect()
}

#[pymethods]
impl Decoder {
    /// `pointers`: slot and steps of each pointer, none the beginning of another; slots from FIELDS on are `extra`, in
    /// order. `outside`: slots whose texts come with each call. `naming`: as it is in `Event`.
    #[new]
    fn new(
        pointers: Vec<(usize, Vec<String>)>,
        extra: Vec<String>,
        outside: Vec<usize>,
        message_bytes: usize,
        naming: (Vec<String>, usize),
    ) -> PyResult<Self> {
        let slots = FIELDS + extra.len();
        if pointers.iter().any(|(slot, _)| *slot >= slots) || outside.iter().any(|slot| *slot >= FIELDS) {
            return Err(PyValueError::new_err("a slot that does not exist"));
        }
        let mut names = Names::new();
        Ok(Decoder {
            plan: Plan::new(&pointers),
            strings: Strings::default(),
            shapes: Shapes::default(),
            event: Event::new(slots, naming),
            label: names.fix("prediction.label"),
            value: names.fix("prediction.value"),
            confidence: names.fix("prediction.confidence"),
            latency: names.fix("latency_ms"),
            status: names.fix("status"),
            caller: names.fix("caller"),
            extra: extra.iter().map(|text| names.fix(text)).collect(),
            names,
            outside,
            message_bytes,
            values_before: [0; 3],
            hints: [-1; FIELDS],
        })
    }

    /// `values`: messages as they were taken, or a tuple of bytes and None.
    fn decode<'py>(
        &mut self,
        py: Python<'py>,
        values: &Bound<'py, PyAny>,
        offsets: PyReadonlyArray1<'py, i64>,
        times_ms: PyReadonlyArray1<'py, i64>,
        outside: Vec<Bound<'py, PyTuple>>,
    ) -> PyResult<Decoded<'py>> {
        let (offsets, times_ms, taken) = (slice(&offsets)?, slice(&times_ms)?, values.extract::<PyRef<Messages>>());
        let held = taken.as_ref().ok().map(|taken| taken.held());
        let payloads = match &held {
            Some(messages) => messages.iter().map(Message::value).collect(),
            None => bytes_of(values.cast()?),
        };
        let outside: Vec<Vec<Option<&[u8]>>> = outside.iter().map(bytes_of).collect();
        let n = payloads.len();
        if offsets.len() != n
            || times_ms.len() != n
            || outside.len() != self.outside.len()
            || outside.iter().any(|o| o.len() != n)
        {
            return Err(PyValueError::new_err("columns of different length"));
        }
        let columns = py.detach(|| {
            let mut columns = Columns::with_room(n, self.values_before);
            if self.names.begin_batch() {
                self.shapes.clear();
            }
            self.event.forget_names();
            self.strings.clear();
            self.hints = [-1; FIELDS];
            let mut own = vec![None; outside.len()];
            for i in 0..n {
                prefetch_text(payloads.get(i + 2).copied().flatten().unwrap_or_default());
                own.iter_mut().zip(&outside).for_each(|(text, texts)| *text = texts[i]);
                let place =
                    Place { payload: payloads[i].unwrap_or_default(), offset: offsets[i], time_ms: times_ms[i] };
                if self.record(&mut columns, &place, &own).is_err() {
                    columns.odd.push(i as i64);
                }
            }
            self.values_before = [columns.numbers.event.len(), columns.texts.event.len(), columns.nulls.event.len()];
            columns
        });
        let size = payloads.iter().flatten().map(|payload| payload.len()).sum();
        self.arrays(py, columns, size)
    }
}

impl Decoder {
    fn arrays<'py>(&mut self, py: Python<'py>, columns: Columns, size: usize) -> PyResult<Decoded<'py>> {
        let Columns { offsets, times_ms, model, version, event_id, numbers, texts, nulls, odd } = columns;
        let tuple = |texts: Vec<Bound<'py, PyString>>| PyTuple::new(py, texts);
        Ok((
            (offsets.into_pyarray(py), times_ms.into_pyarray(py)),
            (model.into_pyarray(py), version.into_pyarray(py), event_id.into_pyarray(py)),
            (tuple(self.names.texts(py))?, tuple(self.strings.texts(py))?),
            (numbers.event.into_pyarray(py), numbers.name.into_pyarray(py), numbers.value.into_pyarray(py)),
            (texts.event.into_pyarray(py), texts.name.into_pyarray(py), texts.value.into_pyarray(py)),
            (nulls.event.into_pyarray(py), nulls.name.into_pyarray(py)),
            odd.into_pyarray(py),
            size,
        ))
    }
}
