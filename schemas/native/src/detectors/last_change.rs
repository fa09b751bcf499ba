//! Where a series changed last; operation for operation `detectors/last_change.py`.
#![forbid(unsafe_code)]

use crate::detectors::bank::Seen;

const SURE: f64 = 16.0;
const ALIKE: f64 = 9.0;
const LEAST: i64 = 4;

/// Values that came one after another, as sums.
#[derive(Clone, Copy)]
pub struct Piece {
    pub n: i64,
    pub total: f64,
    pub squares: f64,
    pub first_offset: i64,
    pub first_time_ms: i64,
}

/// Way, age, and what the series is compared with: how many values (0: nothing), their mean and deviation.
pub type Asked = (i64, i64, i64, f64, f64);

/// Before, whether that is what the series is compared with, after, and where the newest stretch begins.
pub type Change = (Option<Seen>, bool, Seen, Option<(i64, i64)>);

/// Sums of all values before each piece, and where each begins.
struct Held<'a> {
    pieces: &'a [Piece],
    n: Vec<i64>,
    total: Vec<f64>,
    squares: Vec<f64>,
    last: (i64, i64),
}

impl<'a> Held<'a> {
    fn new(pieces: &'a [Piece], last: (i64, i64)) -> Self {
        let (mut n, mut total, mut squares) = (vec![0], vec![0.0], vec![0.0]);
        for (k, piece) in pieces.iter().enumerate() {
            n.push(n[k] + piece.n);
            total.push(total[k] + piece.total);
            squares.push(squares[k] + piece.squares);
        }
        Held { pieces, n, total, squares, last }
    }

    fn count(&self) -> usize {
        self.pieces.len()
    }

    fn place(&self, begin: usize) -> (i64, i64) {
        (self.pieces[begin].first_offset, self.pieces[begin].first_time_ms)
    }

    fn values(&self, begin: usize, end: usize) -> i64 {
        self.n[end] - self.n[begin]
    }

    fn mean(&self, begin: usize, end: usize) -> f64 {
        (self.total[end] - self.total[begin]) / self.values(begin, end) as f64
    }

    fn gain(&self, begin: usize, middle: usize, end: usize) -> f64 {
        let apart = self.mean(middle, end) - self.mean(begin, middle);
        let (one, two) = (self.values(begin, middle), self.values(middle, end));
        (one * two) as f64 / (one + two) as f64 * (apart * apart)
    }

    fn variance(&self, begin: usize, end: usize) -> f64 {
        let mean = self.mean(begin, end);
        let variance = (self.squares[end] - self.squares[begin]) / self.values(begin, end) as f64 - mean * mean;
        if variance > 0.0 { variance } else { 0.0 }
    }

    fn within(&self, begin: usize, middle: usize, end: usize) -> f64 {
        let (one, two) = (self.values(begin, middle), self.values(middle, end));
        let sum = one as f64 * self.variance(begin, middle) + two as f64 * self.variance(middle, end);
        sum / (one + two) as f64
    }

    fn told(&self, begin: usize, end: usize) -> Seen {
        let first = self.place(begin);
        let last = if end < self.count() { (self.place(end).0 - 1, self.place(end).1) } else { self.last };
        let std = self.variance(begin, end).sqrt();
        (self.values(begin, end), self.mean(begin, end), std, first.0, last.0, first.1, last.1)
    }

    fn begins(&self, way: i64, age: i64) -> Vec<usize> {
        let end = self.count();
        let least = if age > 0 { 1 } else { LEAST };
        let long = |&begin: &usize| begin == 0 || self.values(begin, end) >= least;
        let every: Vec<usize> = (0..end).rev().filter(long).collect();
        if age == 0 {
            return every;
        }
        if way == 0 {
            return every.into_iter().min_by_key(|&begin| (self.values(begin, end) - age).abs()).into_iter().collect();
        }
        let near = |&&begin: &&usize| (age..=8 * age).contains(&(4 * self.values(begin, end)));
        let some: Vec<usize> = every.iter().filter(near).copied().collect();
        if some.is_empty() { every } else { some }
    }

    fn best_split(&self, begins: &[usize], way: i64) -> Option<(usize, usize)> {
        let (mut best, mut most, usual) = (None, -1.0, self.variance(0, self.count()));
        for &middle in begins {
            let now = self.mean(middle, self.count());
            let varies = larger(self.variance(middle, self.count()), usual);
            for begin in (0..middle).rev() {
                if way != 0 && !goes(now - self.mean(begin, middle), way) {
                    continue;
                }
                let varied = larger(self.variance(begin, middle), varies);
                let gain = in_units(self.gain(begin, middle, self.count()), varied);
                if gain > most {
                    (best, most) = (Some((begin, middle)), gain);
                }
            }
        }
        best
    }

