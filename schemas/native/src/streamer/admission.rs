//! Which events of a batch are used, decision for decision the `Gate` of `streamer/engine/admission.py`.

use hashbrown::{HashMap, HashSet};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use crate::arrays::{check_codes, check_length, slice};
use crate::streamer::event_clock::{EventClock, Verdict};

struct Model {
    name: Py<PyString>,
    clock: EventClock,
    /// Used ones.
    events: u64,
}

/// As in `streamer/engine/admission.py`.
const FIRST_AHEAD_MS: i64 = 365 * 86_400_000;

/// What is known of a name in a batch.
#[derive(Clone, Copy)]
enum Name {
    Unmet,
    Unwatched,
    /// Watched, without an event that was used.
    Fresh,
    Model(usize),
}

#[pyclass]
pub struct Admission {
    /// None: all of them.
    watched: Option<HashSet<String>>,
    lateness_ms: i64,
    capacity: usize,
    models_max: usize,
    ahead_ms: i64,
    models: Vec<Model>,
    of_model: HashMap<String, usize>,
    /// The last ids used; the ring has them oldest first, from `oldest` on.
    ids: HashSet<u64>,
    ring: Vec<u64>,
    oldest: usize,
}

/// used, newest time of the model up to and including each event; how many are filtered; which are duplicates, which
/// late, and which of the used ones have a time that is not theirs; how many turned out to be of a wrong clock
type Admitted<'py> = (
    Bound<'py, PyArray1<bool>>,
    Bound<'py, PyArray1<i64>>,
    usize,
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<i64>>,
    i64,
);

impl Admission {
    fn meet(&self, name: &str) -> Name {
        match self.of_model.get(name) {
            // Also a model that a snapshot knows may be watched no more.
            _ if self.watched.as_ref().is_some_and(|watched| !watched.contains(name)) => Name::Unwatched,
            Some(&model) => Name::Model(model),
            None => Name::Fresh,
        }
    }

    /// The clock of a model whose first event has this time.
    fn first(&self, time_ms: i64, tick_ms: i64) -> EventClock {
        let known_ms = self.models.iter().map(|model| model.clock.now_ms).fold(tick_ms.max(0), i64::max);
        let far_ms = if tick_ms != 0 { self.ahead_ms } else { self.ahead_ms.max(FIRST_AHEAD_MS) };
        let doubted = 0 < known_ms && known_ms < time_ms.saturating_sub(far_ms);
        EventClock::new(if doubted { known_ms } else { time_ms }, doubted)
    }

    fn add(&mut self, name: &Bound<PyString>, clock: EventClock, events: u64) -> PyResult<usize> {
        self.of_model.insert(name.to_str()?.to_owned(), self.models.len());
        self.models.push(Model { name: name.clone().unbind(), clock, events });
        Ok(self.models.len() - 1)
    }

    fn remember(&mut self, id: u64) {
        self.ids.insert(id);
        if self.ring.len() < self.capacity {
            self.ring.push(id);
            return;
        }
        let gone = std::mem::replace(&mut self.ring[self.oldest], id);
        self.ids.remove(&gone);
        self.oldest = (self.oldest + 1) % self.capacity;
    }
}

#[pymethods]
impl Admission {
    #[new]
    fn new(watched: Option<Vec<String>>, lateness_ms: i64, capacity: usize, models_max: usize, ahead_ms: i64) -> Self {
        Admission {
            watched: watched.map(|names| names.into_iter().collect()),
            lateness_ms,
            capacity,
            models_max,
            ahead_ms,
            models: Vec::new(),
            of_model: HashMap::new(),
            ids: HashSet::new(),
            ring: Vec::new(),
            oldest: 0,
        }
    }

