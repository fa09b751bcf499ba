//! The scales on which averages and shares are measured; operation for operation `detectors/scales.py`.

pub const MOMENTS: usize = 3;
pub const KNEE: f64 = 3.0;

/// Count, sum and sum of squares.
pub type Moments = [f64; MOMENTS];

pub fn drawn_in(value: f64) -> f64 {
    if value.abs() <= KNEE {
        return value;
    }
    let sign = if value > 0.0 { 1.0 } else { -1.0 };
    sign * KNEE * (8.0 * (value.abs() / KNEE).sqrt().sqrt().sqrt() - 7.0)
}

pub fn level_of(share: f64) -> f64 {
    let share = share.clamp(0.0, 1.0);
    share.sqrt() - (1.0 - share).sqrt()
}

/// The share of this level; see `level_of`, of which it is the inverse.
pub fn share_at(level: f64) -> f64 {
    let level = level.clamp(-1.0, 1.0);
    (1.0 + level * (2.0 - level * level).sqrt()) / 2.0
}

/// How much a small variance of a share is on the scale of `level_of`.
pub fn slope_of(share: f64) -> f64 {
    if !(share > 0.0 && share < 1.0) {
        return 1.0;
    }
    let slope = (1.0 / share.sqrt() + 1.0 / (1.0 - share).sqrt()) / 2.0;
    slope * slope
}

/// Count, mean and deviation; `least`: the variance of one more value.
pub fn moments(sums: &Moments, least: f64) -> (f64, f64, f64) {
    let [count, total, squares] = *sums;
    if count <= 0.0 {
        return (0.0, 0.0, 0.0);
    }
    let mean = total / count;
    let rest = squares / count - mean * mean;
    (count, mean, ((if rest > 0.0 { rest } else { 0.0 }) + least / count).sqrt())
}
