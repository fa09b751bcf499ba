//! What is usual of a series under each load; operation for operation `detectors/loads.py`.

pub const LOADS: usize = 14;
pub const KINDS: usize = 3;
const BITS: u32 = 3;
const NONE: usize = 0;
const LEAST: f64 = 200.0;
const NEVER: i64 = -1;

/// Of a row: when its newest values came, and under each load their count, their total, and what is usual.
#[derive(Clone)]
pub struct Loads {
    pub since_ms: i64,
    pub known: [[f64; KINDS]; LOADS],
}

pub const FRESH_LOADS: Loads = Loads { since_ms: NEVER, known: [[0.0; KINDS]; LOADS] };

fn load_of(took_ms: i64) -> usize {
    let bits = i64::BITS - took_ms.max(0).leading_zeros();
    (bits as usize / 2).min(LOADS - 1)
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
        if place == NONE || count >= LEAST {
            return (count >= LEAST).then_some(usual);
        }
        let (mut count, mut total) = (0.0, 0.0);
        for near in &self.known[(place - 1).max(NONE + 1)..(place + 2).min(LOADS)] {
            if near[0] < LEAST {
                count += near[0];
                total += near[0] * near[2];
            }
        }
        (count >= LEAST).then(|| total / count)
    }

    /// What the total of so many values usually is that came since the last call.
    pub fn take(&mut self, time_ms: i64, size: f64, total: f64) -> f64 {
        let since_ms = self.since_ms;
        self.since_ms = since_ms.max(time_ms);
        if since_ms == NEVER {
            return total;
        }
        let place = load_of(time_ms - since_ms);
        let expected = self.usual(place).map_or(total, |usual| usual * size);
        let own = &mut self.known[place];
        own[0] += size;
        own[1] += total;
        if is_round(own[0] as u64 / size as u64) {
            own[2] = own[1] / own[0];
        }
        expected
    }
}
