//! Averages at seven scales against the daily extremes of healthy days; operation for operation `detectors/envelope.py`.

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;

use crate::arrays::{Floats, Ints, check_finite, check_length, check_rows, prefetch, retain, slice};
use crate::detectors::bank::{HitArrays, Hits, Said, Told};
use crate::detectors::envelope_state::{Block, CHANNELS, FACTOR, FIRST, FRESH, LEVELS, NEVER, Row, SUMS, WIDTHS};
use crate::detectors::extremes::{Limits, NONE, OPEN, Side};
use crate::detectors::scales::{KNEE, drawn_in, level_of, moments, share_at, slope_of};

const DAY_MS: i64 = 86_400_000;
const SEEN_LEAST: f64 = 200.0;
const GROSS: f64 = 3.0;
const FAR: f64 = 8.0;
const NOISE: f64 = 10.0;
const LONG: f64 = 128.0;
const GROSS_SHARE: f64 = 0.15;
const MORE: f64 = 1.6;
const TAUGHT: f64 = 0.78;
const BLOCKS: f64 = 16.0;
const STEADY: f64 = 6.0;
const KNOWN: f64 = 0.9;
const COUNTS: f64 = 3.5;
const RUN: f64 = 48.0;
const RUNS: f64 = 100.0;
const LONGER: f64 = 4.0;
const OFTEN: f64 = 30.0;
const ALIKE: f64 = 1.5;

/// Direction, statistic, threshold, and how many values ago it began.
type Found = (i8, f64, f64, i64);

fn size_of(level: usize) -> f64 {
    (FIRST * FACTOR.pow(level as u32)) as f64
}

#[pyclass]
pub struct Envelope {
    /// Of rows that have no other of their own.
    limits: [f64; 2],
    floors: Vec<f64>,
    up: bool,
    down: bool,
    shares: bool,
    pub rows: Vec<Row>,
}

impl Envelope {
    /// Take the values of an event that have a row.
    pub fn take(&mut self, rows: &[i64], values: &[f64], time_ms: i64, found: &mut Vec<Said>) {
        for (&row, &value) in rows.iter().zip(values) {
            if let Some(said) = self.step(row, value, time_ms) {
                found.push((row, said));
            }
        }
    }

    /// NOWHERE is a row that does not exist.
    #[inline(always)]
    fn step(&mut self, place: i64, value: f64, time_ms: i64) -> Option<Told> {
        let row = self.rows.get_mut(place as usize)?;
        let value = if self.shares { value } else { drawn_in(value) };
        let block = &mut row.sums[0];
        block[0] += value;
        block[1] += value.abs();
        block[2] += value * value;
        block[3] += if value != 0.0 { 1.0 } else { 0.0 };
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
        let told = if row.fill[0] == FIRST { self.close(place as usize, time_ms).or(told) } else { told };
        told.map(|(way, statistic, limit, age)| (way, statistic, limit, age, self.tier(&self.rows[place as usize])))
    }

