//! References of many series; operation for operation `detectors/reference.py`.

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1, PyReadwriteArray1};
use pyo3::exceptions::{PyAssertionError, PyValueError};
use pyo3::prelude::*;

use crate::arrays::{check_length, check_rows, prefetch, retain, slice};
use crate::detectors::bank::{Seen, bounded};
use crate::detectors::warm_up::{Stats, learn};

/// What every value looks at fills one line of the processor's cache, what is told when asked for the next.
#[derive(Clone, Default)]
#[repr(C, align(64))]
pub struct Row {
    n: i64,
    centre: f64,
    scale: f64,
    last_offset: i64,
    last_time_ms: i64,
    /// The values of a warm-up that is not over.
    waiting: Vec<f64>,
    /// Mean, std, below, above.
    rest: [f64; 4],
    first_offset: i64,
    first_time_ms: i64,
}

/// Values of a warm-up that get room at once: to grow four times on the way there costs more than the bytes.
const FEW: usize = 32;

const BELOW: usize = 2;
const ABOVE: usize = 3;

/// PLACES of the same.
type Places = [i64; 4];

impl Row {
    /// One more value of the warm-up.
    fn wait(&mut self, value: f64, offset: i64, time_ms: i64) {
        if self.n == 0 {
            (self.first_offset, self.first_time_ms) = (offset, time_ms);
        }
        (self.last_offset, self.last_time_ms) = (offset, time_ms);
        self.n += 1;
        if self.waiting.capacity() == 0 {
            self.waiting.reserve_exact(FEW);
        }
        self.waiting.push(value);
    }

    fn stats(&self) -> Stats {
        let [mean, std, below, above] = self.rest;
        [self.centre, self.scale, mean, std, below, above]
    }

    fn places(&self) -> Places {
        [self.first_offset, self.last_offset, self.first_time_ms, self.last_time_ms]
    }

    fn learned(&mut self, [centre, scale, rest @ ..]: Stats) {
        (self.centre, self.scale, self.rest) = (centre, scale, rest);
    }
}

#[pyclass]
pub struct Reference {
    warmup: i64,
    standardise: bool,
    clip: f64,
    huge: f64,
    pub rows: Vec<Row>,
    /// Whether the values of a warm-up are of use to others when it has ended.
    keep: bool,
    completed: Vec<(i64, Vec<f64>)>,
}

/// What the values of a column are when they have passed the reference; written in place.
struct Judged<'a> {
    ready: &'a mut [bool],
    z: &'a mut [f64],
    away: &'a mut [f64],
}

/// The column: which row, which value, which event; and where the events stand.
struct Column<'a> {
    rows: &'a [i64],
    values: &'a [f64],
    events: &'a [i64],
    offsets: &'a [i64],
    times_ms: &'a [i64],
}

impl Reference {
    fn run(&mut self, column: &Column, judged: &mut Judged) {
        for (i, &number) in column.rows.iter().enumerate() {
            prefetch(&self.rows, column.rows, i);
            let (value, event) = (column.values[i], column.events[i] as usize);
            let found = self.judge(number as usize, value, column.offsets[event], column.times_ms[event]);
            judged.ready[i] = found.is_some();
            judged.away[i] = found.map_or(0.0, |(away, _)| away);
            judged.z[i] = found.map_or(0.0, |(away, scale)| self.z(value, away, scale));
        }
    }

    /// How far a value is from the centre, and the scale; None while the row is warming up, which takes the value.
    #[inline(always)]
    pub fn judge(&mut self, row: usize, value: f64, offset: i64, time_ms: i64) -> Option<(f64, f64)> {
        let own = &mut self.rows[row];
        if own.n >= self.warmup {
            return Some((bounded(value, self.huge) - own.centre, own.scale));
        }
        own.wait(value, offset, time_ms);
        if own.n == self.warmup {
            self.complete(row);
        }
        None
    }

    #[cold]
    fn complete(&mut self, number: usize) {
        let row = &mut self.rows[number];
        let sample = std::mem::take(&mut row.waiting);
        row.learned(learn(&sample, self.standardise, self.huge));
        if self.keep {
            self.completed.push((number as i64, sample));
        }
    }

    /// A judged value as a detector gets it.
    #[inline(always)]
    pub fn z(&self, value: f64, away: f64, scale: f64) -> f64 {
        if self.standardise { standardised(away, scale, self.clip) } else { bounded(value, self.huge) }
    }

