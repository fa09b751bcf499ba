//! The column of a sweep and what the reference made of it.
#![forbid(unsafe_code)]

use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;

/// What other monitors of the table, or rules, want to see of it: the column, and what the reference made of it.
#[derive(Default)]
pub struct Shown {
    rows: Vec<i64>,
    values: Vec<f64>,
    events: Vec<i64>,
    ready: Vec<bool>,
    z: Vec<f64>,
    away: Vec<f64>,
}

pub type Arrays<'py> = (
    (Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<i64>>),
    (Bound<'py, PyArray1<bool>>, Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<f64>>),
);

impl Shown {
    pub fn push(&mut self, (row, value, event): (i64, f64, i32), away: Option<f64>, z: f64) {
        self.rows.push(row);
        self.values.push(value);
        self.events.push(event.into());
        self.ready.push(away.is_some());
        self.z.push(z);
        self.away.push(away.unwrap_or_default());
    }

    /// The place of a row's newest value, which was pushed.
    pub fn place(&self, row: i64) -> usize {
        self.rows.iter().rposition(|&other| other == row).unwrap_or_default()
    }

    pub fn reserve(&mut self, n: usize) {
        self.rows.reserve(n);
        self.values.reserve(n);
        self.events.reserve(n);
        self.ready.reserve(n);
        self.z.reserve(n);
        self.away.reserve(n);
    }

    pub fn into_arrays(self, py: Python<'_>) -> Arrays<'_> {
        (
            (self.rows.into_pyarray(py), self.values.into_pyarray(py), self.events.into_pyarray(py)),
            (self.ready.into_pyarray(py), self.z.into_pyarray(py), self.away.into_pyarray(py)),
        )
    }
}
