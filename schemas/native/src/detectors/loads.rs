//! What is usual of a series under each load; operation for operation `detectors/loads.py`.

pub const LOADS: usize = 28;
pub const KINDS: usize = 3;
const BITS: u32 = 3;
const PACE: f64 = 4.0;
const NONE: usize = 0;
const LEAST: f64 = 200.0;
const NEVER: i64 = -1;

/// Of a row: when its newest values came, how long some take by now, and under each load their count, their total, and
/// what is usual.
#[derive(Clone)]
pub struct Loads {
    pub since_ms: i64,
    pub pace_ms: f64,
    pub known: [[f64; KINDS]; LOADS],
}

pub const FRESH_LOADS: Loads = Loads { since_ms: NEVER, pace_ms: 0.0, known: [[0.0; KINDS]; LOADS] };

pub fn load_of(took_ms: f64) -> usize {
    let bits = i64::BITS - (took_ms as i64).leading_zeros();
    (bits as usize).min(LOADS - 1)
}

pub fn paced(pace_ms: f64, took_ms: f64) -> f64 {
    let anew = pace_ms == 0.0 || took_ms * PACE < pace_ms;
    if anew { took_ms } else { pace_ms + (took_ms - pace_ms) / PACE }
}

fn is_round(count: u64) -> bool {
    let digits = u64::BITS - count.leading_zeros();
    count & ((1 << digits.saturating_sub(BITS)) - 1) == 0
}

impl Loads {
    /// The usual mean under this load.
    fn usual(&self, place: usize) -> Option<f64> {
        let place = if self.known[NONE][0] >= LEAST { NONE } else { place };
        let [count, _, usual] = self.known[place];
        if count >= LEAST {
            return Some(usual);
        }
        if place == NONE || 2.0 * count < LEAST {
            return None;
        }
        let near = &self.known[(place - 1).max(NONE + 1)..(place + 2).min(LOADS)];
        let counts: f64 = near.iter().map(|one| one[0]).filter(|&count| count < LEAST).sum();
        (counts >= LEAST).then_some(usual)
    }

    /// Count and total under the load of the newest values, which are so many, but for those.
    pub fn lately(&self, size: f64, total: f64) -> (f64, f64) {
        let [count, whole, _] = self.known[load_of(self.pace_ms)];
        if count > size { (count - size, whole - total) } else { (0.0, 0.0) }
    }

    /// What the total of so many values usually is that came since the last call, and how long they took.
    pub fn take(&mut self, time_ms: i64, size: f64, total: f64) -> (f64, f64) {
        let since_ms = self.since_ms;
        self.since_ms = since_ms.max(time_ms);
        if since_ms == NEVER {
            return (total, 0.0);
        }
        let took_ms = (time_ms - since_ms).max(0) as f64;
        self.pace_ms = paced(self.pace_ms, took_ms);
        let place = load_of(self.pace_ms);
        let expected = self.usual(place).map_or(total, |usual| usual * size);
        let own = &mut self.known[place];
        own[0] += size;
        own[1] += total;
        if is_round(own[0] as u64 / size as u64) {
            own[2] = own[1] / own[0];
        }
        (expected, took_ms)
    }
}
