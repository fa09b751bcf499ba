//! Histograms of windows of many series over bins of their own; operation for operation `detectors/distribution.py`.

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::arrays::{check_finite, check_length, check_rows, prefetch, slice};

/// LATEST of `detectors/distribution.py`, in that order; and the values of a warm-up that is not over.
#[derive(Clone, Default)]
struct Row {
    seen: i64,
    first_offset: i64,
    last_offset: i64,
    from_ms: i64,
    to_ms: i64,
    waiting: Vec<f64>,
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
type State<'py> = (Vec<Bound<'py, PyArray1<i64>>>, Vec<Bound<'py, PyArray1<f64>>>);

impl Distribution {
    fn add(&mut self, number: usize, value: f64, offset: i64, time_ms: i64) -> bool {
        let (cells, edges) = (number * self.bins, number * (self.bins - 1));
        let (row, bins) = (&mut self.rows[number], self.bins);
        let edges = &mut self.edges[edges..edges + bins - 1];
        row.seen += 1;
        if row.seen <= self.warmup {
            row.waiting.push(value);
            if row.seen == self.warmup {
                set_edges(edges, &row.waiting, self.coded);
                std::mem::take(&mut row.waiting).iter().for_each(|&v| self.reference[cells + bin_of(edges, v)] += 1);
            }
            return false;
        }
        let place = (row.seen - self.warmup - 1) % self.window;
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

    /// Take a column; the windows that became full, by place.
    #[allow(clippy::too_many_arguments)]
    fn update(
        &mut self,
        py: Python<'_>,
        rows: PyReadonlyArray1<'_, i64>,
        values: PyReadonlyArray1<'_, f64>,
        events: PyReadonlyArray1<'_, i64>,
        offsets: PyReadonlyArray1<'_, i64>,
        times_ms: PyReadonlyArray1<'_, i64>,
    ) -> PyResult<Vec<Closed>> {
        let (rows, values, events) = (slice(&rows)?, slice(&values)?, slice(&events)?);
        let (offsets, times_ms) = (slice(&offsets)?, slice(&times_ms)?);
        check_length(&[rows.len(), values.len(), events.len()])?;
        check_length(&[offsets.len(), times_ms.len()])?;
        check_rows(rows, self.rows.len())?;
        check_rows(events, offsets.len())?;
        check_finite(values)?;
        Ok(py.detach(|| {
            let mut closed = Vec::new();
            for (i, (&row, &value)) in rows.iter().zip(values).enumerate() {
                prefetch(&self.rows, rows, i);
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
        Ok((self.rows[row].seen >= self.warmup, edges, counts))
    }

    /// LATEST, reference, counts; edges, waiting.
    fn dump<'py>(&self, py: Python<'py>) -> State<'py> {
        let latest = |f: fn(&Row) -> i64| self.rows.iter().map(f).collect::<Vec<_>>().into_pyarray(py);
        let waiting: Vec<f64> = self.rows.iter().flat_map(|row| row.waiting.iter().copied()).collect();
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
            vec![self.edges.clone().into_pyarray(py), waiting.into_pyarray(py)],
        )
    }

    /// The arrays of `dump`, already checked by the caller.
    fn load(&mut self, whole: [PyReadonlyArray1<'_, i64>; 7], floats: [PyReadonlyArray1<'_, f64>; 2]) -> PyResult<()> {
        let wrong = || PyValueError::new_err("arrays that do not fit together");
        let whole = whole.iter().map(slice).collect::<PyResult<Vec<_>>>()?;
        let (edges, waiting) = (slice(&floats[0])?, slice(&floats[1])?);
        let n = whole[0].len();
        check_length(&[n, whole[1].len(), whole[2].len(), whole[3].len(), whole[4].len()])?;
        check_length(&[n * self.bins, whole[5].len(), whole[6].len()])?;
        check_length(&[n * (self.bins - 1), edges.len()])?;
        let (mut rows, mut begin) = (Vec::with_capacity(n), 0);
        for (i, &seen) in whole[0].iter().enumerate() {
            let end = begin + if seen < self.warmup { seen as usize } else { 0 };
            rows.push(Row {
                seen,
                first_offset: whole[1][i],
                last_offset: whole[2][i],
                from_ms: whole[3][i],
                to_ms: whole[4][i],
                waiting: waiting.get(begin..end).ok_or_else(wrong)?.to_vec(),
            });
            begin = end;
        }
        (self.rows, self.edges) = (rows, edges.to_vec());
        (self.reference, self.counts) = (whole[5].to_vec(), whole[6].to_vec());
        Ok(())
    }
}
