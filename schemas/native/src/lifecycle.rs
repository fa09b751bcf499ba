//! The life of one alert, transition for transition that of `streamer/alerting.py`, which says what it means.
#![forbid(unsafe_code)]

use std::sync::Arc;

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::evidence::Edge;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    Quiet,
    Pending,
    Firing,
    Fading,
}

const STATES: [(&str, State); 4] =
    [("quiet", State::Quiet), ("pending", State::Pending), ("firing", State::Firing), ("fading", State::Fading)];

impl State {
    pub fn name(self) -> &'static str {
        STATES.iter().find(|(_, state)| *state == self).map_or("", |(name, _)| name)
    }

    pub fn of(name: &str) -> PyResult<Self> {
        let wrong = || PyValueError::new_err(format!("unknown alert state '{name}'"));
        STATES.iter().find(|(known, _)| *known == name).map(|(_, state)| *state).ok_or_else(wrong)
    }
}

#[derive(Clone, Copy, PartialEq)]
pub enum Signal {
    Drift,
    Breach,
    Clear,
    Held,
}

impl Signal {
    /// None for a finding that changes no alert.
    pub fn of(name: &str) -> PyResult<Option<Self>> {
        match name {
            "drift" => Ok(Some(Signal::Drift)),
            "breach" => Ok(Some(Signal::Breach)),
            "clear" => Ok(Some(Signal::Clear)),
            "neither" => Ok(None),
            _ => Err(PyValueError::new_err(format!("unknown signal '{name}'"))),
        }
    }
}

pub const FIRING: &str = "firing";
const RESOLVED: &str = "resolved";

/// `TRANSITIONS`: the next state, and the status to publish.
fn transition(state: State, signal: Signal) -> PyResult<(State, Option<&'static str>)> {
    use Signal::{Breach, Clear, Drift, Held};
    use State::{Fading, Firing, Pending, Quiet};
    Ok(match (state, signal) {
        (Quiet, Drift) => (Fading, Some(FIRING)),
        (Fading, Drift) => (Fading, None),
        (Quiet | Pending, Breach) => (Pending, None),
        (Quiet | Pending, Clear) => (Quiet, None),
        (Pending, Held) => (Firing, Some(FIRING)),
        (Firing | Fading, Breach) => (Firing, None),
        (Firing | Fading, Clear) => (Fading, None),
        (Fading, Held) => (Quiet, Some(RESOLVED)),
        (Pending | Firing, Drift) | (Quiet | Firing, Held) => return Err(PyKeyError::new_err("no such transition")),
    })
}

pub struct Policy {
    pub monitor: Py<PyString>,
    pub for_ms: i64,
    pub keep_firing_for_ms: i64,
    pub cooldown_ms: i64,
}

/// Offset, the event's own time, the clock of its model.
pub type Moment = (i64, i64, i64);

/// What began an episode.
pub struct Opened {
    pub offset: i64,
    pub time_ms: i64,
    pub first_offset: i64,
    pub evidence: Evidence,
}

/// What was found: of an edge the numbers, of all else what Python makes of it.
pub enum Evidence {
    Edge(Arc<Edge>),
    Other(Py<PyAny>),
}

impl Evidence {
    pub fn of(evidence: &Bound<PyAny>) -> Self {
        match evidence.extract::<Edge>() {
            Ok(edge) => Evidence::Edge(Arc::new(edge)),
            Err(_) => Evidence::Other(evidence.clone().unbind()),
        }
    }

    fn copy(&self, py: Python) -> Self {
        match self {
            Evidence::Edge(edge) => Evidence::Edge(edge.clone()),
            Evidence::Other(evidence) => Evidence::Other(evidence.clone_ref(py)),
        }
    }

    /// As it is saved.
    fn plain(&self, py: Python) -> PyResult<Py<PyAny>> {
        match self {
            Evidence::Edge(edge) => Edge::clone(edge).into_py_any(py),
            Evidence::Other(evidence) => Ok(evidence.clone_ref(py)),
        }
    }
}

/// `Opened` of `streamer/alerting.py` as plain data.
pub type PlainOpened = (i64, i64, i64, Py<PyAny>);

impl Opened {
    pub fn of((offset, time_ms, first_offset, evidence): PlainOpened, py: Python) -> Self {
        Opened { offset, time_ms, first_offset, evidence: Evidence::of(evidence.bind(py)) }
    }

