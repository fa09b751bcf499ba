//! Histograms of windows of many series over bins of their own; operation for operation `detectors/distribution.py`.

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::exceptions::{PyAssertionError, PyValueError};
use pyo3::prelude::*;

use crate::arrays::{check_finite, check_length, check_rows, prefetch, retain, slice};

/// LATEST of `detectors/distribution.py`, in that order.
#[derive(Clone, Default)]
struct Row {
    seen: i64,
    first_offset: i64,
    last_offset: i64,
    from_ms: i64,
    to_ms: i64,
    learned: bool,
}

#[pyclass]
pub struct Distribution {
    warmup: i64,
    bins: usize,
    window: i64,
    coded: bool,
    rows: Vec<Row>,
    edges: Vec<f64>,
    reference: Vec<i64>,
    counts: Vec<i64>,
}

/// place, row, counts, first and last offset, first and last time.
type Closed = (usize, i64, Vec<i64>, i64, i64, i64, i64);
type State<'py> = (Vec<Bound<'py, PyArray1<i64>>>, Bound<'py, PyArray1<bool>>, Bound<'py, PyArray1<f64>>);

impl Distribution {
    /// Take a value of a row that has learned; true when it fills the window.
    fn add(&mut self, number: usize, value: f64, offset: i64, time_ms: i64) -> bool {
        let (cells, edges) = (number * self.bins, number * (self.bins - 1));
        let (row, bins) = (&mut self.rows[number], self.bins);
        let edges = &self.edges[edges..edges + bins - 1];
        let place = row.seen % self.window;
        row.seen += 1;
        let counts = &mut self.counts[cells..cells + bins];
        if place == 0 {
            counts.fill(0);
            (row.first_offset, row.from_ms, row.to_ms) = (offset, time_ms, time_ms);
        }
        counts[bin_of(edges, value)] += 1;
        row.last_offset = offset;
        (row.from_ms, row.to_ms) = (row.from_ms.min(time_ms), row.to_ms.max(time_ms));
        place == self.window - 1
    }

    fn closed(&self, place: usize, number: usize) -> Closed {
        let (row, cells) = (&self.rows[number], number * self.bins);
        let counts = self.counts[cells..cells + self.bins].to_vec();
        (place, number as i64, counts, row.first_offset, row.last_offset, row.from_ms, row.to_ms)
    }
}

/// Counting without a branch beats a binary search for the few dozen edges there are.
fn bin_of(edges: &[f64], value: f64) -> usize {
    edges.iter().map(|&edge| usize::from(edge <= value)).sum()
}

/// As `edges_of` and `code_edges`.
fn set_edges(edges: &mut [f64], values: &[f64], coded: bool) {
    if coded {
        edges.iter_mut().enumerate().for_each(|(code, edge)| *edge = code as f64 + 0.5);
        return;
    }
    let mut ordered: Vec<f64> = values.iter().map(|value| value + 0.0).collect();
    ordered.sort_unstable_by(f64::total_cmp);
    let (mut made, mut left, mut in_bin) = (0, ordered.len(), 0);
    for same in ordered.chunk_by(|one, other| one == other) {
        let share = left as f64 / (edges.len() + 1 - made) as f64;
        if in_bin > 0 && made < edges.len() && in_bin as f64 + same.len() as f64 / 2.0 > share {
            edges[made] = same[0];
            (made, left, in_bin) = (made + 1, left - in_bin, 0);
        }
        in_bin += same.len();
    }
    edges[made..].fill(f64::INFINITY);
}

#[pymethods]
impl Distribution {
    #[new]
    fn new(warmup: i64, bins: usize, window: i64, coded: bool) -> PyResult<Self> {
        if warmup < 1 || bins < 2 || window < 1 {
            return Err(PyValueError::new_err("a distribution has a warm-up, bins and a window"));
        }
        let (rows, edges) = (Vec::new(), Vec::new());
        Ok(Distribution { warmup, bins, window, coded, rows, edges, reference: Vec::new(), counts: Vec::new() })
    }

    #[getter]
    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn resize(&mut self, rows: usize) {
        if rows > self.rows.len() {
            self.rows.resize(rows, Row::default());
            self.edges.resize(rows * (self.bins - 1), f64::INFINITY);
            self.reference.resize(rows * self.bins, 0);
            self.counts.resize(rows * self.bins, 0);
        }
    }

    fn retain(&mut self, rows: PyReadonlyArray1<'_, i64>) -> PyResult<()> {
        let rows = slice(&rows)?;
        retain(&mut self.rows, rows, 1)?;
        retain(&mut self.edges, rows, self.bins - 1)?;
        retain(&mut self.reference, rows, self.bins)?;
        retain(&mut self.counts, rows, self.bins)
    }

    /// For each of these rows whether it has learned its bins.
    fn learned<'py>(&self, py: Python<'py>, rows: PyReadonlyArray1<'py, i64>) -> PyResult<Bound<'py, PyArray1<bool>>> {
        let rows = slice(&rows)?;
        check_rows(rows, self.rows.len())?;
        Ok(rows.iter().map(|&row| self.rows[row as usize].learned).collect::<Vec<_>>().into_pyarray(py))
    }

