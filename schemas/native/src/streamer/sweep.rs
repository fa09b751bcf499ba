//! One sweep over the numbers of a batch: row index, reference, history and banks, event by event.
//!
//! Where nobody wants to see the column, the events of a group come one after another: its rows are at hand then, and
//! those of the next group mostly lie behind them. Every series still gets its values in the order of the log, and no
//! series knows of another.
//!
//! The parts are those of `index.rs`, `reference.rs`, `history.rs`, `adwin.rs` and `page_hinkley.rs`, which also stand
//! alone; fused, no column of the batch goes from one to the next, only the values of the event at hand.

use numpy::PyReadonlyArray1;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::arrays::{check_ascending, check_codes, check_finite, check_length, slice};
use crate::detectors::bank::{NOWHERE, Said};
use crate::detectors::history::History;
use crate::detectors::reference::{Reference, deviations};
use crate::streamer::evidence::{Edge, edge};
use crate::streamer::index::{Place, RowIndex};
use crate::streamer::lent::{Bank, Lent};
use crate::streamer::shown::{Arrays, Shown};

/// The values of an event: the first of them, and the first behind them.
type Span = (usize, usize);

/// Groups told apart when the events are put in order; with more, several share a bucket and alternate in it.
const BUCKETS: usize = 1024;

/// The numbers of a batch and where they belong.
struct Numbers<'a> {
    group_of_event: &'a [i32],
    member_of_name: &'a [i32],
    event: &'a [i32],
    name: &'a [i32],
    value: &'a [f64],
    offsets: &'a [i64],
    times_ms: &'a [i64],
}

impl Numbers<'_> {
    /// Where the values of each event begin and end, of those that have any.
    fn spans(&self) -> Vec<Span> {
        let mut spans = Vec::with_capacity(self.group_of_event.len());
        let (mut begin, mut length) = (0, 1);
        while let Some(event) = self.event.get(begin) {
            // Most have as many as the one before. Events ascend (`check`), so the last of them speaks for all.
            let mut end = begin + length;
            if self.event.get(end - 1) != Some(event) || self.event.get(end) == Some(event) {
                end = begin + self.event[begin..].iter().take_while(|other| *other == event).count();
                length = end - begin;
            }
            spans.push((begin, end));
            begin = end;
        }
        spans
    }

    fn group(&self, span: Span) -> i32 {
        self.group_of_event[self.event[span.0] as usize]
    }

    /// The same, bucket after bucket of groups, with the events of a bucket in order: a counting sort. Most partitions
    /// have a group or two per batch; where it is one, nothing is moved.
    fn by_group(&self, spans: Vec<Span>) -> Vec<Span> {
        let bucket = |span: Span| self.group(span) as usize % BUCKETS;
        let mut next = [0; BUCKETS];
        spans.iter().for_each(|&span| next[bucket(span)] += 1);
        if next.contains(&spans.len()) {
            return spans;
        }
        let mut before = 0;
        next.iter_mut().for_each(|next| (*next, before) = (before, before + *next));
        let mut sorted = vec![(0, 0); spans.len()];
        for span in spans {
            let place = &mut next[bucket(span)];
            sorted[*place] = span;
            *place += 1;
        }
        sorted
    }

    fn check(&self) -> PyResult<()> {
        check_length(&[self.event.len(), self.name.len(), self.value.len()])?;
        check_length(&[self.group_of_event.len(), self.offsets.len(), self.times_ms.len()])?;
        check_codes(self.event, self.group_of_event.len())?;
        check_ascending(self.event)?;
        check_codes(self.name, self.member_of_name.len())?;
        check_finite(self.value)
    }
}

/// A bank, its monitor's place in the config, whether it takes the values as they are, and the direction asked for.
struct Watch<'a> {
    bank: Bank<'a>,
    monitor: usize,
    raw: bool,
    wanted: Option<i8>,
}

/// A hit with its evidence: event, monitor, row, edge.
type Finding = (i32, usize, i64, Edge);
/// A hit whose evidence is still to be made: place in the shown column, monitor, direction, statistic, threshold.
type Hit = (usize, usize, i8, f64, f64);

#[derive(Default)]
struct Outcome {
    /// What the banks have found: with a history the first, without one the second.
    findings: Vec<Finding>,
    hits: Vec<Hit>,
    /// Values that have a row, and those that the table has no place for.
    taken: usize,
    dropped: usize,
    shown: Shown,
}

struct Sweep<'a> {
    index: &'a RowIndex,
    reference: &'a mut Reference,
    /// None where banks that are not swept look for edges, too: Python then feeds it, with the places of all of them.
    history: Option<&'a mut History>,
    watches: Vec<Watch<'a>>,
    show: bool,
    /// Whether anybody wants the values standardised.
    standardise: bool,
    /// The rows of the values at hand, `NOWHERE` for those that are not of this table.
    rows: Vec<i64>,
    /// The group and the first value they were found for: often the next event is of the same and has the same names.
    found_for: Option<(i32, usize)>,
    placed: usize, // how many of them have one
    /// The same, `NOWHERE` also for those that are warming up, and the values standardised.
    judged: Vec<i64>,
    z: Vec<f64>,
    /// The same, cut nowhere, where a bank asks for that.
    far: Option<Vec<f64>>,
    /// What a bank says of them.
    said: Vec<Said>,
}

