//! The life of one alert, transition for transition that of `streamer/alerting.py`, which says what it means.
#![forbid(unsafe_code)]

use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyString;

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

/// `TRANSITIONS`: the next state, and the status to publish.
fn transition(state: State, signal: Signal) -> PyResult<(State, Option<&'static str>)> {
    use Signal::{Breach, Clear, Drift, Held};
    use State::{Fading, Firing, Pending, Quiet};
    Ok(match (state, signal) {
        (Quiet, Drift) => (Fading, Some("firing")),
        (Fading, Drift) => (Fading, None),
        (Quiet | Pending, Breach) => (Pending, None),
        (Quiet | Pending, Clear) => (Quiet, None),
        (Pending, Held) => (Firing, Some("firing")),
        (Firing | Fading, Breach) => (Firing, None),
        (Firing | Fading, Clear) => (Fading, None),
        (Fading, Held) => (Quiet, Some("resolved")),
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
/// Offset, time, first offset, evidence.
pub type Opened = (i64, i64, i64, Py<PyAny>);
/// Status, monitor, row, episode, detections, suppressed, opened, at, ended.
pub type Notice = (&'static str, Py<PyString>, i64, i64, i64, i64, Opened, Moment, Option<i64>);

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
        let resolved = status == Some("resolved");
        self.state = state;
        self.episode += i64::from(status.is_some() && !resolved);
        let notice = status.map(|status| {
            let opened = self.opened(py).expect("only an alert that began is published");
            let (monitor, ended_ms) = (policy.monitor.clone_ref(py), due_ms.filter(|_| resolved));
            (status, monitor, row, self.episode, self.detections, self.suppressed, opened, at, ended_ms)
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

    pub fn opened(&self, py: Python) -> Option<Opened> {
        let copy = |(offset, time_ms, first, evidence): &Opened| (*offset, *time_ms, *first, evidence.clone_ref(py));
        self.opened.as_ref().map(copy)
    }
}