    /// The bins of a row that has none, from the values of its warm-up.
    fn learn(&mut self, row: usize, values: PyReadonlyArray1<'_, f64>) -> PyResult<()> {
        let values = slice(&values)?;
        check_finite(values)?;
        let fine = self.rows.get(row).is_some_and(|row| !row.learned) && values.len() as i64 == self.warmup;
        if !fine {
            return Err(PyAssertionError::new_err("a row learns once, from the values of its warm-up"));
        }
        let (cells, bins) = (row * self.bins, self.bins - 1);
        let edges = &mut self.edges[row * bins..(row + 1) * bins];
        set_edges(edges, values, self.coded);
        values.iter().for_each(|&value| self.reference[cells + bin_of(edges, value)] += 1);
        self.rows[row].learned = true;
        Ok(())
    }

    /// Take the values of a column that are `chosen`, of rows that have learned; the windows that became full, by place.
    #[allow(clippy::too_many_arguments)]
    fn update(
        &mut self,
        py: Python<'_>,
        rows: PyReadonlyArray1<'_, i64>,
        values: PyReadonlyArray1<'_, f64>,
        chosen: PyReadonlyArray1<'_, bool>,
        events: PyReadonlyArray1<'_, i64>,
        offsets: PyReadonlyArray1<'_, i64>,
        times_ms: PyReadonlyArray1<'_, i64>,
    ) -> PyResult<Vec<Closed>> {
        let (rows, values, chosen, events) = (slice(&rows)?, slice(&values)?, slice(&chosen)?, slice(&events)?);
        let (offsets, times_ms) = (slice(&offsets)?, slice(&times_ms)?);
        check_length(&[rows.len(), values.len(), chosen.len(), events.len()])?;
        check_length(&[offsets.len(), times_ms.len()])?;
        check_rows(rows, self.rows.len())?;
        check_rows(events, offsets.len())?;
        check_finite(values)?;
        Ok(py.detach(|| {
            let mut closed = Vec::new();
            for (i, (&row, &value)) in rows.iter().zip(values).enumerate() {
                prefetch(&self.rows, rows, i);
                if !chosen[i] || !self.rows[row as usize].learned {
                    continue;
                }
                let event = events[i] as usize;
                if self.add(row as usize, value, offsets[event], times_ms[event]) {
                    closed.push(self.closed(i, row as usize));
                }
            }
            closed
        }))
    }

    /// Whether a row has learned its reference; its edges, finite or not; its reference's counts.
    fn bins_of(&self, row: usize) -> PyResult<(bool, Vec<f64>, Vec<i64>)> {
        check_rows(&[row as i64], self.rows.len())?;
        let edges = self.edges[row * (self.bins - 1)..(row + 1) * (self.bins - 1)].to_vec();
        let counts = self.reference[row * self.bins..(row + 1) * self.bins].to_vec();
        Ok((self.rows[row].learned, edges, counts))
    }

    /// LATEST but for `learned`, reference, counts; that; edges.
    fn dump<'py>(&self, py: Python<'py>) -> State<'py> {
        let latest = |f: fn(&Row) -> i64| self.rows.iter().map(f).collect::<Vec<_>>().into_pyarray(py);
        (
            vec![
                latest(|r| r.seen),
                latest(|r| r.first_offset),
                latest(|r| r.last_offset),
                latest(|r| r.from_ms),
                latest(|r| r.to_ms),
                self.reference.clone().into_pyarray(py),
                self.counts.clone().into_pyarray(py),
            ],
            self.rows.iter().map(|row| row.learned).collect::<Vec<_>>().into_pyarray(py),
            self.edges.clone().into_pyarray(py),
        )
    }

    /// The arrays of `dump`, already checked by the caller.
    fn load(
        &mut self,
        whole: [PyReadonlyArray1<'_, i64>; 7],
        learned: PyReadonlyArray1<'_, bool>,
        edges: PyReadonlyArray1<'_, f64>,
    ) -> PyResult<()> {
        let whole = whole.iter().map(slice).collect::<PyResult<Vec<_>>>()?;
        let (learned, edges) = (slice(&learned)?, slice(&edges)?);
        let n = whole[0].len();
        check_length(&[n, whole[1].len(), whole[2].len(), whole[3].len(), whole[4].len(), learned.len()])?;
        check_length(&[n * self.bins, whole[5].len(), whole[6].len()])?;
        check_length(&[n * (self.bins - 1), edges.len()])?;
        let row = |i: usize| Row {
            seen: whole[0][i],
            first_offset: whole[1][i],
            last_offset: whole[2][i],
            from_ms: whole[3][i],
            to_ms: whole[4][i],
            learned: learned[i],
        };
        (self.rows, self.edges) = ((0..n).map(row).collect(), edges.to_vec());
        (self.reference, self.counts) = (whole[5].to_vec(), whole[6].to_vec());
        Ok(())
    }
}
