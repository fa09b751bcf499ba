//! How often each level of a category comes, by sums of its own; operation for operation `detectors/levels.py`.

use numpy::{IntoPyArray, PyReadonlyArray1};
use pyo3::exceptions::PyAssertionError;
use pyo3::prelude::*;

use crate::arrays::{Floats, Ints, check_length, check_rows, retain, slice};
use crate::detectors::cusum::{Cusums, FRESH_CUSUMS, SIDES, SIZE, WIDTH};
use crate::detectors::loads::{LOADS, load_of, paced};

const DAY_MS: i64 = 86_400_000;
const NEVER: i64 = -1;

/// Of a level: what came in the block that goes on, under each load and under all; since each sum began, and where that
/// was.
#[derive(Clone)]
struct Level {
    block: f64,
    seen: f64,
    loads: [f64; LOADS],
    came: [f64; SIDES],
    began: [[i64; 2]; SIDES],
    sums: Cusums,
}

const FRESH: Level = Level {
    block: 0.0,
    seen: 0.0,
    loads: [0.0; LOADS],
    came: [0.0; SIDES],
    began: [[0; 2]; SIDES],
    sums: FRESH_CUSUMS,
};

/// A row without levels was not begun. `values` are those under each load, and all.
#[derive(Clone)]
struct Row {
    fill: i64,
    day: i64,
    since: i64,
    first: [i64; 2],
    pace: f64,
    values: [f64; LOADS + 1],
    levels: Vec<Level>,
    /// How unlikely its sums are to go beyond their limits; no part of a dump.
    odds: f64,
}

const EMPTY: Row = Row {
    fill: 0,
    day: NEVER,
    since: NEVER,
    first: [0; 2],
    pace: 0.0,
    values: [0.0; LOADS + 1],
    levels: Vec::new(),
    odds: 1.0,
};

/// See Told in Python, without the place and the row.
type Said = (usize, i8, f64, f64, i64, f64, i64, [i64; 2]);
type Told = (usize, i64, usize, i8, f64, f64, i64, f64, i64, i64, i64);

impl Row {
    fn take(&mut self, level: usize, offset: i64, time_ms: i64) -> Option<Said> {
        if self.fill == 0 {
            self.first = [offset, time_ms];
        }
        self.fill += 1;
        self.levels[level].block += 1.0;
        if self.fill as f64 == SIZE { self.close(time_ms) } else { None }
    }

    fn close(&mut self, time_ms: i64) -> Option<Said> {
        let mut place = None;
        if self.since != NEVER {
            self.pace = paced(self.pace, (time_ms - self.since).max(0) as f64);
            place = Some(load_of(self.pace));
        }
        self.since = self.since.max(time_ms);
        let day = time_ms.div_euclid(DAY_MS);
        let turns = day > self.day;
        let ends = turns && self.day != NEVER;
        self.day = self.day.max(day);
        let (whole, under) = (self.values[LOADS], place.map_or(0.0, |place| self.values[place]));
        let mut told = None;
        for (number, level) in self.levels.iter_mut().enumerate() {
            if ends {
                level.sums.end_day(self.odds);
            }
            let ones = level.block;
            let load = (under, place.map_or(0.0, |place| level.loads[place]));
            let said = level.sums.take(ones, true, || [load, (whole, level.seen)]);
            for side in 0..SIDES {
                let since = level.sums.since[side];
                if since <= SIZE {
                    let begins = since == SIZE;
                    level.came[side] = if begins { ones } else { 0.0 };
                    level.began[side] = if begins { self.first } else { [0; 2] };
                } else {
                    level.came[side] += ones;
                }
            }
            if let (None, Some((way, statistic, limit, age))) = (told, said) {
                let of = |side: &usize| level.sums.sums[*side] == limit && level.sums.since[*side] as i64 == age;
                let side = (0..SIDES).find(of).unwrap_or(0);
                let usual = level.sums.ones / level.sums.n;
                let (came, began) = (level.came[side] as i64, level.began[side]);
                told = Some((number, way, statistic, limit, age, usual, came, began));
            }
            if let Some(place) = place {
                level.loads[place] += ones;
            }
            level.seen += ones;
            level.block = 0.0;
        }
        if let Some(place) = place {
            self.values[place] += SIZE;
        }
        self.values[LOADS] += SIZE;
        self.fill = 0;
        told
    }
}

#[pyclass]
pub struct Levels {
    rows: Vec<Row>,
}

