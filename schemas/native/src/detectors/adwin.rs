//! ADWIN for many series: a window each, see `window.rs`.

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::arrays::{check_finite, check_length, check_rows, prefetch, retain, slice};
use crate::detectors::bank::{HitArrays, Hits, Said, TIERLESS};
use crate::detectors::window::{FRESH, LEVELS, Params, Window, cell};

#[pyclass]
pub struct Adwin {
    params: Params,
    up: bool,
    down: bool,
    pub rows: Vec<Window>,
    /// By row how many times epsilon two sides must differ by; no part of a dump.
    times: Vec<f64>,
}

impl Adwin {
    /// Take the values that have a row.
    #[inline(never)]
    pub fn take(&mut self, rows: &[i64], values: &[f64], found: &mut Vec<Said>) {
        for (&row, &value) in rows.iter().zip(values) {
            if let Some((direction, moved, epsilon)) = self.step(row, value) {
                found.push((row, (direction, moved, epsilon, 0, TIERLESS)));
            }
        }
    }

    /// NOWHERE is a row that does not exist.
    #[inline(always)]
    fn step(&mut self, row: i64, value: f64) -> Option<(i8, f64, f64)> {
        let window = self.rows.get_mut(row as usize)?;
        if window.detected {
            *window = Window { cells: std::mem::take(&mut window.cells), ..FRESH };
            window.cells.clear();
        }
        window.insert(value, &self.params);
        if window.tick % self.params.clock != 0 {
            return None;
        }
        let (moved, epsilon) = window.shrink(&self.params, self.times[row as usize])?;
        match moved > 0.0 {
            true => self.up.then_some((1, moved, epsilon)),
            false => self.down.then_some((-1, -moved, epsilon)),
        }
    }
}

type State<'py> = (
    [Bound<'py, PyArray1<f64>>; 3],
    [Bound<'py, PyArray1<i64>>; 3],
    Bound<'py, PyArray1<bool>>,
    [Bound<'py, PyArray1<f64>>; 2],
);

#[pymethods]
impl Adwin {
    #[new]
    fn new(
        delta: f64,
        clock: u64,
        max_buckets: usize,
        min_window_length: f64,
        grace_period: f64,
        up: bool,
        down: bool,
    ) -> PyResult<Self> {
        if !(2..=u8::MAX.into()).contains(&max_buckets) {
            return Err(PyValueError::new_err("a level has 2 to 255 buckets"));
        }
        let params = Params { delta, clock, max_buckets, min_window_length, grace_period };
        Ok(Adwin { params, up, down, rows: Vec::new(), times: Vec::new() })
    }

    #[getter]
    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn resize(&mut self, rows: usize) {
        if rows > self.rows.len() {
            self.rows.resize(rows, FRESH);
            self.times.resize(rows, 1.0);
        }
    }

    fn retain(&mut self, rows: PyReadonlyArray1<'_, i64>) -> PyResult<()> {
        let rows = slice(&rows)?;
        retain(&mut self.rows, rows, 1)?;
        retain(&mut self.times, rows, 1)
    }

    /// Two sides of a window of each row must differ by so many times epsilon from now on, at least once it.
    fn raise_thresholds(&mut self, times: PyReadonlyArray1<'_, f64>) -> PyResult<()> {
        check_length(&[times.len()?, self.rows.len()])?;
        self.times.copy_from_slice(slice(&times)?);
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
            for (i, (&row, &value)) in rows.iter().zip(values).enumerate() {
                prefetch(&self.rows, rows, i);
                if let Some((direction, moved, epsilon)) = self.step(row, value) {
                    hits.push(i, direction, moved, epsilon);
                }
            }
            hits
        });
        Ok(hits.into_arrays(py))
    }

    fn forget(&mut self, row: usize) -> PyResult<()> {
        check_rows(&[row as i64], self.rows.len())?;
        self.rows[row] = FRESH;
        Ok(())
    }

    /// (total, variance, width), (tick, levels, buckets), detected, (bucket sums, bucket variances), as in Python.
    fn dump<'py>(&self, py: Python<'py>) -> State<'py> {
        let (mut levels, mut buckets, mut sums, mut variances) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for window in &self.rows {
            let mut all: Vec<_> = window.oldest_first(&self.params).collect();
            all.reverse();
            // A fresh window has one level without buckets, in river and in the snapshot.
            levels.push(all.len().max(1) as i64);
            if all.is_empty() {
                buckets.push(0);
            }
            for (_, own, apart) in all {
                buckets.push(own.len() as i64);
                sums.extend_from_slice(own);
                variances.extend_from_slice(apart);
                variances.resize(sums.len(), 0.0); // Those of level 0.
            }
        }
        let scalar = |f: fn(&Window) -> f64| self.rows.iter().map(f).collect::<Vec<_>>().into_pyarray(py);
        (
            [scalar(|w| w.total), scalar(|w| w.variance), scalar(|w| w.width)],
            [
                self.rows.iter().map(|w| w.tick as i64).collect::<Vec<_>>().into_pyarray(py),
                levels.into_pyarray(py),
                buckets.into_pyarray(py),
            ],
            self.rows.iter().map(|w| w.detected).collect::<Vec<_>>().into_pyarray(py),
            [sums.into_pyarray(py), variances.into_pyarray(py)],
        )
    }

    /// The arrays of `dump`, already checked by the caller.
    fn load(
        &mut self,
        scalars: [PyReadonlyArray1<'_, f64>; 3],
        counts: [PyReadonlyArray1<'_, i64>; 3],
        detected: PyReadonlyArray1<'_, bool>,
        cells: [PyReadonlyArray1<'_, f64>; 2],
    ) -> PyResult<()> {
        let wrong = || PyValueError::new_err("arrays that do not fit together");
        let most = self.params.max_buckets;
        let [total, variance, width] = [slice(&scalars[0])?, slice(&scalars[1])?, slice(&scalars[2])?];
        let [tick, levels, buckets] = [slice(&counts[0])?, slice(&counts[1])?, slice(&counts[2])?];
        let (detected, sums, variances) = (slice(&detected)?, slice(&cells[0])?, slice(&cells[1])?);
        check_length(&[total.len(), variance.len(), width.len(), tick.len(), levels.len(), detected.len()])?;
        let (mut level, mut place) = (0, 0);
        let mut rows = Vec::with_capacity(total.len());
        for i in 0..total.len() {
            let there = buckets.get(level..level + levels[i] as usize).ok_or_else(wrong)?;
            level += there.len();
            if there.len() > LEVELS {
                return Err(wrong());
            }
            let mut cells = Vec::new();
            for (number, &held) in there.iter().enumerate().filter(|_| width[i] > 0.0) {
                let (held, begin, next) = (held as usize, cells.len(), place + held as usize);
                if held > most || next > sums.len() || next > variances.len() {
                    return Err(wrong());
                }
                cells.resize(begin + if number == 0 { self.params.first() } else { self.params.stride() }, 0.0);
                cells[begin] = cell(held);
                cells[begin + 1..=begin + held].copy_from_slice(&sums[place..next]);
                if number > 0 {
                    cells[begin + 1 + most..][..held].copy_from_slice(&variances[place..next]);
                }
                place = next;
            }
            cells.shrink_to_fit();
            rows.push(Window {
                total: total[i],
                variance: variance[i],
                width: width[i],
                tick: tick[i] as u64,
                detected: detected[i],
                cells,
            });
        }
        self.times = vec![1.0; rows.len()];
        self.rows = rows;
        Ok(())
    }
}