    fn departure(&self, begins: &[usize], way: i64, expected: f64) -> Option<usize> {
        let (mut best, mut most, usual) = (None, -1.0, self.variance(0, self.count()));
        for &begin in begins {
            let apart = self.mean(begin, self.count()) - expected;
            let varies = larger(self.variance(begin, self.count()), usual);
            let gain = in_units(self.values(begin, self.count()) as f64 * (apart * apart), varies);
            if gain > most && (way == 0 || goes(apart, way)) {
                (best, most) = (Some(begin), gain);
            }
        }
        best
    }

    fn went_on(&self, begins: &[usize], split: (usize, usize), asked: Asked) -> bool {
        let ((way, _, known, usual, std), (begin, middle), end) = (asked, split, self.count());
        if way == 0 || known == 0 {
            return false;
        }
        let was = (self.mean(begin, middle) - usual) * way as f64;
        let now = (self.mean(middle, end) - usual) * way as f64;
        let back = larger(0.0, -was) / 2.0;
        if now > back {
            return false;
        }
        self.departure(begins, way, usual).is_some_and(|newest| {
            let (n, apart) = (self.values(newest, end), (self.mean(newest, end) - usual) * way as f64);
            let gain = (n * known) as f64 / (n + known) as f64 * (apart * apart);
            let least = if std < back { std } else { back };
            apart > least && gain > SURE * larger(self.variance(newest, end), std * std)
        })
    }

    fn after(&self, begin: usize, way: i64, before: f64) -> usize {
        let (later, end) = (begin + 1, self.count());
        if begin == 0 || self.values(later, end) < LEAST {
            return begin;
        }
        if way != 0 && !goes(self.mean(later, end) - before, way) { begin } else { later }
    }

    fn even(&self, begin: usize, end: usize) -> bool {
        let most = SURE * self.variance(begin, end);
        (begin + 1..end).all(|middle| self.gain(begin, middle, end) <= most)
    }

    fn told_apart(&self, mut begin: usize, middle: usize, (asked_way, _, n, usual, std): Asked) -> Change {
        let end = self.count();
        let way = match asked_way {
            0 => sign(self.mean(middle, end) - self.mean(begin, middle)),
            way => way,
        };
        let noise = self.within(begin, middle, end);
        let goes_on = |first, last, after, until| sign(self.mean(after, until) - self.mean(first, last)) == way;
        let moved = |first, last, after| goes_on(first, last, after, end);
        let whole = |&b: &usize| self.even(b, middle) && moved(b, middle, middle);
        begin = (0..begin).find(whole).unwrap_or(begin);
        let mut last = middle;
        if middle - begin > 1 && self.values(begin, middle - 1) >= LEAST && moved(begin, middle - 1, middle) {
            let mixed = self.gain(begin, middle - 1, middle) > noise && goes_on(begin, middle - 1, middle - 1, middle);
            last -= mixed as usize;
        }
        let mut after = self.after(middle, way, self.mean(begin, last));
        if way == 0 && !moved(begin, last, after) {
            (last, after) = (middle, middle);
        }
        let before = self.told(begin, last);
        let is_usual = n > 0 && {
            let apart = before.1 - usual;
            let alike = apart * apart <= ALIKE * (noise / before.0 as f64 + std * std / n as f64);
            alike && sign(self.mean(after, end) - usual) == way
        };
        ((!is_usual).then_some(before), is_usual, self.told(after, end), Some(self.place(middle)))
    }
}

fn goes(apart: f64, way: i64) -> bool {
    apart * way as f64 > 0.0
}

fn larger(one: f64, other: f64) -> f64 {
    if other > one { other } else { one }
}

fn in_units(gain: f64, variance: f64) -> f64 {
    if variance > 0.0 { gain / variance } else { gain }
}

fn sign(value: f64) -> i64 {
    (value > 0.0) as i64 - (value < 0.0) as i64
}

/// Of at least one piece, oldest first; `last`: offset and time of the last value; `whole`: nothing came before them.
pub fn last_change(pieces: &[Piece], last: (i64, i64), asked: Asked, whole: bool) -> Change {
    let held = Held::new(pieces, last);
    let (way, age, n, usual, _) = asked;
    let (begins, end) = (held.begins(way, age), held.count());
    let split = held.best_split(&begins, way);
    let sure = split
        .is_some_and(|(begin, middle)| held.gain(begin, middle, end) > SURE * held.within(begin, middle, end))
        && !split.is_some_and(|split| held.went_on(&begins, split, asked));
    if n > 0 && !sure {
        if let Some(begin) = held.departure(&begins, way, usual) {
            let onset = (begin > 0 || whole).then(|| held.place(begin));
            return (None, true, held.told(held.after(begin, way, usual), end), onset);
        }
    }
    match split {
        None => (None, false, held.told(begins[0], end), None),
        Some((begin, middle)) => held.told_apart(begin, middle, asked),
    }
}