    #[inline(never)]
    fn close(&mut self, place: usize, time_ms: i64) -> Option<Found> {
        let (day, row) = (time_ms.div_euclid(DAY_MS), &mut self.rows[place]);
        if day > row.day {
            if row.day != NEVER {
                let [beyond, odds] = row.limits;
                for (sides, &floor) in row.sides.iter_mut().zip(&self.floors) {
                    sides.iter_mut().for_each(|side| side.end_day(beyond, floor));
                }
                row.rare.end_day(odds);
            }
            row.day = day;
        }
        let mut block = std::mem::replace(&mut row.sums[0], [0.0; SUMS]);
        let first = block;
        (block[3], block[4]) = row.loads.take(time_ms, FIRST as f64, block[0]);
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
            for (channel, value) in shown(self.shares, level, &block) {
                let limits = self.limits(&self.rows[place], level, channel, &block);
                if told.is_none() {
                    told = self.beyond(channel, value, &limits);
                }
                let row = &mut self.rows[place];
                let [up, down] = &mut row.sides[channel];
                let learned = limits.learned(value);
                up.today = if learned > up.today { learned } else { up.today };
                down.today = if -learned > down.today { -learned } else { down.today };
                if channel % 2 == 0 {
                    let earlier = &mut row.earlier[level];
                    *earlier = [earlier[0] + 1.0, earlier[1] + value, earlier[2] + value * value];
                }
            }
            let [shortest, longest] = &mut self.rows[place].spans[level];
            *shortest = if *shortest == 0.0 { block[4] } else { shortest.min(block[4]) };
            *longest = longest.max(block[4]);
        }
        let ones = self.ones(place, &first);
        told.or(ones)
    }

    /// What the values away from the centre say, by how many they are.
    fn ones(&mut self, place: usize, block: &Block) -> Option<Found> {
        let (row, opposite) = (&mut self.rows[place], self.shares);
        let [total, apart, squares, ones, _] = *block;
        let ([values, whole, all], loads) = (row.seen, &row.loads);
        let known = !row.rare.mixed(ones, apart, squares) && whole != 0.0;
        let told = row.rare.take(ones, opposite, || {
            if !known {
                return [(0.0, 0.0); 2];
            }
            let (one, (count, usual)) = (all / whole, loads.lately(FIRST as f64, total));
            [(count, usual / one), (values, whole / one)]
        });
        let (way, statistic, limit, age) = told?;
        let way = if whole < 0.0 { -way } else { way };
        (if way > 0 { self.up } else { self.down }).then_some((way, statistic, limit, age))
    }

    /// See TIERS in `detectors/bank.py`.
    fn tier(&self, row: &Row) -> i8 {
        if row.sides.iter().flatten().all(|side| side.limit == OPEN) {
            return 0;
        }
        let (_, mean, deviation) = moments(&row.seen, 0.0);
        let own = deviation * deviation * if self.shares { slope_of(mean) } else { 1.0 };
        let unlike = |level: usize| {
            let (count, _, between) = moments(&row.earlier[level], 0.0);
            count >= OFTEN && between * between * size_of(level) > ALIKE * own
        };
        if (0..LEVELS).any(unlike) { 1 } else { 2 }
    }

    fn limits(&self, row: &Row, level: usize, channel: usize, block: &Block) -> Limits {
        let [up, down] = &row.sides[channel];
        let (low, high) = (-down.limit, up.limit);
        if high < OPEN || low > NONE || channel % 2 == 1 {
            let even = self.shares || block[1] == 0.0;
            let apart = if even { 0.0 } else { COUNTS * block[2] / (block[1] * size_of(level)) };
            let (low, high) = (low.min(-down.mean - apart), high.max(up.mean + apart));
            return Limits { low, high, least: NONE, most: OPEN };
        }
        let (low, high) = self.unmistakable(row, level, block);
        let usual = moments(&row.earlier[level], 0.0).1;
        let low = low.min(usual - MORE * (usual + down.seen()));
        let high = high.max(usual + MORE * (up.seen() - usual));
        Limits { low, high, least: usual - TAUGHT * (usual - low), most: usual + TAUGHT * (high - usual) }
    }

    fn beyond(&self, channel: usize, value: f64, limits: &Limits) -> Option<Found> {
        let (age, spread) = (size_of(channel / 2) as i64, channel % 2 == 1);
        let shown = |level: f64| if self.shares { share_at(level) } else { level };
        let told = |way: i8, limit: f64| Some((if spread { 0 } else { way }, shown(value), shown(limit), age));
        match value {
            _ if spread && !(self.up && self.down) => None,
            _ if value > limits.high && self.up => told(1, limits.high),
            _ if value < limits.low && self.down => told(-1, limits.low),
            _ => None,
        }
    }

    fn unmistakable(&self, row: &Row, level: usize, block: &Block) -> (f64, f64) {
        let size = size_of(level);
        let earlier = [row.seen[0] - size, row.seen[1] - block[0], row.seen[2] - block[2]];
        let ((count, whole, deviation), mean) = (moments(&earlier, 1.0), block[3] / size);
        if count < SEEN_LEAST.max(FACTOR as f64 * size) {
            return (NONE, OPEN);
        }
        let (blocks, _, between) = moments(&row.earlier[level], 0.0);
        let [shortest, longest] = row.spans[level];
        let known = blocks >= BLOCKS && size >= LONG && shortest <= block[4] && block[4] <= longest;
        if self.shares {
            let own = mean * (1.0 - mean);
            let deviation = ((if own > 0.0 { own } else { 0.0 }) + 1.0 / count).sqrt();
            let (chance, usual) = (STEADY * deviation / size.sqrt() + COUNTS / size, level_of(mean));
            let low = if mean - chance > 0.0 { level_of(mean - chance).min(usual - GROSS_SHARE) } else { NONE };
            let high = if mean + chance < 1.0 { level_of(mean + chance).max(usual + GROSS_SHARE) } else { OPEN };
            let apart = GROSS_SHARE.max(STEADY * between).max(self.floors[2 * level]);
            return if known { (low.max(usual - apart), high.min(usual + apart)) } else { (low, high) };
        }
        let mut apart = ((GROSS + NOISE / size.sqrt()) * deviation).max(COUNTS / size);
        if known {
            apart = apart.min((KNOWN * deviation).max(STEADY * between));
        }
        let (low, high) = around(mean, apart, size, block);
        let (least, most) = around(whole, ((FAR + NOISE / size.sqrt()) * deviation).max(COUNTS / size), size, block);
        (low.max(least.min(-KNEE)), high.min(most.max(KNEE)))
    }
}

