//! The adaptive window of one series, operation for operation river's, which `detectors/adwin.py` runs.
#![forbid(unsafe_code)]

#[derive(Clone, Copy)]
pub struct Params {
    pub delta: f64,
    pub clock: u64,
    pub max_buckets: usize,
    pub min_window_length: f64,
    pub grace_period: f64,
}

impl Params {
    /// Cells of a level: how many buckets it holds, their sums, oldest first, and their variances.
    pub fn stride(&self) -> usize {
        1 + 2 * self.max_buckets
    }

    /// The same of level 0, whose buckets are single values: they have no variance.
    pub fn first(&self) -> usize {
        1 + self.max_buckets
    }
}

/// More levels than 2^50 values fill.
pub const LEVELS: usize = 52;
/// The usual number of buckets of a level; with it known to the compiler the way of a value is a few moves.
const USUAL: usize = 5;

/// A count among the cells: its bits, never used as a number.
pub fn count(cell: f64) -> usize {
    cell.to_bits() as usize
}

pub fn cell(count: usize) -> f64 {
    f64::from_bits(count as u64)
}

/// One adaptive window, one line of the processor's cache. Level i has buckets of 2^i values.
///
/// All levels lie in one block of memory which grows by a level at a time: half of river's bytes, and one cache miss
/// instead of many. A level never holds more than `max_buckets`, since room is made before a bucket is added.
#[derive(Clone)]
#[repr(align(64))]
pub struct Window {
    pub total: f64,
    pub variance: f64,
    pub width: f64,
    pub tick: u64,
    pub cells: Vec<f64>,
    pub detected: bool,
}

pub const FRESH: Window = Window { total: 0.0, variance: 0.0, width: 0.0, tick: 0, cells: Vec::new(), detected: false };

impl Window {
    /// The levels from the largest buckets on: the size of a bucket, the sums of those there are, their variances.
    pub fn oldest_first(&self, params: &Params) -> impl Iterator<Item = (f64, &[f64], &[f64])> {
        let (level_0, others) = self.cells.split_at(params.first().min(self.cells.len()));
        let most = params.max_buckets;
        let levels = others.rchunks_exact(params.stride()).chain((!level_0.is_empty()).then_some(level_0));
        let highest = others.len() / params.stride();
        levels.enumerate().map(move |(i, level)| {
            let held = count(level[0]);
            let variances = level.get(1 + most..1 + most + held).unwrap_or_default();
            ((1u64 << (highest - i)) as f64, &level[1..=held], variances)
        })
    }

    #[inline(always)]
    pub fn insert(&mut self, value: f64, params: &Params) {
        if self.width > 0.0 {
            let away = value - self.total / self.width;
            self.variance += self.width * away * away / (self.width + 1.0);
        }
        self.width += 1.0;
        self.total += value;
        self.tick += 1;
        // Every other value finds room among the single values.
        match self.cells.as_mut_slice() {
            [held, sums @ ..] if count(*held) < params.max_buckets => {
                (sums[count(*held)], *held) = (value, cell(count(*held) + 1));
            }
            _ => self.carry(value, params.max_buckets),
        }
    }

    #[inline(never)]
    fn carry(&mut self, value: f64, most: usize) {
        match most {
            USUAL => self.add_bucket(value, USUAL),
            most => self.add_bucket(value, most),
        }
    }

    /// Add the newest bucket of level 0; where a level is full, its two oldest make one bucket of the next level.
    #[inline(always)]
    fn add_bucket(&mut self, value: f64, most: usize) {
        if self.cells.is_empty() {
            self.grow(1 + most, value, None);
            return;
        }
        let (level_0, others) = self.cells.split_at_mut(1 + most);
        let (held, sums) = level_0.split_at_mut(1);
        let place = count(held[0]);
        if place < most {
            (sums[place], held[0]) = (value, cell(place + 1));
            return;
        }
        let away = sums[0] - sums[1];
        let (mut sum, mut variance) = (sums[0] + sums[1], 0.5 * away * away);
        replace_two_oldest(sums, value);
        held[0] = cell(most - 1);
        // `share` is 1 / size, a power of two: to multiply by it is to divide, to the last bit.
        let (mut half, mut share) = (1.0f64, 0.5f64);
        for level in others.chunks_exact_mut(1 + 2 * most) {
            let (held, cells) = level.split_at_mut(1);
            let (sums, variances) = cells.split_at_mut(most);
            let place = count(held[0]);
            if place < most {
                (sums[place], variances[place], held[0]) = (sum, variance, cell(place + 1));
                return;
            }
            let away = sums[0] * share - sums[1] * share;
            let merged = (sums[0] + sums[1], variances[0] + variances[1] + half * away * away);
            replace_two_oldest(sums, sum);
            replace_two_oldest(variances, variance);
            held[0] = cell(most - 1);
            ((sum, variance), half, share) = (merged, half * 2.0, share * 0.5);
        }
        self.grow(1 + 2 * most, sum, Some((1 + most, variance)));
    }

