//! What many series were lately, in blocks; operation for operation `detectors/history.py`.

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::arrays::{check_finite, check_length, check_rows, prefetch, retain, slice};
use crate::detectors::bank::bounded;
use crate::detectors::last_change::{Asked, Change, Piece, last_change};

const BLOCK: i64 = 2;
const FACTOR: i64 = 4;
const LEVELS: usize = 5;
const KEPT: usize = 8;
const SLOTS: usize = LEVELS * KEPT;

/// Half a line of the processor's cache.
#[derive(Clone, Copy)]
#[repr(align(32))]
struct Block {
    total: f64,
    squares: f64,
    first_offset: i64,
    first_time_ms: i64,
}

#[derive(Clone)]
#[repr(C)]
pub struct Row {
    seen: i64,
    last_offset: i64,
    last_time_ms: i64,
    blocks: [Block; SLOTS],
}

const FRESH: Row = Row { seen: 0, last_offset: 0, last_time_ms: 0, blocks: [EMPTY; SLOTS] };
const EMPTY: Block = Block { total: 0.0, squares: 0.0, first_offset: 0, first_time_ms: 0 };

/// Where a block of a level stands.
fn slot(level: usize, block: i64) -> usize {
    level * KEPT + block as usize % KEPT
}

/// By level the first block that is needed of a row with so many values, and the first behind those.
fn spans(seen: i64) -> [(i64, i64); LEVELS] {
    let mut found = [(0, 0); LEVELS];
    let (mut full, mut end) = (seen / BLOCK, seen / BLOCK + seen % BLOCK);
    for (level, span) in found.iter_mut().enumerate() {
        let mut begin = (if level == 0 { end } else { full } - KEPT as i64).max(0);
        if level < LEVELS - 1 {
            begin = (begin + FACTOR - 1) / FACTOR * FACTOR;
        }
        *span = (begin, end);
        (full, end) = (full / FACTOR, begin / FACTOR);
    }
    found
}

/// The slots of the blocks that are needed, ascending.
fn needed(seen: i64) -> impl Iterator<Item = usize> {
    spans(seen).into_iter().enumerate().flat_map(|(level, (begin, end))| {
        let held = move |place: &i64| (place - begin) & (KEPT as i64 - 1) < end - begin;
        (0..KEPT as i64).filter(held).map(move |place| level * KEPT + place as usize)
    })
}

impl Row {
    /// Make the blocks of which finer ones are needed instead: in time they are needed themselves.
    fn complete(&mut self) {
        let mut full = self.seen / BLOCK;
        for (level, &(_, end)) in spans(self.seen).iter().enumerate().skip(1) {
            full /= FACTOR;
            for number in end..full {
                let first = slot(level - 1, number * FACTOR);
                let mut joined = self.blocks[first];
                for further in &self.blocks[first + 1..first + FACTOR as usize] {
                    joined.total += further.total;
                    joined.squares += further.squares;
                }
                self.blocks[slot(level, number)] = joined;
            }
        }
    }

    #[inline(always)]
    fn add(&mut self, value: f64, offset: i64, time_ms: i64) {
        let block = &mut self.blocks[self.seen as usize / BLOCK as usize % KEPT];
        if self.seen % BLOCK == 0 {
            *block = Block { total: 0.0, squares: 0.0, first_offset: offset, first_time_ms: time_ms };
        }
        block.total += value;
        block.squares += value * value;
        self.seen += 1;
        (self.last_offset, self.last_time_ms) = (offset, time_ms);
        if self.seen % (BLOCK * FACTOR) == 0 {
            self.join();
        }
    }

    /// The blocks of further levels that are full by now.
    fn join(&mut self) {
        let mut full = self.seen / BLOCK;
        for level in 1..LEVELS {
            if full % FACTOR != 0 {
                return;
            }
            let first = slot(level - 1, full - FACTOR);
            let mut joined = self.blocks[first];
            for further in &self.blocks[first + 1..first + FACTOR as usize] {
                joined.total += further.total;
                joined.squares += further.squares;
            }
            full /= FACTOR;
            self.blocks[slot(level, full - 1)] = joined;
        }
    }

