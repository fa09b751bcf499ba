//! What an alert shows of a hit, as plain numbers; operation for operation `streamer/monitors/evidence.py`.

use crate::detectors::bank::{Seen, Told};
use crate::detectors::history::History;
use crate::detectors::reference::Reference;

/// Direction, statistic, threshold, before, after; what the row is compared with where that is not before; the onset;
/// the tier.
pub type Edge = (i8, f64, f64, Option<Seen>, Option<Seen>, Option<Seen>, Option<(i64, i64)>, i8);

/// The evidence of a hit, as `edge_of` has it.
#[cold]
pub fn edge(reference: &Reference, history: &History, row: usize, said: Told) -> Edge {
    let (direction, statistic, threshold, age, tier) = said;
    let (standard, centre) = (reference.seen(row), reference.centre(row));
    let (n, mean, std) = standard.map_or((0, 0.0, 0.0), |seen| (seen.0, seen.1 - centre, seen.2));
    let Some((before, usual, after, onset)) = history.rows[row].changed((direction.into(), age, n, mean, std)) else {
        return (direction, statistic, threshold, standard, None, None, None, tier);
    };
    let raw = |mut seen: Seen| {
        seen.1 += centre;
        seen
    };
    let (before, after) = (if usual { standard } else { before.map(raw) }, raw(after));
    let direction = before.map_or(direction, |before| (after.1 > before.1) as i8 - (after.1 < before.1) as i8);
    (direction, statistic, threshold, before, Some(after), if usual { None } else { standard }, onset, tier)
}
