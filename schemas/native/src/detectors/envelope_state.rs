//! The state of an envelope's row, and how it is read from the arrays of a dump, see `detectors/envelope_state.py`.

use crate::detectors::cusum::{Cusums, FRESH_CUSUMS, WIDTH};
use crate::detectors::extremes::{FRESH_SIDE, LAG, Side};
use crate::detectors::loads::{FRESH_LOADS, KINDS, LOADS, Loads};
use crate::detectors::scales::{MOMENTS, Moments};

pub const FIRST: i64 = 8;
pub const FACTOR: i64 = 4;
pub const LEVELS: usize = 7;
pub const SUMS: usize = 5;
pub const CHANNELS: usize = 2 * LEVELS;
pub const NEVER: i64 = -1;
/// Of a row in the arrays of a dump that are not whole numbers.
pub const WIDTHS: [usize; 13] = {
    let sides = CHANNELS * 2;
    [
        LEVELS * SUMS,
        MOMENTS,
        4,
        LEVELS * MOMENTS,
        sides,
        sides,
        sides,
        sides,
        sides * LAG,
        LOADS * KINDS,
        1,
        LEVELS * 2,
        WIDTH,
    ]
};

/// Of the runs of equal values: the last value, how often it came, the longest run before, how many ended.
pub type Runs = [f64; 4];
/// Of a block: its values, their distances from the centre, their squares, what is usual under their loads (of the
/// first level, which has yet to be asked for that: how many are away from the centre), and the ms that they took.
pub type Block = [f64; SUMS];
#[derive(Clone)]
pub struct Row {
    pub fill: [i64; LEVELS],
    pub sums: [Block; LEVELS],
    pub seen: Moments,
    pub runs: Runs,
    pub earlier: [Moments; LEVELS],
    pub spans: [[f64; 2]; LEVELS],
    pub loads: Loads,
    pub day: i64,
    pub sides: [[Side; 2]; CHANNELS],
    pub rare: Cusums,
    /// How many deviations of the daily extremes a limit of averages is away, and how unlikely sums of ones are to go
    /// beyond theirs; no part of a dump.
    pub limits: [f64; 2],
}

pub const FRESH: Row = Row {
    fill: [0; LEVELS],
    sums: [[0.0; SUMS]; LEVELS],
    seen: [0.0; MOMENTS],
    runs: [0.0; 4],
    earlier: [[0.0; MOMENTS]; LEVELS],
    spans: [[0.0; 2]; LEVELS],
    loads: FRESH_LOADS,
    day: NEVER,
    sides: [[FRESH_SIDE; 2]; CHANNELS],
    rare: FRESH_CUSUMS,
    limits: [0.0; 2],
};

impl Row {
    /// Row `at` of the arrays of a dump, whose lengths were checked: fill, day, count and since, and the others.
    pub fn load([fill, day, count, since]: [&[i64]; 4], floats: &[&[f64]], at: usize) -> Row {
        let mut row = FRESH;
        row.fill.copy_from_slice(&fill[at * LEVELS..][..LEVELS]);
        row.sums.as_flattened_mut().copy_from_slice(&floats[0][at * LEVELS * SUMS..][..LEVELS * SUMS]);
        row.seen.copy_from_slice(&floats[1][at * MOMENTS..][..MOMENTS]);
        row.runs.copy_from_slice(&floats[2][at * 4..][..4]);
        row.earlier.as_flattened_mut().copy_from_slice(&floats[3][at * LEVELS * MOMENTS..][..LEVELS * MOMENTS]);
        row.loads.known.as_flattened_mut().copy_from_slice(&floats[9][at * LOADS * KINDS..][..LOADS * KINDS]);
        row.spans.as_flattened_mut().copy_from_slice(&floats[11][at * LEVELS * 2..][..LEVELS * 2]);
        row.rare = Cusums::load(&floats[12][at * WIDTH..][..WIDTH]);
        (row.day, row.loads.since_ms, row.loads.pace_ms) = (day[at], since[at], floats[10][at]);
        for (i, side) in row.sides.as_flattened_mut().iter_mut().enumerate() {
            let i = at * CHANNELS * 2 + i;
            *side = Side {
                today: floats[4][i],
                mean: floats[5][i],
                variance: floats[6][i],
                limit: floats[7][i],
                waiting: [floats[8][LAG * i], floats[8][LAG * i + 1]],
                count: count[i],
            };
        }
        row
    }
}