impl Sweep<'_> {
    /// Take the values of the events from place `begin` of their order on. With `every` those without a row are dropped;
    /// else the first event that has one ends it. Its place, for another call with the same arrays; None when all were
    /// taken.
    ///
    /// Nothing is asked for ahead of its turn: the values of an event go through one part after the other, so that the
    /// processor has several of their rows on the way at once by itself (measured with 100,000 series).
    fn run(&mut self, numbers: &Numbers, begin: usize, every: bool, outcome: &mut Outcome) -> Option<usize> {
        let spans = numbers.spans();
        let spans = if self.show { spans } else { numbers.by_group(spans) };
        for (place, &span) in spans.iter().enumerate().skip(begin) {
            match self.find(numbers, span, every) {
                Some(dropped) => outcome.dropped += dropped,
                None => return Some(place),
            }
            outcome.taken += self.placed;
            self.take(numbers, span.0, outcome);
        }
        None
    }

    /// The rows of an event's values, and how many of them the table has no place for; None when one is not known.
    #[inline(always)]
    fn find(&mut self, numbers: &Numbers, (begin, end): Span, every: bool) -> Option<usize> {
        let group = numbers.group((begin, end));
        let names = &numbers.name[begin..end];
        let same = |(other, first)| other == group && numbers.name[first..first + self.rows.len()] == *names;
        if self.found_for.is_some_and(same) {
            return Some(0);
        }
        self.found_for = None;
        self.rows.clear();
        let (mut last, mut dropped) = (-2, 0);
        self.placed = 0;
        for &name in names {
            let row = match self.index.place(group, numbers.member_of_name[name as usize], last) {
                Place::Row(row) => {
                    self.placed += 1;
                    row
                }
                Place::Nowhere => NOWHERE,
                Place::Unknown if !every => return None,
                Place::Unknown | Place::Refused => {
                    dropped += 1;
                    NOWHERE
                }
            };
            last = if row == NOWHERE { last } else { row };
            self.rows.push(row);
        }
        if dropped == 0 {
            self.found_for = Some((group, begin));
        }
        Some(dropped)
    }

    /// Take the values of the event that begins at `begin`; `find` has found their rows.
    fn take(&mut self, numbers: &Numbers, begin: usize, outcome: &mut Outcome) {
        let rows = std::mem::take(&mut self.rows);
        let (values, event) = (&numbers.value[begin..begin + rows.len()], numbers.event[begin]);
        let at = (numbers.offsets[event as usize], numbers.times_ms[event as usize]);
        // One after the other, each with the processor's registers for itself. An event has no name twice and so no row,
        // for which it would matter that evidence is made when all its values are taken.
        self.judge(&rows, values, event, at, &mut outcome.shown);
        self.watch(&rows, values, (event, at.1), outcome);
        self.rows = rows;
    }

    /// Show the values to the reference, and what is judged to the history.
    #[inline(never)]
    fn judge(&mut self, rows: &[i64], values: &[f64], event: i32, at: (i64, i64), shown: &mut Shown) {
        match self.history.take() {
            Some(history) if self.standardise => {
                self.standardised(rows, values, event, at, shown, |row, away| history.add(row, away, at.0, at.1));
                self.history = Some(history);
            }
            Some(history) => {
                let reference = &mut *self.reference;
                let known = rows.iter().zip(values).filter(|(row, _)| **row != NOWHERE);
                known.for_each(|(&row, &value)| {
                    if let Some((away, _)) = reference.judge(row as usize, value, at.0, at.1) {
                        history.add(row as usize, away, at.0, at.1);
                    }
                });
                self.history = Some(history);
            }
            None => self.standardised(rows, values, event, at, shown, |_, _| {}),
        }
    }

    /// The same with the values standardised; `keep` is given row and difference of what is judged.
    #[inline(always)]
    fn standardised(
        &mut self,
        rows: &[i64],
        values: &[f64],
        event: i32,
        at: (i64, i64),
        shown: &mut Shown,
        mut keep: impl FnMut(usize, f64),
    ) {
        let reference = &mut *self.reference;
        self.judged.clear();
        self.z.clear();
        if let Some(far) = &mut self.far {
            far.clear();
        }
        for (&row, &value) in rows.iter().zip(values).filter(|(row, _)| **row != NOWHERE) {
            let judged = reference.judge(row as usize, value, at.0, at.1);
            if let Some((away, _)) = judged {
                keep(row as usize, away);
            }
            let z = judged.map_or(0.0, |(away, scale)| reference.z(value, away, scale));
            self.judged.push(if judged.is_some() { row } else { NOWHERE });
            self.z.push(z);
            if let Some(far) = &mut self.far {
                far.push(judged.map_or(0.0, |(away, scale)| deviations(away, scale)));
            }
            if self.show {
                shown.push((row, value, event), judged.map(|(away, _)| away), z);
            }
        }
    }

    fn watch(&mut self, rows: &[i64], values: &[f64], (event, time_ms): (i32, i64), outcome: &mut Outcome) {
        for watch in &mut self.watches {
            self.said.clear();
            let (rows, values) = match (&watch.bank, &self.far) {
                _ if watch.raw => (rows, values),
                (Bank::Envelope(_), Some(far)) => (&self.judged[..], &far[..]),
                _ => (&self.judged[..], &self.z[..]),
            };
            watch.bank.take(rows, values, time_ms, &mut self.said);
            for &(row, said) in &self.said {
                let Some(history) = &self.history else {
                    outcome.hits.push((outcome.shown.place(row), watch.monitor, said.0, said.1, said.2));
                    continue;
                };
                let edge = edge(self.reference, history, row as usize, said);
                if watch.wanted.is_none_or(|wanted| wanted == edge.0) {
                    outcome.findings.push((event, watch.monitor, row, edge));
                }
            }
        }
    }
}

