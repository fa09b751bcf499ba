//! All alerts of a task and their timers, as the `AlertBook` of `streamer/alerting.py`; one alert is in `lifecycle.rs`.

use std::collections::BTreeSet;

use hashbrown::HashMap;
use numpy::PyReadonlyArray1;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::bank::{check_codes, check_length, slice};
use crate::evidence::EdgeFinding;
use crate::lifecycle::{Alert, Evidence, Moment, Notice, Opened, PlainOpened, Policy, Signal, State};

/// (monitor in the order of the names, row): alerts that are due at the same time come in this order.
type Key = (usize, i64);

struct Model {
    name: Py<PyString>,
    due: BTreeSet<(i64, Key)>,
    /// The earliest of them.
    next_ms: i64,
}

const NEVER: i64 = i64::MAX;

/// Event, monitor in the order of the config, row, signal, evidence; how a window ended is not for the book.
type PlainFinding<'py> = (i64, usize, i64, Bound<'py, PyString>, Bound<'py, PyAny>, Bound<'py, PyAny>);

struct Finding {
    event: i64,
    monitor: usize,
    row: i64,
    /// None of one that changes no alert.
    signal: Option<Signal>,
    evidence: Evidence,
}

impl<'py> FromPyObject<'_, 'py> for Finding {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(found) = given.cast::<EdgeFinding>() {
            let EdgeFinding { event, monitor, row, edge } = found.get();
            let (event, evidence) = (i64::from(*event), Evidence::Edge(edge.clone()));
            return Ok(Finding { event, monitor: *monitor, row: *row, signal: Some(Signal::Drift), evidence });
        }
        let (event, monitor, row, signal, evidence, _) = given.extract::<PlainFinding>()?;
        Ok(Finding { event, monitor, row, signal: Signal::of(signal.to_str()?)?, evidence: Evidence::of(&evidence) })
    }
}

/// `ALERT_FIELDS`.
type Saved =
    (Py<PyString>, i64, Py<PyString>, &'static str, Option<i64>, Option<i64>, i64, i64, i64, Option<PlainOpened>);
/// The same of an alert of a snapshot, without its monitor.
type Given<'py> = (i64, Bound<'py, PyString>, String, Option<i64>, Option<i64>, i64, i64, i64, Option<PlainOpened>);

#[pyclass]
pub struct AlertBook {
    policies: Vec<Policy>,
    /// By the place of a monitor in the config its place among the policies, which have the order of their names.
    of_monitor: Vec<usize>,
    found: Vec<u64>,
    first_offset: Py<PyAny>,
    alerts: HashMap<Key, Alert>,
    born: u64,
    models: Vec<Model>,
    of_model: HashMap<String, usize>,
}

impl AlertBook {
    fn known(&self, name: &Bound<PyString>) -> PyResult<Option<usize>> {
        Ok(self.of_model.get(name.to_str()?).copied())
    }

    /// The model of an alert that is made, which bounds them by the series.
    fn model(&mut self, name: &Bound<PyString>) -> PyResult<usize> {
        if let Some(model) = self.known(name)? {
            return Ok(model);
        }
        self.of_model.insert(name.to_str()?.to_owned(), self.models.len());
        self.models.push(Model { name: name.clone().unbind(), due: BTreeSet::new(), next_ms: NEVER });
        Ok(self.models.len() - 1)
    }

    fn tick(&mut self, py: Python, model: usize, at: Moment, notices: &mut Vec<Notice>) -> PyResult<()> {
        let due: Vec<Key> =
            self.models[model].due.range(..=(at.2, (usize::MAX, i64::MAX))).map(|&(_, key)| key).collect();
        due.into_iter().try_for_each(|key| self.signal(py, key, Signal::Held, at, notices))
    }

