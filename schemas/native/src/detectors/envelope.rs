//! Averages at seven scales against the daily extremes of healthy days; operation for operation `detectors/envelope.py`
//! and `detectors/extremes.py`.

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;

use crate::arrays::{check_finite, check_length, check_rows, prefetch, retain, slice};
use crate::detectors::bank::{HitArrays, Hits, Said};

const DAY_MS: i64 = 86_400_000;
const FIRST: i64 = 8;
const FACTOR: i64 = 4;
const LEVELS: usize = 7;
const SUMS: usize = 3;
const CHANNELS: usize = 2 * LEVELS;
const LAG: usize = 2;
const SCHOOL: i64 = 7;
const MEMORY: i64 = 28;
const FEW: f64 = 3.0;
const KNEE: f64 = 3.0;
const SEEN_LEAST: f64 = 200.0;
const GROSS: f64 = 3.0;
const NOISE: f64 = 6.0;
const GROSS_SHARE: f64 = 0.2;
const COUNTS: f64 = 3.5;
const RUN: f64 = 48.0;
const RUNS: f64 = 100.0;
const LONGER: f64 = 4.0;
const NEVER: i64 = -1;
const NONE: f64 = f64::NEG_INFINITY;
const OPEN: f64 = f64::INFINITY;

/// A side of a channel: its day's most extreme value, the newest days, and what older ones amount to.
#[derive(Clone, Copy)]
struct Side {
    today: f64,
    mean: f64,
    variance: f64,
    limit: f64,
    waiting: [f64; LAG],
    count: i64,
}

const FRESH_SIDE: Side = Side { today: NONE, mean: 0.0, variance: 0.0, limit: OPEN, waiting: [NONE; LAG], count: 0 };

impl Side {
    fn learn(&mut self, extreme: f64) {
        if extreme == NONE {
            return;
        }
        self.count = (self.count + 1).min(MEMORY);
        let part = 1.0 / self.count as f64;
        let away = (if self.limit < extreme { self.limit } else { extreme }) - self.mean;
        self.variance = (1.0 - part) * (self.variance + part * away * away);
        self.mean += part * away;
    }

    fn end_day(&mut self, beyond: f64, floor: f64) {
        if self.today > NONE {
            self.learn(self.waiting[0]);
            self.waiting = [self.waiting[1], self.today];
        }
        self.today = NONE;
        let known = self.count + self.waiting.iter().filter(|&&day| day > NONE).count() as i64;
        let over = self.limit == OPEN && known >= SCHOOL;
        if over {
            for place in 0..LAG {
                self.learn(self.waiting[place]);
                self.waiting[place] = NONE;
            }
        }
        if over || self.limit < OPEN {
            let count = self.count.max(2) as f64;
            let deviation = (self.variance * count / (count - 1.0)).sqrt() * (1.0 + FEW / count);
            let apart = beyond * deviation;
            self.limit = self.mean + if apart < floor { floor } else { apart };
        }
    }

    fn seen(&self) -> f64 {
        let older = if self.count > 0 { self.mean } else { NONE };
        self.waiting.iter().fold(older, |most, &day| most.max(day)).max(self.today)
    }
}

/// Of the runs of equal values: the last value, how often it came, the longest run before, how many ended.
type Runs = [f64; 4];
type Block = [f64; SUMS];

#[derive(Clone)]
pub struct Row {
    fill: [i64; LEVELS],
    sums: [Block; LEVELS],
    seen: Block,
    runs: Runs,
    day: i64,
    sides: [[Side; 2]; CHANNELS],
}

const FRESH: Row = Row {
    fill: [0; LEVELS],
    sums: [[0.0; SUMS]; LEVELS],
    seen: [0.0; SUMS],
    runs: [0.0; 4],
    day: NEVER,
    sides: [[FRESH_SIDE; 2]; CHANNELS],
};

/// Direction, statistic, threshold, and how many values ago it began.
type Told = (i8, f64, f64, i64);

fn size_of(level: usize) -> f64 {
    (FIRST * FACTOR.pow(level as u32)) as f64
}

fn drawn_in(value: f64) -> f64 {
    if value.abs() <= KNEE {
        return value;
    }
    let sign = if value > 0.0 { 1.0 } else { -1.0 };
    sign * KNEE * (8.0 * (value.abs() / KNEE).sqrt().sqrt().sqrt() - 7.0)
}

fn level_of(share: f64) -> f64 {
    let share = share.clamp(0.0, 1.0);
    share.sqrt() - (1.0 - share).sqrt()
}

#[pyclass]
pub struct Envelope {
    /// How many deviations of the daily extremes a limit is away.
    beyond: f64,
    floors: Vec<f64>,
    up: bool,
    down: bool,
    shares: bool,
    pub rows: Vec<Row>,
}

impl Envelope {
    /// Take the values of an event that have a row.
    pub fn take(&mut self, rows: &[i64], values: &[f64], time_ms: i64, found: &mut Vec<Said>) {
        let day = time_ms.div_euclid(DAY_MS);
        for (&row, &value) in rows.iter().zip(values) {
            if let Some((direction, statistic, threshold, _)) = self.step(row, value, day) {
                found.push((row, (direction, statistic, threshold)));
            }
        }
    }

