//! What healthy days have shown on one side of one statistic; operation for operation `detectors/extremes.py`.

pub const LAG: usize = 2;
const SCHOOL: i64 = 7;
pub const MEMORY: i64 = 28;
pub const EULER: f64 = 0.5772156649015329;
pub const GUMBEL: f64 = 1.282_549_830_161_864;
const FEW: f64 = 3.0;
pub const NONE: f64 = f64::NEG_INFINITY;
pub const OPEN: f64 = f64::INFINITY;

/// A side of a channel: its day's most extreme value, the newest days, and what older ones amount to.
#[derive(Clone, Copy)]
pub struct Side {
    pub today: f64,
    pub mean: f64,
    pub variance: f64,
    pub limit: f64,
    pub waiting: [f64; LAG],
    pub count: i64,
}

pub const FRESH_SIDE: Side =
    Side { today: NONE, mean: 0.0, variance: 0.0, limit: OPEN, waiting: [NONE; LAG], count: 0 };

/// Lowest and highest that is no alarm, and that is learned.
pub struct Limits {
    pub low: f64,
    pub high: f64,
    pub least: f64,
    pub most: f64,
}

impl Limits {
    pub fn learned(&self, value: f64) -> f64 {
        if value < self.low || value > self.high {
            return value;
        }
        if value > self.most {
            return self.most;
        }
        if value < self.least { self.least } else { value }
    }
}

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

    /// Days with values so far, but for the one that goes on.
    fn known(&self) -> i64 {
        self.count + self.waiting.iter().filter(|&&day| day > NONE).count() as i64
    }

    pub fn days_left(&self) -> i64 {
        if self.limit < OPEN { 0 } else { SCHOOL - self.known() }
    }

    pub fn end_day(&mut self, beyond: f64, floor: f64) {
        if self.today > NONE {
            self.learn(self.waiting[0]);
            self.waiting = [self.waiting[1], self.today];
        }
        self.today = NONE;
        let over = self.limit == OPEN && self.known() >= SCHOOL;
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

    pub fn seen(&self) -> f64 {
        let older = if self.count > 0 { self.mean } else { NONE };
        self.waiting.iter().fold(older, |most, &day| most.max(day)).max(self.today)
    }
}