/// So far from a mean, where more than one odd value had a part in it.
fn around(mean: f64, apart: f64, size: f64, block: &Block) -> (f64, f64) {
    let (away, spread) = (block[0] - size * mean, block[2] - 2.0 * mean * block[0] + size * mean * mean);
    if away * away < COUNTS * spread { (NONE, OPEN) } else { (mean - apart, mean + apart) }
}

/// Channels and what they show.
fn shown(shares: bool, level: usize, block: &Block) -> impl Iterator<Item = (usize, f64)> {
    let size = size_of(level);
    let mean = block[0] / size;
    let first = (2 * level, if shares { level_of(mean) } else { mean });
    [first, (2 * level + 1, block[1] / size)].into_iter().take(if shares { 1 } else { 2 })
}

/// See INTS and FLOATS in `detectors/envelope.py`; all flat.
type Dump<'py> = ([Ints<'py>; 4], [Floats<'py>; 13]);

#[pymethods]
impl Envelope {
    #[new]
    fn new(limits: [f64; 2], floors: Vec<f64>, up: bool, down: bool, shares: bool) -> PyResult<Self> {
        check_length(&[floors.len(), CHANNELS])?;
        Ok(Envelope { limits, floors, up, down, shares, rows: Vec::new() })
    }

    #[getter]
    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn resize(&mut self, rows: usize) {
        if rows > self.rows.len() {
            self.rows.resize(rows, Row { limits: self.limits, ..FRESH });
        }
    }

    fn share(&mut self, limits: PyReadonlyArray1<'_, f64>) -> PyResult<()> {
        check_length(&[limits.len()?, 2 * self.rows.len()])?;
        let limits = slice(&limits)?.chunks_exact(2);
        self.rows.iter_mut().zip(limits).for_each(|(row, pair)| row.limits.copy_from_slice(pair));
        Ok(())
    }

    fn retain(&mut self, rows: PyReadonlyArray1<'_, i64>) -> PyResult<()> {
        retain(&mut self.rows, slice(&rows)?, 1)
    }

    fn forget(&mut self, row: usize) -> PyResult<()> {
        check_rows(&[row as i64], self.rows.len())?;
        self.rows[row] = Row { limits: self.rows[row].limits, ..FRESH };
        Ok(())
    }

    fn days_left<'py>(&self, py: Python<'py>) -> Ints<'py> {
        let left = |row: &Row| row.sides.iter().flatten().map(Side::days_left).min().unwrap_or(0);
        self.rows.iter().map(left).collect::<Vec<_>>().into_pyarray(py)
    }

    fn tiers<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<i8>> {
        self.rows.iter().map(|row| self.tier(row)).collect::<Vec<_>>().into_pyarray(py)
    }

    /// The hits, of each how many values ago it began, and the tier of its row.
    fn update<'py>(
        &mut self,
        py: Python<'py>,
        rows: PyReadonlyArray1<'py, i64>,
        values: PyReadonlyArray1<'py, f64>,
        times_ms: PyReadonlyArray1<'py, i64>,
    ) -> PyResult<(HitArrays<'py>, Ints<'py>, Bound<'py, PyArray1<i8>>)> {
        let (rows, values, times_ms) = (slice(&rows)?, slice(&values)?, slice(&times_ms)?);
        check_length(&[rows.len(), values.len(), times_ms.len()])?;
        check_finite(values).and(check_rows(rows, self.rows.len()))?;
        let (hits, ages, tiers) = py.detach(|| {
            let (mut hits, mut ages, mut tiers) = (Hits::default(), Vec::new(), Vec::new());
            for (i, (&row, &value)) in rows.iter().zip(values).enumerate() {
                prefetch(&self.rows, rows, i);
                if let Some((direction, statistic, threshold, age, tier)) = self.step(row, value, times_ms[i]) {
                    hits.push(i, direction, statistic, threshold);
                    ages.push(age);
                    tiers.push(tier);
                }
            }
            (hits, ages, tiers)
        });
        Ok((hits.into_arrays(py), ages.into_pyarray(py), tiers.into_pyarray(py)))
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
                ints(&|row| vec![row.loads.since_ms]),
            ],
            [
                floats(&|row| row.sums.as_flattened().to_vec()),
                floats(&|row| row.seen.to_vec()),
                floats(&|row| row.runs.to_vec()),
                floats(&|row| row.earlier.as_flattened().to_vec()),
                sides(|side| side.today),
                sides(|side| side.mean),
                sides(|side| side.variance),
                sides(|side| side.limit),
                floats(&|row| row.sides.iter().flatten().flat_map(|side| side.waiting).collect()),
                floats(&|row| row.loads.known.as_flattened().to_vec()),
                floats(&|row| vec![row.loads.pace_ms]),
                floats(&|row| row.spans.as_flattened().to_vec()),
                floats(&|row| row.rare.dump().to_vec()),
            ],
        )
    }

    /// The arrays of `dump`, already checked by the caller.
    fn load(&mut self, ints: [PyReadonlyArray1<'_, i64>; 4], floats: [PyReadonlyArray1<'_, f64>; 13]) -> PyResult<()> {
        let [fill, day, count, since] = [slice(&ints[0])?, slice(&ints[1])?, slice(&ints[2])?, slice(&ints[3])?];
        let floats: Vec<&[f64]> = floats.iter().map(slice).collect::<PyResult<_>>()?;
        let rows = day.len();
        check_length(&[fill.len(), rows * LEVELS])?;
        check_length(&[count.len(), rows * CHANNELS * 2])?;
        check_length(&[since.len(), rows])?;
        for (array, width) in floats.iter().zip(WIDTHS) {
            check_length(&[array.len(), rows * width])?;
        }
        self.rows = (0..rows)
            .map(|at| Row { limits: self.limits, ..Row::load([fill, day, count, since], &floats, at) })
            .collect();
        Ok(())
    }
}
