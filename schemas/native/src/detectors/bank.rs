//! What the detector banks share: how they tell of hits, and the bound of what they take.

use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;

/// Values of a row: n, mean, std, first and last offset, first and last time; `Summary` of `streamer/monitors/evidence.py`.
pub type Seen = (i64, f64, f64, i64, i64, i64, i64);

/// Hits as they are found: place, direction, statistic, threshold; arrays of the same length for Python.
#[derive(Default)]
pub struct Hits {
    place: Vec<i64>,
    direction: Vec<i8>,
    statistic: Vec<f64>,
    threshold: Vec<f64>,
}

pub type HitArrays<'py> =
    (Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<i8>>, Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<f64>>);

impl Hits {
    pub fn push(&mut self, place: usize, direction: i8, statistic: f64, threshold: f64) {
        self.place.push(place as i64);
        self.direction.push(direction);
        self.statistic.push(statistic);
        self.threshold.push(threshold);
    }

    pub fn into_arrays(self, py: Python<'_>) -> HitArrays<'_> {
        (
            self.place.into_pyarray(py),
            self.direction.into_pyarray(py),
            self.statistic.into_pyarray(py),
            self.threshold.into_pyarray(py),
        )
    }
}

/// The row of a value that has none.
pub const NOWHERE: i64 = -1;

/// The tier of a row whose detector has none.
pub const TIERLESS: i8 = -1;

/// Direction, statistic, threshold, how many values ago it began, 0 unknown, and the tier of the row, `TIERLESS` of none.
pub type Told = (i8, f64, f64, i64, i8);

/// Of a row.
pub type Said = (i64, Told);

/// As `clamp`, without its branch for a bad bound.
#[inline(always)]
pub fn bounded(value: f64, most: f64) -> f64 {
    let value = if value > most { most } else { value };
    if value < -most { -most } else { value }
}