    pub fn plain(&self, py: Python) -> PyResult<PlainOpened> {
        Ok((self.offset, self.time_ms, self.first_offset, self.evidence.plain(py)?))
    }

    fn copy(&self, py: Python) -> Self {
        Opened { evidence: self.evidence.copy(py), ..*self }
    }
}

/// `Notice` of `streamer/alerting.py`. Nearly all are only written down, so no more of Python is made of them.
#[pyclass(frozen)]
pub struct Notice {
    #[pyo3(get)]
    pub status: &'static str,
    #[pyo3(get)]
    monitor: Py<PyString>,
    #[pyo3(get)]
    pub row: i64,
    /// Episode, detections, suppressed.
    pub counts: [i64; 3],
    pub opened: Opened,
    pub at: Moment,
    pub ended_ms: Option<i64>,
}

/// The same as plain data.
type PlainNotice = (&'static str, Py<PyString>, i64, i64, i64, i64, PlainOpened, Moment, Option<i64>);

#[pymethods]
impl Notice {
    #[new]
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python,
        status: &str,
        monitor: Py<PyString>,
        row: i64,
        episode: i64,
        detections: i64,
        suppressed: i64,
        opened: PlainOpened,
        at: Moment,
        ended_ms: Option<i64>,
    ) -> PyResult<Self> {
        let wrong = || PyValueError::new_err(format!("unknown status '{status}'"));
        let status = [FIRING, RESOLVED].into_iter().find(|known| *known == status).ok_or_else(wrong)?;
        let counts = [episode, detections, suppressed];
        Ok(Notice { status, monitor, row, counts, opened: Opened::of(opened, py), at, ended_ms })
    }

    pub fn plain(&self, py: Python) -> PyResult<PlainNotice> {
        let [episode, detections, suppressed] = self.counts;
        let (monitor, opened) = (self.monitor.clone_ref(py), self.opened.plain(py)?);
        Ok((self.status, monitor, self.row, episode, detections, suppressed, opened, self.at, self.ended_ms))
    }
}

pub struct Alert {
    /// The number of its first finding among those that made an alert.
    pub born: u64,
    pub model: usize,
    pub state: State,
    pub due_ms: Option<i64>,
    pub quiet_until_ms: Option<i64>,
    pub episode: i64,
    pub detections: i64,
    pub suppressed: i64,
    pub opened: Option<Opened>,
}

impl Alert {
    pub fn new(born: u64, model: usize) -> Self {
        let (due_ms, quiet_until_ms, opened) = (None, None, None);
        let (state, episode, detections, suppressed) = (State::Quiet, 0, 0, 0);
        Alert { born, model, state, due_ms, quiet_until_ms, episode, detections, suppressed, opened }
    }

    /// Take a signal; the notice if the published status changes.
    pub fn step(
        &mut self,
        py: Python,
        signal: Signal,
        at: Moment,
        row: i64,
        policy: &Policy,
    ) -> PyResult<Option<Notice>> {
        let (before, due_ms) = (self.state, self.due_ms);
        let (state, status) = transition(before, signal)?;
        let resolved = status == Some(RESOLVED);
        self.state = state;
        self.episode += i64::from(status.is_some() && !resolved);
        let notice = status.map(|status| {
            let opened = self.opened.as_ref().expect("only an alert that began is published").copy(py);
            let (monitor, ended_ms) = (policy.monitor.clone_ref(py), due_ms.filter(|_| resolved));
            let counts = [self.episode, self.detections, self.suppressed];
            Notice { status, monitor, row, counts, opened, at, ended_ms }
        });
        if resolved {
            (self.quiet_until_ms, self.suppressed) = (Some(at.2 + policy.cooldown_ms), 0);
        }
        self.set_timer(before, signal, at.2, policy);
        Ok(notice)
    }

    fn set_timer(&mut self, before: State, signal: Signal, now_ms: i64, policy: &Policy) {
        match self.state {
            State::Quiet | State::Firing => self.due_ms = None,
            State::Pending if before == State::Quiet => self.due_ms = Some(now_ms + policy.for_ms),
            State::Fading if before != State::Fading || signal == Signal::Drift => {
                // An edge that could fade at once would publish a resolution with no time between.
                let least_ms = i64::from(signal == Signal::Drift);
                self.due_ms = Some(now_ms + policy.keep_firing_for_ms.max(least_ms));
            }
            State::Pending | State::Fading => {}
        }
    }
}