    fn finding(
        &mut self,
        finding: Finding,
        model: &Bound<PyString>,
        at: Moment,
        notices: &mut Vec<Notice>,
    ) -> PyResult<()> {
        let Finding { monitor, row, signal: Some(signal), evidence, .. } = finding else { return Ok(()) };
        let wrong = || PyValueError::new_err("a monitor that does not exist");
        let key = (*self.of_monitor.get(monitor).ok_or_else(wrong)?, row);
        self.found[monitor] += 1;
        let py = model.py();
        if !self.alerts.contains_key(&key) {
            if signal == Signal::Clear {
                return Ok(());
            }
            let model = self.model(model)?;
            self.alerts.insert(key, Alert::new(self.born, model));
            self.born += 1;
        }
        let alert = self.alerts.get_mut(&key).expect("it was just put there");
        if signal != Signal::Clear {
            if alert.state == State::Quiet {
                if alert.quiet_until_ms.is_some_and(|until_ms| at.2 < until_ms) {
                    alert.suppressed += 1;
                    return Ok(());
                }
                let first_offset = self.first_offset.call1(py, (&self.policies[key.0].monitor, row))?.extract(py)?;
                alert.opened = Some(Opened { offset: at.0, time_ms: at.1, first_offset, evidence });
                alert.detections = 0;
            }
            alert.detections += 1;
        }
        self.signal(py, key, signal, at, notices)?;
        if self.alerts.get(&key).is_some_and(|alert| alert.state == State::Quiet && alert.episode == 0) {
            self.alerts.remove(&key);
        }
        Ok(())
    }

    fn signal(&mut self, py: Python, key: Key, signal: Signal, at: Moment, notices: &mut Vec<Notice>) -> PyResult<()> {
        let (policy, alert) = (&self.policies[key.0], self.alerts.get_mut(&key).expect("a timer of an alert"));
        let before = alert.due_ms;
        notices.extend(alert.step(py, signal, at, key.1, policy)?);
        self.models[alert.model].move_timer(key, before, alert.due_ms);
        match alert.due_ms {
            Some(due_ms) if due_ms <= at.2 => self.signal(py, key, Signal::Held, at, notices),
            _ => Ok(()),
        }
    }
}

impl Model {
    fn move_timer(&mut self, key: Key, before: Option<i64>, after: Option<i64>) {
        if before != after {
            before.map(|due_ms| self.due.remove(&(due_ms, key)));
            after.map(|due_ms| self.due.insert((due_ms, key)));
            self.next_ms = self.due.first().map_or(NEVER, |(due_ms, _)| *due_ms);
        }
    }
}

/// Edges as they are, for `EdgeRecords`; of all others, which are written in Python, the plain data.
fn shown(py: Python, notices: Vec<Notice>) -> PyResult<Vec<Py<PyAny>>> {
    let show = |notice: Notice| match notice.opened.evidence {
        Evidence::Edge(_) => notice.into_py_any(py),
        Evidence::Other(_) => notice.plain(py)?.into_py_any(py),
    };
    notices.into_iter().map(show).collect()
}

#[pymethods]
impl AlertBook {
    /// `policies`: monitor and durations, in the order of the config. `first_offset`: see `FirstOffset`.
    #[new]
    fn new(policies: Vec<(Bound<'_, PyString>, i64, i64, i64)>, first_offset: Py<PyAny>) -> PyResult<Self> {
        let names = policies.iter().map(|policy| policy.0.extract()).collect::<PyResult<Vec<String>>>()?;
        let mut order: Vec<usize> = (0..names.len()).collect();
        order.sort_by_key(|&monitor| &names[monitor]);
        let mut of_monitor = vec![0; names.len()];
        order.iter().enumerate().for_each(|(place, &monitor)| of_monitor[monitor] = place);
        let policy = |&monitor: &usize| {
            let (name, for_ms, keep_firing_for_ms, cooldown_ms) = &policies[monitor];
            let (for_ms, keep_firing_for_ms, cooldown_ms) = (*for_ms, *keep_firing_for_ms, *cooldown_ms);
            Policy { monitor: name.clone().unbind(), for_ms, keep_firing_for_ms, cooldown_ms }
        };
        Ok(AlertBook {
            policies: order.iter().map(policy).collect(),
            of_monitor,
            found: vec![0; names.len()],
            first_offset,
            alerts: HashMap::new(),
            born: 0,
            models: Vec::new(),
            of_model: HashMap::new(),
        })
    }

    /// Findings per monitor, those without any left out.
    fn detections<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let found = PyDict::new(py);
        for (&place, &count) in self.of_monitor.iter().zip(&self.found).filter(|(_, count)| **count > 0) {
            found.set_item(&self.policies[place].monitor, count)?;
        }
        Ok(found)
    }

