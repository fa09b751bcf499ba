//! Bets on conformal ranks; operation for operation `detectors/shiryaev_roberts.py`, on the arrays of that bank itself.
//! What comes seldom is left to it: an alarm, and a sample that is full.

use numpy::{PyReadonlyArray1, PyReadonlyArray2, PyReadwriteArray1, PyReadwriteArray2};
use pyo3::prelude::*;

use crate::arrays::{check_finite, check_length, check_rows, slice};

const EDGES: usize = 127;
const SCORES: usize = 14;
const STEPS: usize = 5;
const RESTS: usize = 4;
const ALL: usize = SCORES + STEPS + RESTS;
const CELLS: usize = 1024;
const MOST: i64 = (1 << 31) - 2;
const SEED: u64 = 0x9E37_79B9_7F4A_7C15;
const YOUNG: i8 = 0;
const SMOOTH: i8 = 1;
const ATOM_BELOW: i8 = 3;

/// Tables of `detectors/bets.py`, and the factors of its steps.
type Given<'py> = (
    PyReadonlyArray2<'py, f64>,
    PyReadonlyArray2<'py, f64>,
    PyReadonlyArray1<'py, f64>,
    PyReadonlyArray2<'py, f64>,
    PyReadonlyArray1<'py, f64>,
);
type Scalars<'py> =
    (PyReadwriteArray1<'py, i64>, PyReadwriteArray1<'py, u64>, PyReadonlyArray1<'py, i8>, PyReadonlyArray1<'py, i8>);
type Wide<'py> = (
    PyReadwriteArray2<'py, f64>,
    PyReadwriteArray2<'py, i32>,
    PyReadwriteArray2<'py, f64>,
    PyReadwriteArray2<'py, f64>,
    PyReadwriteArray2<'py, i32>,
);

struct Bets<'a> {
    scores: &'a [f64],
    rests: &'a [f64],
    plain: &'a [f64],
    atom: &'a [f64],
    factors: &'a [f64],
    both: bool,
}

struct Row<'a> {
    n: &'a mut i64,
    chain: &'a mut u64,
    kind: i8,
    atom: i8,
    edges: &'a mut [f64],
    below: &'a mut [i32],
    sums: &'a mut [f64],
    peaks: &'a mut [f64],
    ages: &'a mut [i32],
}

/// See `Bins` in `detectors/shiryaev_roberts.py`.
struct Bin {
    place: i64,
    lower: i64,
    own: i64,
    n: i64,
    atom_place: i64,
    atom: i64,
    under: i64,
}

fn p_of(lower: i64, own: i64, n: i64, dice: f64) -> f64 {
    (lower as f64 + dice * own as f64) / (n + 1) as f64
}

fn cell_of(p: f64) -> usize {
    ((p * CELLS as f64) as usize).min(CELLS - 1)
}

fn mixed(mut number: u64) -> u64 {
    number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

impl Row<'_> {
    /// The evidence after one more value.
    fn step(&mut self, bets: &Bets<'_>, x: f64) -> f64 {
        let dice = (*self.chain >> 11) as f64 * (0.5f64).powi(53);
        let (place, evidence) =
            if self.kind == YOUNG { self.sampled(bets, x, dice) } else { self.grown(bets, x, dice) };
        *self.chain = mixed(self.chain.wrapping_add((place as u64 + 1).wrapping_mul(SEED)));
        evidence
    }

    fn sampled(&mut self, bets: &Bets<'_>, x: f64, dice: f64) -> (i64, f64) {
        let lower = self.edges.iter().map(|&edge| i64::from(edge < x)).sum::<i64>();
        let equal = self.edges.iter().map(|&edge| i64::from(edge == x)).sum::<i64>();
        let cell = cell_of(p_of(lower, equal + 1, *self.n, dice));
        self.edges[*self.n as usize] = x;
        *self.n += 1;
        (lower, self.bet(&bets.scores[cell * SCORES..][..SCORES], bets.plain))
    }

    fn grown(&mut self, bets: &Bets<'_>, x: f64, dice: f64) -> (i64, f64) {
        let bin = self.counted(x);
        let cell = cell_of(p_of(bin.lower, bin.own, bin.n, dice));
        let scores = &bets.scores[cell * SCORES..][..SCORES];
        if self.kind < ATOM_BELOW {
            return (bin.place, self.bet(scores, bets.plain));
        }
        let mut odds = [1.0; ALL];
        odds[..SCORES].copy_from_slice(scores);
        self.atom_odds(bets, &bin, dice, &mut odds);
        let weights = &bets.atom[(self.kind - ATOM_BELOW) as usize * ALL..][..ALL];
        (bin.place, self.bet(&odds, weights))
    }

    fn counted(&mut self, x: f64) -> Bin {
        let n = *self.n;
        let over = i64::from(self.kind != SMOOTH);
        let place = EDGES - self.edges.iter().map(|&edge| u32::from(x < edge)).sum::<u32>() as usize;
        let lower = if place > 0 { i64::from(self.below[place - 1]) } else { 0 };
        let upper = if place < EDGES { i64::from(self.below[place]) } else { n + 1 - over };
        let (mut atom, mut under) = (0, 0);
        if self.atom >= 0 {
            under = i64::from(self.below[self.atom as usize]);
            atom = i64::from(self.below[self.atom as usize + 1]) - under;
        }
        if n < MOST {
            for (below, &edge) in self.below.iter_mut().zip(self.edges.iter()) {
                *below += i32::from(x < edge);
            }
            *self.n += 1;
        }
        let atom_place = i64::from(self.atom) + 1;
        Bin { place: place as i64, lower, own: upper - lower + over, n, atom_place, atom, under }
    }

    fn atom_odds(&self, bets: &Bets<'_>, bin: &Bin, dice: f64, odds: &mut [f64; ALL]) {
        let (n, mut k, mut other) = (bin.n, bin.atom, bin.place != bin.atom_place);
        if other {
            let lower = bin.lower - if bin.place > bin.atom_place { k } else { 0 };
            let cell = cell_of(p_of(lower, bin.own, n - k, dice));
            odds[SCORES + STEPS..].copy_from_slice(&bets.rests[cell * RESTS..][..RESTS]);
        }
        if !bets.both {
            let above = self.kind == ATOM_BELOW;
            other = if above { bin.place > bin.atom_place } else { bin.place < bin.atom_place };
            k = if above { bin.under + k } else { n - bin.under };
        }
        if k <= 0 {
            return;
        }
        let counts = other || dice * (k + 1) as f64 > k as f64;
        let share = (n - k + 1) as f64 / (n + 1) as f64;
        for (odds, &factor) in odds[SCORES..].iter_mut().zip(bets.factors) {
            let bet = (factor * share).min((1.0 + share) / 2.0);
            *odds = if counts { bet / share } else { (1.0 - bet) / (1.0 - share) };
        }
    }

    fn bet(&mut self, odds: &[f64], weights: &[f64]) -> f64 {
        let wide = odds.len();
        let (sums, peaks, ages) = (&mut self.sums[..wide], &mut self.peaks[..wide], &mut self.ages[..wide]);
        for i in 0..wide {
            ages[i] = if peaks[i] > 1.0 { ages[i] + 1 } else { 1 };
            let odds = if weights[i] > 0.0 { odds[i] } else { 0.0 };
            peaks[i] = peaks[i].max(1.0) * odds;
            sums[i] = (sums[i] + 1.0) * odds;
        }
        sums.iter().zip(weights).fold(0.0, |evidence, (sum, weight)| evidence + sum * weight)
    }
}