    /// `models`: codes into `strings`; `times_ms`: of the events, negative of one about another, and of the last tick.
    fn admit<'py>(
        &mut self,
        py: Python<'py>,
        models: PyReadonlyArray1<'py, i32>,
        times_ms: (PyReadonlyArray1<'py, i64>, i64),
        id: PyReadonlyArray1<'py, u64>,
        strings: &Bound<'py, PyTuple>,
        refused: Option<PyReadonlyArray1<'py, bool>>,
    ) -> PyResult<Admitted<'py>> {
        let (times_ms, tick_ms) = times_ms;
        let (codes, times_ms, id) = (slice(&models)?, slice(&times_ms)?, slice(&id)?);
        let refused = refused.as_ref().map(slice).transpose()?;
        check_length(&[codes.len(), times_ms.len(), id.len(), refused.map_or(codes.len(), <[bool]>::len)])?;
        check_codes(codes, strings.len())?;
        let mut names = vec![Name::Unmet; strings.len()];
        let (mut used, mut now) = (vec![false; codes.len()], vec![0; codes.len()]);
        let (mut filtered, mut ahead, mut duplicate, mut late, mut untimely) =
            (0, 0, Vec::new(), Vec::new(), Vec::new());
        for i in 0..codes.len() {
            let (code, time_ms) = (codes[i] as usize, times_ms[i]);
            if refused.is_some_and(|refused| refused[i]) {
                filtered += 1;
                continue;
            }
            if let Name::Unmet = names[code] {
                names[code] = self.meet(strings.get_borrowed_item(code)?.cast::<PyString>()?.to_str()?);
            }
            let about = time_ms < 0;
            match names[code] {
                Name::Model(_) => {}
                Name::Fresh if !about && self.models.len() < self.models_max => {}
                _ => {
                    filtered += 1;
                    continue;
                }
            }
            if id[i] != 0 && self.ids.contains(&id[i]) {
                duplicate.push(i as i64);
                continue;
            }
            let (model, first) = match names[code] {
                Name::Model(model) => (model, false),
                _ => {
                    let clock = self.first(time_ms, tick_ms);
                    (self.add(strings.get_item(code)?.cast()?, clock, 0)?, clock.time_ms == time_ms)
                }
            };
            names[code] = Name::Model(model);
            let (lateness_ms, ahead_ms) = (self.lateness_ms, self.ahead_ms);
            let clock = &mut self.models[model].clock;
            let (verdict, wrong) = match () {
                () if about || (time_ms == 0 && clock.now_ms != 0) => (Verdict::Untimely, 0),
                () if first => (Verdict::Timely, 0),
                () => clock.hear(time_ms, lateness_ms, ahead_ms),
            };
            ahead += wrong;
            match verdict {
                Verdict::Late => {
                    late.push(i as i64);
                    continue;
                }
                Verdict::Untimely => untimely.push(i as i64),
                Verdict::Timely => {}
            }
            (used[i], now[i]) = (true, clock.now_ms);
            self.models[model].events += 1;
            if id[i] != 0 && self.capacity > 0 {
                self.remember(id[i]);
            }
        }
        let (used, now) = (used.into_pyarray(py), now.into_pyarray(py));
        let [duplicate, late, untimely] = [duplicate, late, untimely].map(|places: Vec<i64>| places.into_pyarray(py));
        Ok((used, now, filtered, duplicate, late, untimely, ahead))
    }

    /// Name, newest time and used events of every model, in the order of their first used events.
    fn models(&self, py: Python<'_>) -> Vec<(Py<PyString>, i64, u64)> {
        self.models.iter().map(|model| (model.name.clone_ref(py), model.clock.now_ms, model.events)).collect()
    }

    /// The clock of each model.
    fn times(&self) -> Vec<Vec<i64>> {
        self.models.iter().map(|model| model.clock.dump()).collect()
    }

    /// These models are as if they had never been met.
    fn forget(&mut self, models: Vec<String>) {
        let mut gone = vec![false; self.models.len()];
        models.iter().filter_map(|name| self.of_model.remove(name)).for_each(|model| gone[model] = true);
        let mut next = 0;
        let number = |gone: &bool| {
            next += usize::from(!gone);
            next.max(1) - 1
        };
        let numbers: Vec<usize> = gone.iter().map(number).collect();
        self.of_model.values_mut().for_each(|model| *model = numbers[*model]);
        let mut stays = gone.iter().map(|gone| !gone);
        self.models.retain(|_| stays.next().unwrap_or_default());
    }

    /// The ids remembered, oldest first.
    fn remembered<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<u64>> {
        let (newer, older) = self.ring.split_at(self.oldest);
        [older, newer].concat().into_pyarray(py)
    }

    /// Add to an empty gate what another one had; of too many ids the newest stay.
    fn load(
        &mut self,
        models: Vec<(Bound<'_, PyString>, i64, u64)>,
        ids: PyReadonlyArray1<'_, u64>,
        times: Vec<Vec<i64>>,
    ) -> PyResult<()> {
        check_length(&[models.len(), times.len()])?;
        for ((name, _, events), state) in models.into_iter().zip(times) {
            let clock = EventClock::load(&state).ok_or_else(|| PyValueError::new_err("no clock"))?;
            self.add(&name, clock, events)?;
        }
        let ids = slice(&ids)?;
        for &id in &ids[ids.len().saturating_sub(self.capacity)..] {
            self.remember(id);
        }
        Ok(())
    }
}
