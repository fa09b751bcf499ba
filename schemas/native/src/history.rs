//! Recent values of many series in blocks; operation for operation `detectors/history.py`.

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::bank::{check_length, check_rows, prefetch, slice};

const BLOCKS: usize = 16;
const BLOCK: i64 = 8;

#[derive(Clone, Copy, Default)]
struct Block {
    total: f64,
    squares: f64,
    first_offset: i64,
    first_time_ms: i64,
}

#[derive(Clone, Default)]
struct Row {
    seen: i64,
    last_offset: i64,
    last_time_ms: i64,
    blocks: [Block; BLOCKS],
}

impl Row {
    fn add(&mut self, value: f64, offset: i64, time_ms: i64) {
        let block = &mut self.blocks[(self.seen / BLOCK) as usize % BLOCKS];
        if self.seen % BLOCK == 0 {
            *block = Block { total: 0.0, squares: 0.0, first_offset: offset, first_time_ms: time_ms };
        }
        block.total += value;
        block.squares += value * value;
        self.seen += 1;
        (self.last_offset, self.last_time_ms) = (offset, time_ms);
    }
}

#[pyclass]
pub struct History {
    huge: f64,
    rows: Vec<Row>,
}

type State<'py> = ([Bound<'py, PyArray1<i64>>; 3], [Bound<'py, PyArray1<f64>>; 2], [Bound<'py, PyArray1<i64>>; 2]);
type RowState = (i64, i64, i64, [f64; BLOCKS], [f64; BLOCKS], [i64; BLOCKS], [i64; BLOCKS]);

#[pymethods]
impl History {
    #[new]
    fn new(huge: f64) -> Self {
        History { huge, rows: Vec::new() }
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

    /// Take the values begin..end that are `ready`; value i belongs to event events[i], which stands at its offset.
    #[allow(clippy::too_many_arguments)]
    fn update(
        &mut self,
        py: Python<'_>,
        rows: PyReadonlyArray1<'_, i64>,
        values: PyReadonlyArray1<'_, f64>,
        ready: PyReadonlyArray1<'_, bool>,
        events: PyReadonlyArray1<'_, i64>,
        offsets: PyReadonlyArray1<'_, i64>,
        times_ms: PyReadonlyArray1<'_, i64>,
        begin: usize,
        end: usize,
    ) -> PyResult<()> {
        let (rows, values, ready, events) = (slice(&rows)?, slice(&values)?, slice(&ready)?, slice(&events)?);
        let (offsets, times_ms) = (slice(&offsets)?, slice(&times_ms)?);
        check_length(&[rows.len(), values.len(), ready.len(), events.len()])?;
        check_length(&[offsets.len(), times_ms.len()])?;
        check_rows(rows, self.rows.len())?;
        check_rows(events, offsets.len())?;
        if begin > end || end > rows.len() {
            return Err(PyValueError::new_err("a range outside the column"));
        }
        py.detach(|| {
            for i in (begin..end).filter(|&i| ready[i]) {
                prefetch(&self.rows, rows, i);
                let (event, value) = (events[i] as usize, values[i].clamp(-self.huge, self.huge));
                self.rows[rows[i] as usize].add(value, offsets[event], times_ms[event]);
            }
        });
        Ok(())
    }

    /// LATEST and FIELDS of a row.
    fn at(&self, row: usize) -> PyResult<RowState> {
        let row = self.rows.get(row).ok_or_else(|| PyValueError::new_err("a row that does not exist"))?;
        Ok((
            row.seen,
            row.last_offset,
            row.last_time_ms,
            row.blocks.map(|b| b.total),
            row.blocks.map(|b| b.squares),
            row.blocks.map(|b| b.first_offset),
            row.blocks.map(|b| b.first_time_ms),
        ))
    }

    /// LATEST, then FIELDS as flat arrays of BLOCKS elements per row.
    fn dump<'py>(&self, py: Python<'py>) -> State<'py> {
        let latest = |f: fn(&Row) -> i64| self.rows.iter().map(f).collect::<Vec<_>>().into_pyarray(py);
        let blocks = || self.rows.iter().flat_map(|r| r.blocks.iter());
        (
            [latest(|r| r.seen), latest(|r| r.last_offset), latest(|r| r.last_time_ms)],
            [
                blocks().map(|b| b.total).collect::<Vec<_>>().into_pyarray(py),
                blocks().map(|b| b.squares).collect::<Vec<_>>().into_pyarray(py),
            ],
            [
                blocks().map(|b| b.first_offset).collect::<Vec<_>>().into_pyarray(py),
                blocks().map(|b| b.first_time_ms).collect::<Vec<_>>().into_pyarray(py),
            ],
        )
    }

    /// The arrays of `dump`, already checked by the caller.
    fn load(
        &mut self,
        latest: [PyReadonlyArray1<'_, i64>; 3],
        sums: [PyReadonlyArray1<'_, f64>; 2],
        places: [PyReadonlyArray1<'_, i64>; 2],
    ) -> PyResult<()> {
        let [seen, last_offset, last_time_ms] = [slice(&latest[0])?, slice(&latest[1])?, slice(&latest[2])?];
        let [total, squares] = [slice(&sums[0])?, slice(&sums[1])?];
        let [first_offset, first_time_ms] = [slice(&places[0])?, slice(&places[1])?];
        check_length(&[seen.len(), last_offset.len(), last_time_ms.len()])?;
        let cells = seen.len() * BLOCKS;
        check_length(&[cells, total.len(), squares.len(), first_offset.len(), first_time_ms.len()])?;
        let block = |k: usize| Block {
            total: total[k],
            squares: squares[k],
            first_offset: first_offset[k],
            first_time_ms: first_time_ms[k],
        };
        self.rows = (0..seen.len())
            .map(|i| Row {
                seen: seen[i],
                last_offset: last_offset[i],
                last_time_ms: last_time_ms[i],
                blocks: std::array::from_fn(|b| block(i * BLOCKS + b)),
            })
            .collect();
        Ok(())
    }
}
