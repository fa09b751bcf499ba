//! What an alert shows of a hit, as plain numbers; operation for operation `streamer/monitors/evidence.py`.

use crate::detectors::bank::Seen;
use crate::detectors::history::History;
use crate::detectors::reference::Reference;

/// Direction, statistic, threshold, before, after.
pub type Edge = (i8, f64, f64, Option<Seen>, Option<Seen>);

/// The evidence of a hit, as `edge_of` has it.
#[cold]
pub fn edge(reference: &Reference, history: &History, row: usize, said: (i8, f64, f64)) -> Edge {
    let (mut direction, statistic, threshold) = said;
    let before = reference.seen(row);
    let mut after = history.rows[row].recent(reference.expected(row));
    if let Some(after) = &mut after {
        after.1 += reference.centre(row);
    }
    if let (0, Some(before), Some(after)) = (direction, &before, &after) {
        direction = (after.1 > before.1) as i8 - (after.1 < before.1) as i8;
    }
    (direction, statistic, threshold, before, after)
}
