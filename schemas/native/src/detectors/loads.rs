//! What is usual of a series under each load; operation for operation `detectors/loads.py`.

pub const LOADS: usize = 14;
const NONE: usize = 0;
const LEAST: f64 = 200.0;
const NEVER: i64 = -1;

/// Of a row: when its newest values came, and their count and total under each load.
#[derive(Clone)]
pub struct Loads {
    pub since_ms: i64,
    pub known: [[f64; 2]; LOADS],
}

pub const FRESH_LOADS: Loads = Loads { since_ms: NEVER, known: [[0.0; 2]; LOADS] };

fn load_of(took_ms: i64) -> usize {
    let bits = i64::BITS - took_ms.max(0).leading_zeros();
    (bits as usize / 2).min(LOADS - 1)
}

impl Loads {
    /// What the total of so many values usually is that came since the last call.
    pub fn take(&mut self, time_ms: i64, size: f64, total: f64) -> f64 {
        let since_ms = self.since_ms;
        self.since_ms = since_ms.max(time_ms);
        if since_ms == NEVER {
            return total;
        }
        let place = load_of(time_ms - since_ms);
        let [count, sums] = self.known[if self.known[NONE][0] >= LEAST { NONE } else { place }];
        let expected = if count >= LEAST { sums / count * size } else { total };
        self.known[place][0] += size;
        self.known[place][1] += total;
        expected
    }
}
