//! What an alert shows of a hit, as plain numbers; operation for operation `streamer/evidence.py`.

use std::sync::Arc;

use pyo3::prelude::*;

use crate::bank::Seen;
use crate::history::History;
use crate::reference::Reference;

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

/// A `Finding` of `streamer/alerting.py` that is an edge of a sweep. Its evidence is made an object of Python only for
/// those who ask for it.
#[pyclass(frozen)]
pub struct EdgeFinding {
    #[pyo3(get)]
    pub event: i32,
    #[pyo3(get)]
    pub monitor: usize,
    #[pyo3(get)]
    pub row: i64,
    pub edge: Arc<Edge>,
}

#[pymethods]
impl EdgeFinding {
    /// Of a window: how it ended.
    #[classattr]
    #[pyo3(name = "ended")]
    const ENDED: &'static str = "";

    #[classattr]
    #[pyo3(name = "signal")]
    const SIGNAL: &'static str = "drift";

    #[getter]
    fn evidence(&self) -> Edge {
        Edge::clone(&self.edge)
    }
}