/// INTS and `began`; pace, values and FLOATS of `detectors/levels.py`; all flat.
type Dump<'py> = ([Ints<'py>; 7], [Floats<'py>; 7]);

#[pymethods]
impl Levels {
    #[new]
    fn new() -> Self {
        Levels { rows: Vec::new() }
    }

    #[getter]
    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn resize(&mut self, rows: usize) {
        if rows > self.rows.len() {
            self.rows.resize(rows, EMPTY);
        }
    }

    fn retain(&mut self, rows: PyReadonlyArray1<'_, i64>) -> PyResult<()> {
        retain(&mut self.rows, slice(&rows)?, 1)
    }

    fn begin(&mut self, row: usize, levels: usize, odds: f64) -> PyResult<()> {
        check_rows(&[row as i64], self.rows.len())?;
        self.rows[row] = Row { levels: vec![FRESH; levels], odds, ..EMPTY };
        Ok(())
    }

    fn levels(&self, row: usize) -> PyResult<usize> {
        check_rows(&[row as i64], self.rows.len())?;
        Ok(self.rows[row].levels.len())
    }

    fn share(&mut self, odds: PyReadonlyArray1<'_, f64>) -> PyResult<()> {
        check_length(&[odds.len()?, self.rows.len()])?;
        self.rows.iter_mut().zip(slice(&odds)?).for_each(|(row, &odds)| row.odds = odds);
        Ok(())
    }

    fn update(
        &mut self,
        rows: PyReadonlyArray1<'_, i64>,
        levels: PyReadonlyArray1<'_, i64>,
        events: PyReadonlyArray1<'_, i64>,
        offsets: PyReadonlyArray1<'_, i64>,
        times_ms: PyReadonlyArray1<'_, i64>,
    ) -> PyResult<Vec<Told>> {
        let (rows, levels, events) = (slice(&rows)?, slice(&levels)?, slice(&events)?);
        let (offsets, times_ms) = (slice(&offsets)?, slice(&times_ms)?);
        check_length(&[rows.len(), levels.len(), events.len()])?;
        check_length(&[offsets.len(), times_ms.len()])?;
        check_rows(rows, self.rows.len()).and(check_rows(events, offsets.len()))?;
        if rows.iter().zip(levels).any(|(&row, &level)| level as u64 >= self.rows[row as usize].levels.len() as u64) {
            return Err(PyAssertionError::new_err("a level that its row has not"));
        }
        let mut found = Vec::new();
        for (i, ((&row, &level), &event)) in rows.iter().zip(levels).zip(events).enumerate() {
            let (offset, time_ms) = (offsets[event as usize], times_ms[event as usize]);
            if let Some((level, way, sum, limit, age, usual, came, [first, first_ms])) =
                self.rows[row as usize].take(level as usize, offset, time_ms)
            {
                found.push((i, row, level, way, sum, limit, age, usual, came, first, first_ms));
            }
        }
        Ok(found)
    }

    fn dump<'py>(&self, py: Python<'py>) -> Dump<'py> {
        let ints = |of: &dyn Fn(&Row) -> Vec<i64>| self.rows.iter().flat_map(of).collect::<Vec<_>>().into_pyarray(py);
        let floats = |of: &dyn Fn(&Level) -> Vec<f64>| {
            self.rows.iter().flat_map(|row| &row.levels).flat_map(of).collect::<Vec<_>>().into_pyarray(py)
        };
        let begun = self.rows.iter().filter(|row| !row.levels.is_empty());
        (
            [
                ints(&|row| vec![row.levels.len() as i64]),
                ints(&|row| vec![row.fill]),
                ints(&|row| vec![row.day]),
                ints(&|row| vec![row.since]),
                ints(&|row| vec![row.first[0]]),
                ints(&|row| vec![row.first[1]]),
                ints(&|row| row.levels.iter().flat_map(|level| level.began.as_flattened().to_vec()).collect()),
            ],
            [
                self.rows.iter().map(|row| row.pace).collect::<Vec<_>>().into_pyarray(py),
                begun.flat_map(|row| row.values).collect::<Vec<_>>().into_pyarray(py),
                floats(&|level| level.came.to_vec()),
                floats(&|level| level.loads.to_vec()),
                floats(&|level| vec![level.seen]),
                floats(&|level| vec![level.block]),
                floats(&|level| level.sums.dump().to_vec()),
            ],
        )
    }

    /// The arrays of `dump`, already checked by the caller.
    fn load(&mut self, ints: [PyReadonlyArray1<'_, i64>; 7], floats: [PyReadonlyArray1<'_, f64>; 7]) -> PyResult<()> {
        let ints: Vec<&[i64]> = ints.iter().map(slice).collect::<PyResult<_>>()?;
        let floats: Vec<&[f64]> = floats.iter().map(slice).collect::<PyResult<_>>()?;
        let rows = ints[0].len();
        let (whole, begun) = (ints[0].iter().sum::<i64>() as usize, ints[0].iter().filter(|&&one| one > 0).count());
        ints[1..6].iter().try_for_each(|one| check_length(&[one.len(), rows]))?;
        check_length(&[ints[6].len(), whole * 2 * SIDES])?;
        check_length(&[floats[0].len(), rows])?;
        check_length(&[floats[1].len(), begun * (LOADS + 1)])?;
        for (array, width) in floats[2..].iter().zip([SIDES, LOADS, 1, 1, WIDTH]) {
            check_length(&[array.len(), whole * width])?;
        }
        let (mut at, mut number) = (0, 0);
        self.rows = (0..rows)
            .map(|row| {
                let count = ints[0][row] as usize;
                let levels = (at..at + count).map(|place| Level::load(ints[6], &floats, place)).collect();
                at += count;
                let mut values = EMPTY.values;
                if count > 0 {
                    values.copy_from_slice(&floats[1][number * (LOADS + 1)..][..LOADS + 1]);
                    number += 1;
                }
                let (first, pace) = ([ints[4][row], ints[5][row]], floats[0][row]);
                Row {
                    fill: ints[1][row],
                    day: ints[2][row],
                    since: ints[3][row],
                    first,
                    pace,
                    values,
                    levels,
                    odds: 1.0,
                }
            })
            .collect();
        Ok(())
    }
}

impl Level {
    fn load(began: &[i64], floats: &[&[f64]], at: usize) -> Level {
        let mut level = FRESH;
        level.began.as_flattened_mut().copy_from_slice(&began[at * 2 * SIDES..][..2 * SIDES]);
        level.came.copy_from_slice(&floats[2][at * SIDES..][..SIDES]);
        level.loads.copy_from_slice(&floats[3][at * LOADS..][..LOADS]);
        (level.seen, level.block) = (floats[4][at], floats[5][at]);
        level.sums = Cusums::load(&floats[6][at * WIDTH..][..WIDTH]);
        level
    }
}