    fn pieces(&self) -> Vec<Piece> {
        let piece = |n, at: usize| {
            let Block { total, squares, first_offset, first_time_ms } = self.blocks[at];
            Piece { n, total, squares, first_offset, first_time_ms }
        };
        let (mut full, open) = (self.seen / BLOCK, self.seen % BLOCK);
        let mut pieces = Vec::with_capacity(SLOTS + 1);
        if open > 0 {
            pieces.push(piece(open, slot(0, full)));
        }
        let (mut size, mut place) = (BLOCK, full);
        for level in 0..LEVELS {
            let mut stop = (full - KEPT as i64 + (level == 0 && open > 0) as i64).max(0);
            if level < LEVELS - 1 {
                stop = (stop + FACTOR - 1) / FACTOR * FACTOR;
            }
            pieces.extend((stop..place).rev().map(|block| piece(size, slot(level, block))));
            (size, full, place) = (size * FACTOR, full / FACTOR, stop / FACTOR);
        }
        pieces.reverse();
        pieces
    }

    /// What a detector found in the row; None while there are no values.
    #[cold]
    pub fn changed(&self, asked: Asked) -> Option<Change> {
        let pieces = self.pieces();
        let held: i64 = pieces.iter().map(|piece| piece.n).sum();
        let last = (self.last_offset, self.last_time_ms);
        (!pieces.is_empty()).then(|| last_change(&pieces, last, asked, held == self.seen))
    }
}

#[pyclass]
pub struct History {
    huge: f64,
    pub rows: Vec<Row>,
}

impl History {
    #[inline(always)]
    pub fn add(&mut self, row: usize, value: f64, offset: i64, time_ms: i64) {
        self.rows[row].add(bounded(value, self.huge), offset, time_ms);
    }
}

