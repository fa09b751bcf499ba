//! Histograms of many series, each with its own fixed edges; counts as `detectors/histogram.py`.

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;

use crate::bank::{check_finite, check_length, check_rows, slice};

#[pyclass]
pub struct Histogram {
    bins: usize,
    edges: Vec<f64>,
    counts: Vec<i64>,
}

#[pymethods]
impl Histogram {
    #[new]
    fn new(bins: usize) -> Self {
        Histogram { bins: bins.max(1), edges: Vec::new(), counts: Vec::new() }
    }

    #[getter]
    fn rows(&self) -> usize {
        self.counts.len() / self.bins
    }

    fn resize(&mut self, rows: usize) {
        if rows > self.rows() {
            self.edges.resize(rows * (self.bins - 1), f64::INFINITY);
            self.counts.resize(rows * self.bins, 0);
        }
    }

    /// The caller has checked the edges; counts of old ones mean nothing.
    fn set_edges(&mut self, row: usize, edges: PyReadonlyArray1<'_, f64>) -> PyResult<()> {
        let edges = slice(&edges)?;
        check_rows(&[row as i64], self.rows())?;
        check_length(&[edges.len(), self.bins - 1])?;
        self.edges[row * (self.bins - 1)..(row + 1) * (self.bins - 1)].copy_from_slice(edges);
        self.counts[row * self.bins..(row + 1) * self.bins].fill(0);
        Ok(())
    }

    /// The counts of a row, which begin at zero again.
    fn take<'py>(&mut self, py: Python<'py>, row: usize) -> PyResult<Bound<'py, PyArray1<i64>>> {
        check_rows(&[row as i64], self.rows())?;
        let counts = &mut self.counts[row * self.bins..(row + 1) * self.bins];
        let taken = PyArray1::from_slice(py, counts);
        counts.fill(0);
        Ok(taken)
    }

    fn update(
        &mut self,
        py: Python<'_>,
        rows: PyReadonlyArray1<'_, i64>,
        values: PyReadonlyArray1<'_, f64>,
    ) -> PyResult<()> {
        let (rows, values) = (slice(&rows)?, slice(&values)?);
        check_length(&[rows.len(), values.len()])?;
        check_rows(rows, self.rows())?;
        check_finite(values)?;
        py.detach(|| {
            for (&row, &value) in rows.iter().zip(values) {
                let row = row as usize;
                let edges = &self.edges[row * (self.bins - 1)..(row + 1) * (self.bins - 1)];
                // Counting without a branch beats a binary search for the few dozen edges a histogram has.
                let bin: usize = edges.iter().map(|&edge| usize::from(edge <= value)).sum();
                self.counts[row * self.bins + bin] += 1;
            }
        });
        Ok(())
    }

    /// Edges and counts, row after row.
    fn dump<'py>(&self, py: Python<'py>) -> (Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<i64>>) {
        (self.edges.clone().into_pyarray(py), self.counts.clone().into_pyarray(py))
    }

    /// The arrays of `dump`, already checked by the caller.
    fn load(&mut self, edges: PyReadonlyArray1<'_, f64>, counts: PyReadonlyArray1<'_, i64>) -> PyResult<()> {
        let (edges, counts) = (slice(&edges)?, slice(&counts)?);
        let rows = counts.len() / self.bins;
        check_length(&[counts.len(), rows * self.bins])?;
        check_length(&[edges.len(), rows * (self.bins - 1)])?;
        (self.edges, self.counts) = (edges.to_vec(), counts.to_vec());
        Ok(())
    }
}