    /// NOWHERE is a row that does not exist.
    #[inline(always)]
    fn step(&mut self, place: i64, value: f64, day: i64) -> Option<Told> {
        let row = self.rows.get_mut(place as usize)?;
        let value = if self.shares { value } else { drawn_in(value) };
        let block = &mut row.sums[0];
        block[0] += value;
        block[1] += value.abs();
        block[2] += value * value;
        row.fill[0] += 1;
        let mut told = None;
        let [last, length, longest, ended] = &mut row.runs;
        if value == *last {
            *length += 1.0;
            if *length >= RUN && *ended >= RUNS && *length == RUN.max(LONGER * *longest) && self.up && self.down {
                told = Some((0, *length, LONGER * *longest, RUN as i64));
            }
        } else {
            (*last, *longest, *length, *ended) = (value, longest.max(*length), 1.0, *ended + 1.0);
        }
        if row.fill[0] == FIRST { self.close(place as usize, day).or(told) } else { told }
    }

    #[inline(never)]
    fn close(&mut self, place: usize, day: i64) -> Option<Told> {
        let (beyond, row) = (self.beyond, &mut self.rows[place]);
        if day > row.day {
            if row.day != NEVER {
                for (sides, &floor) in row.sides.iter_mut().zip(&self.floors) {
                    sides.iter_mut().for_each(|side| side.end_day(beyond, floor));
                }
            }
            row.day = day;
        }
        let mut block = std::mem::replace(&mut row.sums[0], [0.0; SUMS]);
        row.fill[0] = 0;
        row.seen[0] += FIRST as f64;
        row.seen[1] += block[0];
        row.seen[2] += block[2];
        let mut told = None;
        for level in 0..LEVELS {
            if level > 0 {
                let row = &mut self.rows[place];
                let own = &mut row.sums[level];
                own.iter_mut().zip(block).for_each(|(sum, more)| *sum += more);
                row.fill[level] += 1;
                if row.fill[level] < FACTOR {
                    break;
                }
                block = std::mem::replace(own, [0.0; SUMS]);
                row.fill[level] = 0;
            }
            if told.is_none() {
                told = self.judge(place, level, &block);
            }
            let row = &mut self.rows[place];
            for (channel, value) in shown(self.shares, level, &block) {
                let [up, down] = &mut row.sides[channel];
                up.today = if value > up.today { value } else { up.today };
                down.today = if -value > down.today { -value } else { down.today };
            }
        }
        told
    }

    fn judge(&self, place: usize, level: usize, block: &Block) -> Option<Told> {
        let (row, both) = (&self.rows[place], self.up && self.down);
        for (channel, value) in shown(self.shares, level, block) {
            let spread = channel % 2 == 1;
            let [up, down] = &row.sides[channel];
            let (mut low, mut high) = (-down.limit, up.limit);
            if spread && (!both || (high == OPEN && low == NONE)) {
                continue;
            }
            if high == OPEN && low == NONE {
                (low, high) = self.unmistakable(row, level, block);
                let floor = self.floors[channel];
                (low, high) = (low.min(-down.seen() - floor), high.max(up.seen() + floor));
            }
            let age = size_of(level) as i64;
            if value > high && self.up {
                return Some((if spread { 0 } else { 1 }, value, high, age));
            }
            if value < low && self.down {
                return Some((if spread { 0 } else { -1 }, value, low, age));
            }
        }
        None
    }

    fn unmistakable(&self, row: &Row, level: usize, block: &Block) -> (f64, f64) {
        let size = size_of(level);
        let [count, total, squares] = [row.seen[0] - size, row.seen[1] - block[0], row.seen[2] - block[2]];
        if count < SEEN_LEAST.max(FACTOR as f64 * size) {
            return (NONE, OPEN);
        }
        let mean = total / count;
        let rest = squares / count - mean * mean;
        let deviation = ((if rest > 0.0 { rest } else { 0.0 }) + 1.0 / count).sqrt();
        if !self.shares {
            let apart = ((GROSS + NOISE / size.sqrt()) * deviation).max(COUNTS / size);
            return (mean - apart, mean + apart);
        }
        let chance = NOISE * deviation / size.sqrt() + COUNTS / size;
        let usual = level_of(mean);
        let (low, high) = (level_of(mean - chance), level_of(mean + chance));
        (
            if mean - chance > 0.0 { low.min(usual - GROSS_SHARE) } else { NONE },
            if mean + chance < 1.0 { high.max(usual + GROSS_SHARE) } else { OPEN },
        )
    }
}

/// Channels and what they show.
fn shown(shares: bool, level: usize, block: &Block) -> impl Iterator<Item = (usize, f64)> {
    let size = size_of(level);
    let mean = block[0] / size;
    let first = (2 * level, if shares { level_of(mean) } else { mean });
    [first, (2 * level + 1, block[1] / size)].into_iter().take(if shares { 1 } else { 2 })
}

