//! How often a rare thing comes, by cumulative sums with limits from healthy days; operation for operation
//! `detectors/cusum.py`.

use std::f64::consts::{LN_2, LN_10};

use crate::detectors::extremes::{EULER, FRESH_SIDE, GUMBEL, LAG, MEMORY, Side};

pub const SIZE: f64 = 8.0;
const RATIOS: [f64; SIDES] = [2.0, 0.5, 5.0, 0.1];
const LOGS: [f64; SIDES] = [LN_2, -LN_2, 1.6094379124341003, -LN_10];
const RARE: f64 = 0.35;
const CEILING: f64 = 100.0;
const LEAST: f64 = 200.0;
const SHY: f64 = 3.0;
const PRIOR: f64 = 10.0;
const FACTOR: f64 = 5.0;
const WINDOW: f64 = 16.0;
const ODD: f64 = 8.0;
const APART: f64 = 1.5;
const WIDER: f64 = 2.0;
const ROUNDING: f64 = 1e-9;
pub const SIDES: usize = 4;
const TOTALS: usize = 9;
pub const WIDTH: usize = TOTALS + (2 + 4 + LAG + 1) * SIDES;

/// Values, and ones among them.
pub type Counts = (f64, f64);

/// Of a row its totals, see TOTALS in Python; its sums, how many values ago each began, and their days.
#[derive(Clone)]
pub struct Cusums {
    pub n: f64,
    pub ones: f64,
    mixed: f64,
    came: f64,
    expected: f64,
    unlike: f64,
    weight: f64,
    apart: f64,
    next: f64,
    pub sums: [f64; SIDES],
    pub since: [f64; SIDES],
    sides: [Side; SIDES],
}

pub const FRESH_CUSUMS: Cusums = Cusums {
    n: 0.0,
    ones: 0.0,
    mixed: 0.0,
    came: 0.0,
    expected: 0.0,
    unlike: 0.0,
    weight: 0.0,
    apart: 0.0,
    next: 0.0,
    sums: [0.0; SIDES],
    since: [0.0; SIDES],
    sides: [FRESH_SIDE; SIDES],
};

fn factor_of(load: Counts, seen: Counts) -> f64 {
    let mean = if seen.0 > 0.0 { seen.1 / seen.0 } else { 0.0 };
    ((load.1 + PRIOR) / (load.0 * mean + PRIOR)).clamp(1.0 / FACTOR, FACTOR)
}

impl Cusums {
    /// A day is over.
    pub fn end_day(&mut self, odds: f64) {
        (self.apart, self.next) = (self.next, self.unlike());
        let wider = 1.0 + WIDER * self.apart;
        let (beyond, floor) = ((odds * wider - EULER) / GUMBEL, (odds - EULER) * wider);
        self.sides.iter_mut().for_each(|side| side.end_day(beyond, floor));
        let faded = 1.0 - 1.0 / MEMORY as f64;
        for total in [&mut self.n, &mut self.ones, &mut self.unlike, &mut self.weight] {
            *total *= faded;
        }
    }

    fn unlike(&self) -> f64 {
        if self.weight <= 0.0 {
            return 0.0;
        }
        let beyond = self.unlike - (2.0 * self.weight).sqrt();
        ((if beyond > 0.0 { beyond } else { 0.0 }) / self.weight).sqrt()
    }

    pub fn mixed(&mut self, ones: f64, apart: f64, squares: f64) -> bool {
        if (apart * apart - ones * squares).abs() > ROUNDING * apart * apart {
            self.mixed = 1.0;
        }
        self.mixed != 0.0
    }

    /// Whether there are more or less, the sum, its limit, and how many values ago it began. `under` has the load's
    /// counts and those of all values; it is asked for only where that matters.
    pub fn take(
        &mut self,
        ones: f64,
        opposite: bool,
        under: impl FnOnce() -> [Counts; 2],
    ) -> Option<(i8, f64, f64, i64)> {
        let (n, mut known, mut ones) = (self.n, self.ones, ones);
        self.n += SIZE;
        self.ones += ones;
        let turned = opposite && known > (1.0 - RARE) * n;
        if turned {
            (known, ones) = (n - known, SIZE - ones);
        }
        if n < LEAST || known > RARE * n {
            (self.sums, self.since) = ([0.0; SIDES], [0.0; SIDES]);
            return None;
        }
        let [load, seen] = under().map(|(all, some)| (all, if turned { all - some } else { some }));
        let (each, error, far) = (SIZE / n * factor_of(load, seen), known.sqrt() + SHY, 1.0 + APART * self.apart);
        let less = known - error;
        let (above, below) = (each * (known + error) * far, each * (if less > 0.0 { less } else { 0.0 }) / far);
        self.compare(ones, each * known);
        let mut told = None;
        for place in 0..SIDES {
            let (ratio, side) = (RATIOS[place], &mut self.sides[place]);
            let usual = if ratio > 1.0 { above } else { below };
            let mut value = (self.sums[place] + ones * LOGS[place] - usual * (ratio - 1.0)).clamp(0.0, CEILING);
            self.since[place] = if value > 0.0 { self.since[place] + SIZE } else { 0.0 };
            if value > side.limit {
                let way = if (ratio > 1.0) != turned { 1 } else { -1 };
                told = told.or(Some((way, value, side.limit, self.since[place] as i64)));
                value = side.limit;
            }
            self.sums[place] = value;
            side.today = side.today.max(value);
        }
        told
    }

    fn compare(&mut self, ones: f64, expected: f64) {
        self.came += ones;
        self.expected += expected;
        let usual = self.expected;
        if usual >= WINDOW {
            let away = self.came - usual;
            self.unlike += (away * away - usual).min(ODD * usual);
            self.weight += usual * usual;
            (self.came, self.expected) = (0.0, 0.0);
        }
    }

    pub fn dump(&self) -> [f64; WIDTH] {
        let totals =
            [self.n, self.ones, self.mixed, self.came, self.expected, self.unlike, self.weight, self.apart, self.next];
        let of = |one: fn(&Side) -> f64| self.sides.each_ref().map(one);
        let waiting = self.sides.each_ref().map(|side| side.waiting);
        let parts: [&[f64]; 9] = [
            &totals,
            &self.sums,
            &self.since,
            &of(|side| side.today),
            &of(|side| side.mean),
            &of(|side| side.variance),
            &of(|side| side.limit),
            waiting.as_flattened(),
            &of(|side| side.count as f64),
        ];
        let mut numbers = [0.0; WIDTH];
        parts.iter().flat_map(|part| part.iter()).zip(&mut numbers).for_each(|(&from, to)| *to = from);
        numbers
    }

    /// What `dump` gave, checked by the caller.
    pub fn load(state: &[f64]) -> Cusums {
        let mut row = FRESH_CUSUMS;
        let [n, ones, mixed, came, expected, unlike, weight, apart, next] = std::array::from_fn(|i| state[i]);
        let part = |place: usize| -> [f64; SIDES] { std::array::from_fn(|i| state[TOTALS + place * SIDES + i]) };
        let (today, mean, variance, limit) = (part(2), part(3), part(4), part(5));
        for (i, side) in row.sides.iter_mut().enumerate() {
            let waiting = std::array::from_fn(|day| state[TOTALS + 6 * SIDES + LAG * i + day]);
            let count = part(6 + LAG)[i] as i64;
            *side = Side { today: today[i], mean: mean[i], variance: variance[i], limit: limit[i], waiting, count };
        }
        Cusums { n, ones, mixed, came, expected, unlike, weight, apart, next, sums: part(0), since: part(1), ..row }
    }
}