    /// Findings and timers of a batch, event by event. `models`: codes into `strings`; `places`: offsets, times, clocks.
    fn decide(
        &mut self,
        py: Python<'_>,
        models: PyReadonlyArray1<'_, i32>,
        used: PyReadonlyArray1<'_, bool>,
        places: [PyReadonlyArray1<'_, i64>; 3],
        strings: &Bound<'_, PyTuple>,
        findings: Vec<Finding>,
    ) -> PyResult<Vec<Py<PyAny>>> {
        let mut notices = Vec::new();
        if findings.is_empty() && self.models.iter().all(|model| model.due.is_empty()) {
            return Ok(Vec::new());
        }
        let (models, used) = (slice(&models)?, slice(&used)?);
        let [offsets, times_ms, now] = [slice(&places[0])?, slice(&places[1])?, slice(&places[2])?];
        check_length(&[models.len(), used.len(), offsets.len(), times_ms.len(), now.len()])?;
        check_codes(models, strings.len())?;
        let mut known: Vec<Option<Option<usize>>> = vec![None; strings.len()]; // by code, once it was met
        let mut queue = findings.into_iter().peekable();
        for event in 0..models.len() {
            let code = models[event] as usize;
            let at = (offsets[event], times_ms[event], now[event]);
            let model = match known[code] {
                Some(model) => model,
                None => self.known(strings.get_item(code)?.cast()?)?,
            };
            known[code] = Some(model);
            if let Some(model) = model.filter(|&model| used[event] && self.models[model].next_ms <= at.2) {
                self.tick(py, model, at, &mut notices)?;
            }
            while let Some(finding) = queue.next_if(|finding| finding.event == event as i64) {
                self.finding(finding, strings.get_item(code)?.cast()?, at, &mut notices)?;
                known[code] = None; // It may be known by now.
            }
        }
        match queue.next() {
            None => shown(py, notices),
            Some(_) => Err(PyValueError::new_err("findings that are not in the order of the events")),
        }
    }

    fn apply(&mut self, finding: Finding, model: &Bound<'_, PyString>, at: Moment) -> PyResult<Vec<Py<PyAny>>> {
        let mut notices = Vec::new();
        self.finding(finding, model, at, &mut notices)?;
        shown(model.py(), notices)
    }

    /// `ALERT_FIELDS` of every alert, in the order of Python's dict.
    fn dump(&self, py: Python<'_>) -> PyResult<Vec<Saved>> {
        let mut alerts: Vec<_> = self.alerts.iter().collect();
        alerts.sort_by_key(|(_, alert)| alert.born);
        let saved = |(key, alert): (&Key, &Alert)| {
            let names = (self.policies[key.0].monitor.clone_ref(py), self.models[alert.model].name.clone_ref(py));
            let counts = (alert.episode, alert.detections, alert.suppressed);
            let times = (alert.due_ms, alert.quiet_until_ms);
            Ok((
                names.0,
                key.1,
                names.1,
                alert.state.name(),
                times.0,
                times.1,
                counts.0,
                counts.1,
                counts.2,
                alert.opened.as_ref().map(|opened| opened.plain(py)).transpose()?,
            ))
        };
        alerts.into_iter().map(saved).collect()
    }

    /// Add an alert of a snapshot; `monitor` is its place in the config.
    fn load(&mut self, py: Python<'_>, monitor: usize, given: Given<'_>) -> PyResult<()> {
        let (row, model, state, due_ms, quiet_until_ms, episode, detections, suppressed, opened) = given;
        let opened = opened.map(|opened| Opened::of(opened, py));
        let (key, model, state) = ((self.of_monitor[monitor], row), self.model(&model)?, State::of(&state)?);
        let born = self.born;
        let alert = Alert { born, model, state, due_ms, quiet_until_ms, episode, detections, suppressed, opened };
        self.models[model].move_timer(key, None, due_ms);
        self.born += 1;
        match self.alerts.insert(key, alert) {
            None => Ok(()),
            Some(_) => Err(PyValueError::new_err("an alert that is there twice")),
        }
    }

    /// How many alerts there are by monitor, model and state.
    fn counts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let mut counts: HashMap<(usize, usize, State), u64> = HashMap::new();
        self.alerts.iter().for_each(|(key, alert)| *counts.entry((key.0, alert.model, alert.state)).or_default() += 1);
        let found = PyDict::new(py);
        for ((policy, model, state), count) in counts {
            found.set_item((&self.policies[policy].monitor, &self.models[model].name, state.name()), count)?;
        }
        Ok(found)
    }
}