    /// The reference as evidence; None while the row is warming up.
    pub fn seen(&self, row: usize) -> Option<Seen> {
        let row = &self.rows[row];
        let places = (row.first_offset, row.last_offset, row.first_time_ms, row.last_time_ms);
        let [mean, std, ..] = row.rest;
        (row.n >= self.warmup).then_some((row.n, mean, std, places.0, places.1, places.2, places.3))
    }

    pub fn centre(&self, row: usize) -> f64 {
        self.rows[row].centre
    }

    fn row(&self, row: usize) -> PyResult<&Row> {
        self.rows.get(row).ok_or_else(|| PyValueError::new_err("a row that does not exist"))
    }
}

/// Deviations that are as good as any larger number of them.
const FAR: f64 = 1e12;

/// A judged value for who draws in its tails by itself.
pub fn deviations(away: f64, scale: f64) -> f64 {
    standardised(away, scale, FAR)
}

/// A constant reference has no scale: any other value is then one deviation away, whatever its size.
fn standardised(away: f64, scale: f64, clip: f64) -> f64 {
    if scale > 0.0 {
        bounded(away / scale, clip)
    } else if away > 0.0 {
        1.0
    } else if away < 0.0 {
        -1.0
    } else {
        0.0
    }
}

type State<'py> = (Bound<'py, PyArray1<i64>>, Vec<Bound<'py, PyArray1<f64>>>, Vec<Bound<'py, PyArray1<i64>>>);

#[pymethods]
impl Reference {
    #[new]
    fn new(warmup: i64, standardise: bool, clip: f64, huge: f64, keep: bool) -> Self {
        Reference { warmup, standardise, clip, huge, rows: Vec::new(), keep, completed: Vec::new() }
    }

    #[getter]
    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn resize(&mut self, rows: usize) {
        if rows > self.rows.len() {
            self.rows.resize(rows, Row::default());
        }
    }

    /// The row learns anew.
    fn forget(&mut self, row: usize) -> PyResult<()> {
        check_rows(&[row as i64], self.rows.len())?;
        (self.rows[row].n, self.rows[row].waiting) = (0, Vec::new());
        Ok(())
    }

    fn retain(&mut self, rows: PyReadonlyArray1<'_, i64>) -> PyResult<()> {
        retain(&mut self.rows, slice(&rows)?, 1)
    }