type Floats<'py> = Bound<'py, PyArray1<f64>>;
type Ints<'py> = Bound<'py, PyArray1<i64>>;
/// `fill`, `day`, `count`; then `sums`, `seen`, `runs`, `today`, `mean`, `variance`, `limit`, `waiting`; all flat.
type Dump<'py> = ([Ints<'py>; 3], [Floats<'py>; 8]);

#[pymethods]
impl Envelope {
    #[new]
    fn new(beyond: f64, floors: Vec<f64>, up: bool, down: bool, shares: bool) -> PyResult<Self> {
        check_length(&[floors.len(), CHANNELS])?;
        Ok(Envelope { beyond, floors, up, down, shares, rows: Vec::new() })
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
        self.rows[row] = FRESH;
        Ok(())
    }

    fn in_school(&self, row: usize) -> PyResult<bool> {
        check_rows(&[row as i64], self.rows.len())?;
        Ok(self.rows[row].sides.iter().flatten().all(|side| side.limit == OPEN))
    }

    /// The hits, and of each how many values ago it began.
    fn update<'py>(
        &mut self,
        py: Python<'py>,
        rows: PyReadonlyArray1<'py, i64>,
        values: PyReadonlyArray1<'py, f64>,
        times_ms: PyReadonlyArray1<'py, i64>,
    ) -> PyResult<(HitArrays<'py>, Ints<'py>)> {
        let (rows, values, times_ms) = (slice(&rows)?, slice(&values)?, slice(&times_ms)?);
        check_length(&[rows.len(), values.len(), times_ms.len()])?;
        check_rows(rows, self.rows.len())?;
        check_finite(values)?;
        let (hits, ages) = py.detach(|| {
            let (mut hits, mut ages) = (Hits::default(), Vec::new());
            for (i, (&row, &value)) in rows.iter().zip(values).enumerate() {
                prefetch(&self.rows, rows, i);
                if let Some((direction, statistic, threshold, age)) =
                    self.step(row, value, times_ms[i].div_euclid(DAY_MS))
                {
                    hits.push(i, direction, statistic, threshold);
                    ages.push(age);
                }
            }
            (hits, ages)
        });
        Ok((hits.into_arrays(py), ages.into_pyarray(py)))
    }

    fn dump<'py>(&self, py: Python<'py>) -> Dump<'py> {
        let ints = |of: &dyn Fn(&Row) -> Vec<i64>| self.rows.iter().flat_map(of).collect::<Vec<_>>().into_pyarray(py);
        let floats = |of: &dyn Fn(&Row) -> Vec<f64>| self.rows.iter().flat_map(of).collect::<Vec<_>>().into_pyarray(py);
        let sides = |of: fn(&Side) -> f64| floats(&|row| row.sides.iter().flatten().map(of).collect());
        (
            [
                ints(&|row| row.fill.to_vec()),
                ints(&|row| vec![row.day]),
                ints(&|row| row.sides.iter().flatten().map(|side| side.count).collect()),
            ],
            [
                floats(&|row| row.sums.as_flattened().to_vec()),
                floats(&|row| row.seen.to_vec()),
                floats(&|row| row.runs.to_vec()),
                sides(|side| side.today),
                sides(|side| side.mean),
                sides(|side| side.variance),
                sides(|side| side.limit),
                floats(&|row| row.sides.iter().flatten().flat_map(|side| side.waiting).collect()),
            ],
        )
    }

    /// The arrays of `dump`, already checked by the caller.
    fn load(&mut self, ints: [PyReadonlyArray1<'_, i64>; 3], floats: [PyReadonlyArray1<'_, f64>; 8]) -> PyResult<()> {
        let [fill, day, count] = [slice(&ints[0])?, slice(&ints[1])?, slice(&ints[2])?];
        let floats: Vec<&[f64]> = floats.iter().map(slice).collect::<PyResult<_>>()?;
        let rows = day.len();
        check_length(&[fill.len(), rows * LEVELS])?;
        check_length(&[count.len(), rows * CHANNELS * 2])?;
        let wide = [LEVELS * SUMS, SUMS, 4].into_iter().chain([CHANNELS * 2; 4]).chain([CHANNELS * 2 * LAG]);
        for (array, width) in floats.iter().zip(wide) {
            check_length(&[array.len(), rows * width])?;
        }
        self.rows = (0..rows)
            .map(|at| {
                let mut row = FRESH;
                row.fill.copy_from_slice(&fill[at * LEVELS..][..LEVELS]);
                row.sums.as_flattened_mut().copy_from_slice(&floats[0][at * LEVELS * SUMS..][..LEVELS * SUMS]);
                row.seen.copy_from_slice(&floats[1][at * SUMS..][..SUMS]);
                row.runs.copy_from_slice(&floats[2][at * 4..][..4]);
                row.day = day[at];
                for (i, side) in row.sides.as_flattened_mut().iter_mut().enumerate() {
                    let i = at * CHANNELS * 2 + i;
                    *side = Side {
                        today: floats[3][i],
                        mean: floats[4][i],
                        variance: floats[5][i],
                        limit: floats[6][i],
                        waiting: [floats[7][LAG * i], floats[7][LAG * i + 1]],
                        count: count[i],
                    };
                }
                row
            })
            .collect();
        Ok(())
    }
}
