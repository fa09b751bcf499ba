//! Page-Hinkley for many series; operation for operation `detectors/page_hinkley.py`.

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;

use crate::bank::{HitArrays, Hits, check_finite, check_length, check_rows, prefetch, slice};

/// One line of the processor's cache.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub struct Row {
    n: f64,
    mean: f64,
    increase: f64,
    decrease: f64,
    lowest: f64,
    highest: f64,
    detected: bool,
}

const FRESH: Row =
    Row { n: 0.0, mean: 0.0, increase: 0.0, decrease: 0.0, lowest: f64::INFINITY, highest: -1.0, detected: false };

#[pyclass]
pub struct PageHinkley {
    min_instances: f64,
    delta: f64,
    pub threshold: f64,
    alpha: f64,
    up: bool,
    down: bool,
    pub rows: Vec<Row>,
}

impl PageHinkley {
    #[inline(always)]
    pub fn step(&mut self, row: i64, x: f64) -> Option<(i8, f64)> {
        let state = &mut self.rows[row as usize];
        if state.detected {
            *state = FRESH;
        }
        state.n += 1.0;
        state.mean += (1.0 / state.n) * (x - state.mean);
        let away = x - state.mean;
        state.increase = self.alpha * state.increase + away - self.delta;
        state.decrease = self.alpha * state.decrease + away + self.delta;
        // Written so that the compiler makes no branch of it, which nobody could foresee.
        state.lowest = if state.increase < state.lowest { state.increase } else { state.lowest };
        state.highest = if state.decrease > state.highest { state.decrease } else { state.highest };
        if state.n < self.min_instances {
            return None;
        }
        let (up, down) = (state.increase - state.lowest, state.highest - state.decrease);
        let hit = match (self.up && up > self.threshold, self.down && down > self.threshold) {
            (true, _) => Some((1, up)),
            (_, true) => Some((-1, down)),
            _ => None,
        };
        state.detected = hit.is_some();
        hit
    }
}

type Columns<'py> = Vec<Bound<'py, PyArray1<f64>>>;

#[pymethods]
impl PageHinkley {
    #[new]
    fn new(min_instances: f64, delta: f64, threshold: f64, alpha: f64, up: bool, down: bool) -> Self {
        PageHinkley { min_instances, delta, threshold, alpha, up, down, rows: Vec::new() }
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
                if let Some((direction, excess)) = self.step(row, x) {
                    hits.push(i, direction, excess, self.threshold);
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
            |r| r.increase,
            |r| r.decrease,
            |r| r.lowest,
            |r| r.highest,
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
                increase: increase[i],
                decrease: decrease[i],
                lowest: lowest[i],
                highest: highest[i],
                detected: detected[i] != 0.0,
            })
            .collect();
        Ok(())
    }
}