    /// Of each row offset and time of the last value that it learned from.
    fn heard<'py>(&self, py: Python<'py>) -> (Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<i64>>) {
        let latest = |f: fn(&Row) -> i64| self.rows.iter().map(f).collect::<Vec<_>>().into_pyarray(py);
        (latest(|row| row.last_offset), latest(|row| row.last_time_ms))
    }

    /// Judge a column.
    #[allow(clippy::too_many_arguments)]
    fn update(
        &mut self,
        py: Python<'_>,
        rows: PyReadonlyArray1<'_, i64>,
        values: PyReadonlyArray1<'_, f64>,
        events: PyReadonlyArray1<'_, i64>,
        offsets: PyReadonlyArray1<'_, i64>,
        times_ms: PyReadonlyArray1<'_, i64>,
        mut ready: PyReadwriteArray1<'_, bool>,
        mut z: PyReadwriteArray1<'_, f64>,
        mut away: PyReadwriteArray1<'_, f64>,
    ) -> PyResult<()> {
        let column = Column {
            rows: slice(&rows)?,
            values: slice(&values)?,
            events: slice(&events)?,
            offsets: slice(&offsets)?,
            times_ms: slice(&times_ms)?,
        };
        let judged = &mut Judged { ready: ready.as_slice_mut()?, z: z.as_slice_mut()?, away: away.as_slice_mut()? };
        let n = column.rows.len();
        check_length(&[
            n,
            column.values.len(),
            column.events.len(),
            judged.ready.len(),
            judged.z.len(),
            judged.away.len(),
        ])?;
        check_length(&[column.offsets.len(), column.times_ms.len()])?;
        check_rows(column.rows, self.rows.len())?;
        check_rows(column.events, column.offsets.len())?;
        py.detach(|| self.run(&column, judged));
        Ok(())
    }

    /// (n, stats, places) of a row.
    fn at(&self, row: usize) -> PyResult<(i64, Stats, Places)> {
        let row = self.row(row)?;
        Ok((row.n, row.stats(), row.places()))
    }

    /// The rows whose warm-up has ended since the last call, ascending, with its values as they came.
    fn completed<'py>(&mut self, py: Python<'py>) -> Vec<(i64, Bound<'py, PyArray1<f64>>)> {
        let mut completed = std::mem::take(&mut self.completed);
        completed.sort_unstable_by_key(|(row, _)| *row);
        completed.into_iter().map(|(row, sample)| (row, sample.into_pyarray(py))).collect()
    }

    /// Places of the judged values more than `beyond` deviations of their own tail from the centre.
    fn far<'py>(
        &self,
        py: Python<'py>,
        rows: PyReadonlyArray1<'py, i64>,
        away: PyReadonlyArray1<'py, f64>,
        ready: PyReadonlyArray1<'py, bool>,
        beyond: f64,
    ) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let (rows, away, ready) = (slice(&rows)?, slice(&away)?, slice(&ready)?);
        check_length(&[rows.len(), away.len(), ready.len()])?;
        check_rows(rows, self.rows.len())?;
        let is_far = |i: &usize| {
            let rest = &self.rows[rows[*i] as usize].rest;
            ready[*i] && (away[*i] > beyond * rest[ABOVE] || -away[*i] > beyond * rest[BELOW])
        };
        Ok((0..rows.len()).filter(is_far).map(|i| i as i64).collect::<Vec<_>>().into_pyarray(py))
    }

    /// n, STATS, PLACES; one array each.
    fn dump<'py>(&self, py: Python<'py>) -> PyResult<State<'py>> {
        if !self.completed.is_empty() {
            return Err(PyAssertionError::new_err("samples that nobody has taken would be lost"));
        }
        let n = self.rows.iter().map(|r| r.n).collect::<Vec<_>>().into_pyarray(py);
        let stats = (0..6).map(|k| self.rows.iter().map(|r| r.stats()[k]).collect::<Vec<_>>().into_pyarray(py));
        let places = (0..4).map(|k| self.rows.iter().map(|r| r.places()[k]).collect::<Vec<_>>().into_pyarray(py));
        Ok((n, stats.collect(), places.collect()))
    }

    /// The values of all warm-ups that are not over, one after another.
    fn dump_waiting<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        let mut all = Vec::with_capacity(self.rows.iter().map(|r| r.waiting.len()).sum());
        self.rows.iter().for_each(|r| all.extend_from_slice(&r.waiting));
        all.into_pyarray(py)
    }

    /// The arrays of `dump` and `dump_waiting`, already checked by the caller.
    fn load(
        &mut self,
        n: PyReadonlyArray1<'_, i64>,
        stats: Vec<PyReadonlyArray1<'_, f64>>,
        places: Vec<PyReadonlyArray1<'_, i64>>,
        waiting: PyReadonlyArray1<'_, f64>,
    ) -> PyResult<()> {
        let wrong = || PyValueError::new_err("arrays that do not fit together");
        let (n, waiting) = (slice(&n)?, slice(&waiting)?);
        let stats: Vec<&[f64]> = stats.iter().map(slice).collect::<PyResult<_>>()?;
        let places: Vec<&[i64]> = places.iter().map(slice).collect::<PyResult<_>>()?;
        if stats.len() != 6 || places.len() != 4 {
            return Err(wrong());
        }
        let lengths = [n.len()].into_iter().chain(stats.iter().map(|s| s.len())).chain(places.iter().map(|p| p.len()));
        check_length(&lengths.collect::<Vec<_>>())?;
        let (mut rows, mut begin) = (Vec::with_capacity(n.len()), 0);
        for (i, &n) in n.iter().enumerate() {
            let end = begin + if n < self.warmup { n as usize } else { 0 };
            let mut row = Row { n, ..Row::default() };
            row.learned(std::array::from_fn(|k| stats[k][i]));
            [row.first_offset, row.last_offset, row.first_time_ms, row.last_time_ms] =
                std::array::from_fn(|k| places[k][i]);
            row.waiting = waiting.get(begin..end).ok_or_else(wrong)?.to_vec();
            rows.push(row);
            begin = end;
        }
        (self.rows, self.completed) = (rows, Vec::new());
        Ok(())
    }
}