    /// A new level of so many cells with one bucket; its variance where the level has variances.
    #[cold]
    fn grow(&mut self, cells: usize, sum: f64, variance: Option<(usize, f64)>) {
        let begin = self.cells.len();
        if begin == 0 {
            // Room for three levels at once, 35 values of the usual size: many series never get more.
            self.cells.reserve_exact(5 * cells - 2);
        } else {
            self.cells.reserve_exact(cells);
        }
        self.cells.resize(begin + cells, 0.0);
        (self.cells[begin], self.cells[begin + 1]) = (cell(1), sum);
        if let Some((place, variance)) = variance {
            self.cells[begin + place] = variance;
        }
    }

    fn delete_oldest(&mut self, params: &Params) {
        let (most, first, stride) = (params.max_buckets, params.first(), params.stride());
        let last = (self.cells.len() - first) / stride;
        let begin = if last == 0 { 0 } else { first + (last - 1) * stride };
        let size = (1u64 << last) as f64;
        let (held, cells) = self.cells[begin..].split_at_mut(1);
        let (sums, variances) = cells.split_at_mut(most);
        let (total, variance) = (sums[0], variances.first().copied().unwrap_or_default());
        for cells in [sums, variances] {
            cells.copy_within(1.min(cells.len()).., 0);
            cells.iter_mut().last().into_iter().for_each(|cell| *cell = 0.0);
        }
        held[0] = cell(count(held[0]) - 1);
        let empty = count(held[0]) == 0;
        self.width -= size;
        self.total -= total;
        let away = total / size - self.total / self.width;
        self.variance -= variance + size * self.width * away * away / (size + self.width);
        if empty {
            self.cells.truncate(begin);
        }
    }

    /// The first cut, oldest first, whose two sides differ by so many `times` epsilon: (difference of means new - old,
    /// that bound).
    fn find_cut(&self, params: &Params, times: f64) -> Option<(f64, f64)> {
        let width = self.width;
        if width < 2.0 {
            return None;
        }
        let least = params.min_window_length;
        let delta_prime = (2.0 * width.ln() / params.delta).ln();
        let variance = self.variance / width;
        let slack = 2.0 / 3.0 * delta_prime;
        if !self.may_be_cut(params, 2.0 * variance * delta_prime, slack) {
            return None;
        }
        let (mut before, mut after) = (0.0, width);
        let (mut sum_before, mut sum_after) = (0.0, self.total);
        for (size, sums, _) in self.oldest_first(params) {
            for &total in sums {
                before += size;
                after -= size;
                sum_before += total;
                sum_after -= total;
                if after >= least && before >= least {
                    let recip = 1.0 / (before - least + 1.0) + 1.0 / (after - least + 1.0);
                    let moved = sum_before / before - sum_after / after;
                    // Rounding can leave a variance below zero: epsilon is then NaN, and nothing exceeds NaN.
                    let epsilon = ((2.0 * recip * variance * delta_prime).sqrt() + slack * recip) * times;
                    if moved.abs() > epsilon {
                        return Some((-moved, epsilon));
                    }
                }
            }
        }
        None
    }

    /// Whether some cut comes near epsilon, which no bound is less than: false is certain, true is for `find_cut` to decide in river's own order.
    ///
    /// A cut of the W values into a and b moves the mean by D / ab, with D = W * sum of the a - total * a. The bound of
    /// river is at least what it would be with W / ab for `recip`, as min_window_length is at least 1; so, times ab,
    /// |D| <= sqrt(spread * W * ab) + slack * W, which needs neither division nor root. MARGIN is far more than rounding
    /// can amount to on both sides, and what overflows compares as false, which is true here.
    fn may_be_cut(&self, params: &Params, spread: f64, slack: f64) -> bool {
        const MARGIN: f64 = 1e-9;
        let (width, least) = (self.width, params.min_window_length);
        let (spread, slack) = (spread * width * (1.0 - MARGIN), slack * width * (1.0 - MARGIN));
        let (start, blur) = (MARGIN * width * self.total.abs() - slack, 2.0 * MARGIN * width);
        let (mut before, mut moved, mut sums_before) = (0.0, 0.0f64, 0.0);
        let mut may = slack <= 0.0;
        for (size, sums, _) in self.oldest_first(params) {
            let expected = self.total * size;
            for &total in sums {
                before += size;
                moved += width * total - expected;
                sums_before += total.abs();
                let after = width - before;
                let beyond = moved.abs() + blur * sums_before + start;
                let surely_not = beyond * beyond.abs() < spread * (before * after);
                may |= !surely_not & (before >= least) & (after >= least);
            }
        }
        may
    }

    /// Drop the oldest buckets while the window can be cut; the last cut found.
    pub fn shrink(&mut self, params: &Params, times: f64) -> Option<(f64, f64)> {
        if self.width <= params.grace_period {
            return None;
        }
        let mut last = None;
        while let Some(cut) = self.find_cut(params, times) {
            self.delete_oldest(params);
            last = Some(cut);
        }
        self.detected = last.is_some();
        last
    }
}

/// The buckets of a full level move up by two, and a new one comes in behind them.
#[inline]
fn replace_two_oldest(cells: &mut [f64], newest: f64) {
    // This happens once per value. With the default size it is a few moves instead of a call that copies memory.
    if let [a, b, c, d, e] = cells {
        (*a, *b, *c, *d, *e) = (*c, *d, *e, newest, 0.0);
        return;
    }
    cells.copy_within(2.., 0);
    if let [.., before_last, last] = cells {
        (*before_last, *last) = (newest, 0.0);
    }
}
