//! Page-Hinkley for many series; operation for operation `detectors/page_hinkley.py`.

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;

use crate::arrays::{check_finite, check_length, check_rows, prefetch, retain, slice};
use crate::detectors::bank::{HitArrays, Hits, Said, TIERLESS};

/// Sums and least values of the two sides: `increase` and `lowest`; `decrease` and `highest` with their signs turned, so
/// that one instruction does the same to both. Turning a sign is exact but for that of a zero, see `turned`.
type Sides = [f64; 2];

/// One line of the processor's cache.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub struct Row {
    n: f64,
    mean: f64,
    sum: Sides,
    least: Sides,
    /// How many times the parameter its threshold is; no state.
    times: f64,
    detected: bool,
}

const FRESH: Row = Row { n: 0.0, mean: 0.0, sum: [0.0; 2], least: [f64::INFINITY, 1.0], times: 1.0, detected: false };

/// With the sign turned, and no zero but the positive one: the only one that `decrease` and `highest` can be.
fn turned(value: f64) -> f64 {
    0.0 - value
}

#[pyclass]
pub struct PageHinkley {
    min_instances: f64,
    delta: f64,
    threshold: f64,
    alpha: f64,
    /// The threshold, or infinity for a side that is not asked for.
    limits: Sides,
    pub rows: Vec<Row>,
}

impl PageHinkley {
    /// Take the values that have a row.
    #[inline(never)]
    pub fn take(&mut self, rows: &[i64], values: &[f64], found: &mut Vec<Said>) {
        for (&row, &value) in rows.iter().zip(values) {
            if let Some((direction, excess, threshold)) = self.step(row, value) {
                found.push((row, (direction, excess, threshold, 0, TIERLESS)));
            }
        }
    }

    /// NOWHERE is a row that does not exist.
    #[inline(always)]
    fn step(&mut self, row: i64, x: f64) -> Option<(i8, f64, f64)> {
        let state = self.rows.get_mut(row as usize)?;
        if state.detected {
            *state = Row { times: state.times, ..FRESH };
        }
        state.n += 1.0;
        state.mean += (1.0 / state.n) * (x - state.mean);
        let away = x - state.mean;
        let (moved, mut excess) = ([away, -away], [0.0; 2]);
        for side in 0..2 {
            let sum = self.alpha * state.sum[side] + moved[side] - self.delta;
            // Written so that the compiler makes no branch of it, which nobody could foresee.
            let least = if sum < state.least[side] { sum } else { state.least[side] };
            (state.sum[side], state.least[side], excess[side]) = (sum, least, sum - least);
        }
        let beyond = [excess[0] > self.limits[0] * state.times, excess[1] > self.limits[1] * state.times];
        if state.n < self.min_instances || !(beyond[0] | beyond[1]) {
            return None;
        }
        state.detected = true;
        let threshold = self.threshold * state.times;
        Some(if beyond[0] { (1, excess[0], threshold) } else { (-1, excess[1], threshold) })
    }
}

type Columns<'py> = Vec<Bound<'py, PyArray1<f64>>>;

#[pymethods]
impl PageHinkley {
    #[new]
    fn new(min_instances: f64, delta: f64, threshold: f64, alpha: f64, up: bool, down: bool) -> Self {
        let limits = [up, down].map(|wanted| if wanted { threshold } else { f64::INFINITY });
        PageHinkley { min_instances, delta, threshold, alpha, limits, rows: Vec::new() }
    }

    #[getter]
    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn resize(&mut self, rows: usize) {
        if rows > self.rows.len() {
            self.rows.resize(rows, FRESH);
        }
    }

    fn retain(&mut self, rows: PyReadonlyArray1<'_, i64>) -> PyResult<()> {
        retain(&mut self.rows, slice(&rows)?, 1)
    }

    fn forget(&mut self, row: usize) -> PyResult<()> {
        check_rows(&[row as i64], self.rows.len())?;
        self.rows[row] = Row { times: self.rows[row].times, ..FRESH };
        Ok(())
    }

    /// The threshold of each row is so many times the parameter from now on.
    fn raise_thresholds(&mut self, times: PyReadonlyArray1<'_, f64>) -> PyResult<()> {
        check_length(&[times.len()?, self.rows.len()])?;
        self.rows.iter_mut().zip(slice(&times)?).for_each(|(row, &times)| row.times = times);
        Ok(())
    }

    fn update<'py>(
        &mut self,
        py: Python<'py>,
        rows: PyReadonlyArray1<'py, i64>,
        values: PyReadonlyArray1<'py, f64>,
    ) -> PyResult<HitArrays<'py>> {
        let (rows, values) = (slice(&rows)?, slice(&values)?);
        check_length(&[rows.len(), values.len()])?;
        check_rows(rows, self.rows.len())?;
        check_finite(values)?;
        let hits = py.detach(|| {
            let mut hits = Hits::default();
            for (i, (&row, &x)) in rows.iter().zip(values).enumerate() {
                prefetch(&self.rows, rows, i);
                if let Some((direction, excess, threshold)) = self.step(row, x) {
                    hits.push(i, direction, excess, threshold);
                }
            }
            hits
        });
        Ok(hits.into_arrays(py))
    }

    /// One column per field, in the order of FIELDS in `detectors/page_hinkley.py`.
    fn dump<'py>(&self, py: Python<'py>) -> Columns<'py> {
        let fields: [fn(&Row) -> f64; 7] = [
            |r| r.n,
            |r| r.mean,
            |r| r.sum[0],
            |r| turned(r.sum[1]),
            |r| r.least[0],
            |r| turned(r.least[1]),
            |r| f64::from(r.detected),
        ];
        fields.iter().map(|f| self.rows.iter().map(f).collect::<Vec<f64>>().into_pyarray(py)).collect()
    }

    /// The columns of `dump`, already checked by the caller.
    fn load(&mut self, columns: Vec<PyReadonlyArray1<'_, f64>>) -> PyResult<()> {
        let columns: Vec<&[f64]> = columns.iter().map(slice).collect::<PyResult<_>>()?;
        let [n, mean, increase, decrease, lowest, highest, detected] = columns[..] else {
            return Err(pyo3::exceptions::PyValueError::new_err("seven columns are needed"));
        };
        check_length(&columns.iter().map(|c| c.len()).collect::<Vec<_>>())?;
        self.rows = (0..n.len())
            .map(|i| Row {
                n: n[i],
                mean: mean[i],
                sum: [increase[i], turned(decrease[i])],
                least: [lowest[i], turned(highest[i])],
                times: 1.0,
                detected: detected[i] != 0.0,
            })
            .collect();
        Ok(())
    }
}