type State<'py> = ([Bound<'py, PyArray1<i64>>; 3], [Bound<'py, PyArray1<f64>>; 2], [Bound<'py, PyArray1<i64>>; 2]);

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
            self.rows.resize(rows, FRESH);
        }
    }

    fn retain(&mut self, rows: PyReadonlyArray1<'_, i64>) -> PyResult<()> {
        retain(&mut self.rows, slice(&rows)?, 1)
    }

    fn forget(&mut self, row: usize) -> PyResult<()> {
        check_rows(&[row as i64], self.rows.len())?;
        self.rows[row].seen = 0;
        Ok(())
    }

    /// LATEST of each row.
    fn heard<'py>(&self, py: Python<'py>) -> [Bound<'py, PyArray1<i64>>; 3] {
        let latest = |f: fn(&Row) -> i64| self.rows.iter().map(f).collect::<Vec<_>>().into_pyarray(py);
        [latest(|row| row.seen), latest(|row| row.last_offset), latest(|row| row.last_time_ms)]
    }

    /// Take the values that are `ready`; value i belongs to event events[i], which stands at its offset. Tells what
    /// is asked of its row right behind each of the ascending `marks`.
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
        marks: PyReadonlyArray1<'_, i64>,
        asked: Vec<Asked>,
    ) -> PyResult<Vec<Option<Change>>> {
        let (rows, values, ready, events) = (slice(&rows)?, slice(&values)?, slice(&ready)?, slice(&events)?);
        let (offsets, times_ms) = (slice(&offsets)?, slice(&times_ms)?);
        let marks = slice(&marks)?;
        check_length(&[rows.len(), values.len(), ready.len(), events.len()])?;
        check_length(&[offsets.len(), times_ms.len()])?;
        check_rows(rows, self.rows.len())?;
        check_rows(events, offsets.len())?;
        check_length(&[marks.len(), asked.len()])?;
        check_rows(marks, rows.len())?;
        if !marks.is_sorted() {
            return Err(PyValueError::new_err("marks that do not ascend"));
        }
        Ok(py.detach(|| {
            let (mut told, mut begin) = (Vec::with_capacity(marks.len()), 0);
            let ends = marks.iter().map(|&mark| mark as usize + 1).chain([rows.len()]);
            for (k, end) in ends.enumerate() {
                for i in (begin..end).filter(|&i| ready[i]) {
                    prefetch(&self.rows, rows, i);
                    let event = events[i] as usize;
                    self.add(rows[i] as usize, values[i], offsets[event], times_ms[event]);
                }
                begin = end;
                if k < marks.len() {
                    told.push(self.rows[rows[end - 1] as usize].changed(asked[k]));
                }
            }
            told
        }))
    }

    /// See `detectors/history.py`.
    fn changed(&self, row: usize, asked: Asked) -> PyResult<Option<Change>> {
        let row = self.rows.get(row).ok_or_else(|| PyValueError::new_err("a row that does not exist"))?;
        Ok(row.changed(asked))
    }

    /// See `packed` of `detectors/history.py`: LATEST, then SUMS and PLACES of the blocks that are needed.
    fn dump<'py>(&self, py: Python<'py>) -> State<'py> {
        let latest = |f: fn(&Row) -> i64| self.rows.iter().map(f).collect::<Vec<_>>().into_pyarray(py);
        let count = self.rows.iter().map(|row| needed(row.seen).count()).sum();
        let (mut sums, mut since) =
            ([(); 2].map(|_| Vec::with_capacity(count)), [(); 2].map(|_| Vec::with_capacity(count)));
        for row in &self.rows {
            for block in needed(row.seen).map(|at| &row.blocks[at]) {
                sums[0].push(block.total);
                sums[1].push(block.squares);
                since[0].push(row.last_offset.wrapping_sub(block.first_offset));
                since[1].push(row.last_time_ms.wrapping_sub(block.first_time_ms));
            }
        }
        (
            [latest(|r| r.seen), latest(|r| r.last_offset), latest(|r| r.last_time_ms)],
            sums.map(|own| own.into_pyarray(py)),
            since.map(|own| own.into_pyarray(py)),
        )
    }

    /// The arrays of `dump`; ValueError for what cannot be, and then nothing is changed.
    fn load(
        &mut self,
        latest: [PyReadonlyArray1<'_, i64>; 3],
        sums: [PyReadonlyArray1<'_, f64>; 2],
        since: [PyReadonlyArray1<'_, i64>; 2],
    ) -> PyResult<()> {
        let [seen, last_offset, last_time_ms] = [slice(&latest[0])?, slice(&latest[1])?, slice(&latest[2])?];
        let [total, squares] = [slice(&sums[0])?, slice(&sums[1])?];
        let [offsets, times_ms] = [slice(&since[0])?, slice(&since[1])?];
        check_length(&[seen.len(), last_offset.len(), last_time_ms.len()])?;
        let fine = seen.iter().all(|&n| n >= 0) && check_finite(total).is_ok() && check_finite(squares).is_ok();
        let count = || seen.iter().map(|&n| needed(n).count()).sum::<usize>();
        if !fine || squares.iter().any(|&n| n < 0.0) || [squares, total].iter().any(|own| own.len() != count()) {
            return Err(PyValueError::new_err("an invalid history"));
        }
        check_length(&[total.len(), offsets.len(), times_ms.len()])?;
        let mut at = 0;
        let mut rows = Vec::with_capacity(seen.len());
        for (i, &seen) in seen.iter().enumerate() {
            rows.push(Row { seen, last_offset: last_offset[i], last_time_ms: last_time_ms[i], ..FRESH });
            let row = &mut rows[i];
            for slot in needed(seen) {
                row.blocks[slot] = Block {
                    total: total[at],
                    squares: squares[at],
                    first_offset: row.last_offset.wrapping_sub(offsets[at]),
                    first_time_ms: row.last_time_ms.wrapping_sub(times_ms[at]),
                };
                at += 1;
            }
            row.complete();
        }
        self.rows = rows;
        Ok(())
    }
}