/// What Python gets of the hits: see `Outcome`.
#[derive(IntoPyObject)]
pub enum Found {
    Findings(Vec<Finding>),
    Hits(Vec<Hit>),
}

/// Where it ended; the values taken, and those without a place; the hits; the column and its judgement, if to be shown.
type Swept<'py> = (Option<usize>, (usize, usize), Found, Option<Arrays<'py>>);

/// Sweep the events from place `begin` on, see `Sweep::run`. `parts`: index, reference, history; `banks`: each with the
/// rest of `Watch`. All have a row for every row of the index.
///
/// Without a history the hits are told as they are, those of all directions, for Python to make their evidence.
#[pyfunction]
#[allow(clippy::too_many_arguments)]
pub fn sweep<'py>(
    py: Python<'py>,
    parts: (Bound<'py, RowIndex>, Bound<'py, Reference>, Option<Bound<'py, History>>),
    banks: Vec<(Bound<'py, PyAny>, usize, bool, Option<i8>)>,
    codes: [PyReadonlyArray1<'py, i32>; 4],
    value: PyReadonlyArray1<'py, f64>,
    places: [PyReadonlyArray1<'py, i64>; 2],
    begin: usize,
    every: bool,
    show: bool,
) -> PyResult<Swept<'py>> {
    let [group_of_event, member_of_name, event, name] = &codes;
    let numbers = Numbers {
        group_of_event: slice(group_of_event)?,
        member_of_name: slice(member_of_name)?,
        event: slice(event)?,
        name: slice(name)?,
        value: slice(&value)?,
        offsets: slice(&places[0])?,
        times_ms: slice(&places[1])?,
    };
    numbers.check()?;
    if parts.2.is_none() && !show {
        return Err(PyValueError::new_err("without a history the hits have their places in the shown column"));
    }
    let (index, mut reference) = (parts.0.try_borrow()?, parts.1.try_borrow_mut()?);
    let mut history = parts.2.as_ref().map(Bound::try_borrow_mut).transpose()?;
    let mut lent = banks.iter().map(|(bank, ..)| Lent::take(bank)).collect::<PyResult<Vec<_>>>()?;
    let mut sweep = Sweep {
        index: &index,
        reference: &mut reference,
        history: history.as_deref_mut(),
        watches: lent
            .iter_mut()
            .zip(&banks)
            .map(|(bank, &(_, monitor, raw, wanted))| Watch { bank: bank.bank(), monitor, raw, wanted })
            .collect(),
        show,
        standardise: show || banks.iter().any(|(_, _, raw, _)| !raw),
        rows: Vec::new(),
        found_for: None,
        placed: 0,
        judged: Vec::new(),
        z: Vec::new(),
        far: None,
        said: Vec::new(),
    };
    if sweep.watches.iter().any(|watch| !watch.raw && matches!(watch.bank, Bank::Envelope(_))) {
        sweep.far = Some(Vec::new());
    }
    let rows = sweep.watches.iter().map(|watch| watch.bank.rows());
    let rows = rows.chain(sweep.history.iter().map(|history| history.rows.len()));
    if sweep.index.len() > rows.fold(sweep.reference.rows.len(), usize::min) {
        return Err(PyValueError::new_err("a row that does not exist"));
    }
    let (ended, outcome) = py.detach(|| {
        let mut outcome = Outcome::default();
        if show {
            outcome.shown.reserve(numbers.event.len());
        }
        (sweep.run(&numbers, begin, every, &mut outcome), outcome)
    });
    let arrays = show.then(|| outcome.shown.into_arrays(py));
    let found = match parts.2 {
        Some(_) => Found::Findings(outcome.findings),
        None => Found::Hits(outcome.hits),
    };
    Ok((ended, (outcome.taken, outcome.dropped), found, arrays))
}