/// Take values from the one at `begin` on, up to the first that is an alarm or fills a sample: its place, the evidence.
#[pyfunction]
pub fn bet_on_ranks<'py>(
    scalars: Scalars<'py>,
    wide: Wide<'py>,
    tables: Given<'py>,
    params: (f64, bool),
    column: (PyReadonlyArray1<'py, i64>, PyReadonlyArray1<'py, f64>),
    begin: usize,
) -> PyResult<Option<(usize, f64)>> {
    let (arl, both) = params;
    let (mut n, mut chain, kind, atom) = scalars;
    let (mut edges, mut below, mut sums, mut peaks, mut ages) = wide;
    let (n, chain, kind, atom) = (n.as_slice_mut()?, chain.as_slice_mut()?, slice(&kind)?, slice(&atom)?);
    let (edges, below) = (edges.as_slice_mut()?, below.as_slice_mut()?);
    let (sums, peaks, ages) = (sums.as_slice_mut()?, peaks.as_slice_mut()?, ages.as_slice_mut()?);
    let (scores, rests, plain, shares, factors) = &tables;
    let bets = Bets {
        scores: scores.as_slice()?,
        rests: rests.as_slice()?,
        plain: slice(plain)?,
        atom: shares.as_slice()?,
        factors: slice(factors)?,
        both,
    };
    let (rows, values) = (slice(&column.0)?, slice(&column.1)?);
    let count = n.len();
    check_length(&[count * EDGES, edges.len(), below.len()])?;
    check_length(&[count * ALL, sums.len(), peaks.len(), ages.len()])?;
    check_length(&[CELLS * SCORES, bets.scores.len()])?;
    check_length(&[CELLS * RESTS, bets.rests.len()])?;
    check_length(&[SCORES, bets.plain.len()])?;
    check_length(&[2 * ALL, bets.atom.len()])?;
    check_length(&[STEPS, bets.factors.len()])?;
    check_length(&[count, chain.len(), kind.len(), atom.len()])?;
    check_length(&[rows.len(), values.len()])?;
    let left = begin.min(rows.len());
    check_rows(&rows[left..], count)?;
    check_finite(&values[left..])?;
    for place in begin..rows.len() {
        let at = rows[place] as usize;
        let mut row = Row {
            n: &mut n[at],
            chain: &mut chain[at],
            kind: kind[at],
            atom: atom[at],
            edges: &mut edges[at * EDGES..][..EDGES],
            below: &mut below[at * EDGES..][..EDGES],
            sums: &mut sums[at * ALL..][..ALL],
            peaks: &mut peaks[at * ALL..][..ALL],
            ages: &mut ages[at * ALL..][..ALL],
        };
        let evidence = row.step(&bets, values[place]);
        if evidence >= arl || (row.kind == YOUNG && *row.n == EDGES as i64) {
            return Ok(Some((place, evidence)));
        }
    }
    Ok(None)
}
