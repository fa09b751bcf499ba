//! What a warm-up amounts to; operation for operation `learn` of `detectors/reference.py`.

use crate::detectors::bank::bounded;

/// STATS of `detectors/reference.py`, in that order.
pub type Stats = [f64; 6];

/// As in `detectors/reference.py`, whose constants these are.
const MAD_TO_SIGMA: f64 = 1.4826;
const TAIL: f64 = 0.99;
const TAIL_SIGMAS: f64 = 2.3263478740408408;
const RARE: f64 = 0.03;
const OFTEN: f64 = 0.2;

/// What a full warm-up amounts to.
pub fn learn(values: &[f64], standardise: bool, huge: f64) -> Stats {
    let values: Vec<f64> = values.iter().map(|&value| bounded(value, huge)).collect();
    let ordered = sorted(values.iter().map(|value| value + 0.0));
    let centre = if standardise { middle(&ordered) } else { 0.0 };
    let scale = robust_scale(&ordered, centre);
    let mean = average(values.iter().map(|value| value - centre));
    let apart = values.iter().map(|value| value - centre - mean);
    let std = average(apart.map(|apart| apart * apart)).sqrt();
    let longer = |tail: f64| if tail / TAIL_SIGMAS > scale { tail / TAIL_SIGMAS } else { scale };
    let below = longer(reach(&ordered.iter().rev().map(|value| centre - value).collect::<Vec<_>>()));
    let above = longer(reach(&ordered.iter().map(|value| value - centre).collect::<Vec<_>>()));
    [centre, scale, centre + mean, std, below, above]
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut ordered: Vec<f64> = values.collect();
    ordered.sort_unstable_by(f64::total_cmp);
    ordered
}

/// Summed one after another.
fn average(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    values.reduce(|sum, value| sum + value).unwrap_or_default() / n
}

fn middle(ordered: &[f64]) -> f64 {
    let half = ordered.len() / 2;
    if ordered.len() % 2 == 1 { ordered[half] } else { (ordered[half - 1] + ordered[half]) / 2.0 }
}

fn quantile(ordered: &[f64], share: f64) -> f64 {
    let place = share * (ordered.len() - 1) as f64;
    let low = place as usize;
    let high = (low + 1).min(ordered.len() - 1);
    ordered[low] + (place - low as f64) * (ordered[high] - ordered[low])
}

/// How far a tail goes, from ascending differences.
fn reach(away: &[f64]) -> f64 {
    let far = quantile(away, TAIL);
    let share = away.iter().filter(|&&apart| apart > 0.0).count() as f64 / away.len() as f64;
    let often = if (share + RARE) / 2.0 < OFTEN { (share + RARE) / 2.0 } else { OFTEN };
    let (near, rare) = (quantile(away, 1.0 - often), quantile(away, 1.0 - RARE));
    if share <= RARE || near <= 0.0 {
        return far;
    }
    let steepness = (rare / near).ln() / (often / RARE).ln();
    if far.ln() <= rare.ln() + steepness * (RARE / (1.0 - TAIL)).ln() {
        return far;
    }
    rare * (RARE / (1.0 - TAIL)).powf(steepness)
}

fn robust_scale(ordered: &[f64], centre: f64) -> f64 {
    let scale = MAD_TO_SIGMA * middle(&sorted(ordered.iter().map(|value| (value - centre).abs())));
    if scale > 0.0 {
        return scale;
    }
    let cut = ordered.len().div_ceil(100);
    match ordered.get(cut..ordered.len() - cut) {
        Some(most) if !most.is_empty() => average(most.iter().map(|value| (value - centre) * (value - centre))).sqrt(),
        _ => 0.0,
    }
}
