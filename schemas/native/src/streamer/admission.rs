//! Which events of a batch are used, decision for decision the `Gate` of `streamer/engine/admission.py`.

use hashbrown::{HashMap, HashSet};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use crate::arrays::{check_codes, check_length, slice};

struct Model {
    name: Py<PyString>,
    newest_ms: i64,
    /// Used ones.
    events: u64,
    /// By how many those are more that are ahead of their time.
    ahead: u32,
}

/// As in `streamer/engine/admission.py`.
const AHEAD_EVENTS: u32 = 8;
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
/// late, and which of the used ones have a time that is not theirs
type Admitted<'py> = (
    Bound<'py, PyArray1<bool>>,
    Bound<'py, PyArray1<i64>>,
    usize,
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<i64>>,
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

    /// What a model's first event of this time is compared with.
    fn first_ms(&self, time_ms: i64, clock_ms: i64) -> i64 {
        let known = self.models.iter().map(|model| model.newest_ms).fold(clock_ms, i64::max);
        let doubted = 0 < known && known < time_ms.saturating_sub(self.ahead_ms.max(FIRST_AHEAD_MS));
        if doubted { known } else { time_ms }
    }

    fn add(&mut self, name: &Bound<PyString>, newest_ms: i64, events: u64) -> PyResult<usize> {
        self.of_model.insert(name.to_str()?.to_owned(), self.models.len());
        self.models.push(Model { name: name.clone().unbind(), newest_ms, events, ahead: 0 });
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
        let (times_ms, clock_ms) = times_ms;
        let (codes, times_ms, id) = (slice(&models)?, slice(&times_ms)?, slice(&id)?);
        let refused = refused.as_ref().map(slice).transpose()?;
        check_length(&[codes.len(), times_ms.len(), id.len(), refused.map_or(codes.len(), <[bool]>::len)])?;
        check_codes(codes, strings.len())?;
        let mut names = vec![Name::Unmet; strings.len()];
        let (mut used, mut now) = (vec![false; codes.len()], vec![0; codes.len()]);
        let (mut filtered, mut duplicate, mut late, mut untimely) = (0, Vec::new(), Vec::new(), Vec::new());
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
            let latest = match names[code] {
                Name::Model(model) => self.models[model].newest_ms,
                Name::Fresh if !about && self.models.len() < self.models_max => self.first_ms(time_ms, clock_ms),
                _ => {
                    filtered += 1;
                    continue;
                }
            };
            if id[i] != 0 && self.ids.contains(&id[i]) {
                duplicate.push(i as i64);
                continue;
            }
            let timeless = about || (time_ms == 0 && latest > 0);
            let time_ms = if timeless { latest } else { time_ms };
            if time_ms < latest.saturating_sub(self.lateness_ms) {
                late.push(i as i64);
                continue;
            }
            if id[i] != 0 && self.capacity > 0 {
                self.remember(id[i]);
            }
            let model = match names[code] {
                Name::Model(model) => model,
                _ => self.add(strings.get_item(code)?.cast()?, latest, 0)?,
            };
            names[code] = Name::Model(model);
            let ahead = time_ms > latest.saturating_add(self.ahead_ms);
            let model = &mut self.models[model];
            model.events += 1;
            if !ahead {
                model.newest_ms = latest.max(time_ms);
                model.ahead = model.ahead.saturating_sub(u32::from(!about));
                if timeless {
                    untimely.push(i as i64);
                }
            } else if model.ahead + 1 < AHEAD_EVENTS {
                model.ahead += 1;
                untimely.push(i as i64);
            } else {
                (model.newest_ms, model.ahead) = (time_ms, 0);
            }
            (used[i], now[i]) = (true, model.newest_ms);
        }
        let (used, now) = (used.into_pyarray(py), now.into_pyarray(py));
        let [duplicate, late, untimely] = [duplicate, late, untimely].map(|places: Vec<i64>| places.into_pyarray(py));
        Ok((used, now, filtered, duplicate, late, untimely))
    }

    /// Name, newest time and used events of every model, in the order of their first used events.
    fn models(&self, py: Python<'_>) -> Vec<(Py<PyString>, i64, u64)> {
        self.models.iter().map(|model| (model.name.clone_ref(py), model.newest_ms, model.events)).collect()
    }

    /// Of each model by how many the events are more that are ahead of their time.
    fn doubted(&self) -> Vec<u32> {
        self.models.iter().map(|model| model.ahead).collect()
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
        doubted: Vec<u32>,
    ) -> PyResult<()> {
        for (name, newest_ms, events) in models {
            self.add(&name, newest_ms, events)?;
        }
        self.models.iter_mut().zip(doubted).for_each(|(model, ahead)| model.ahead = ahead);
        let ids = slice(&ids)?;
        for &id in &ids[ids.len().saturating_sub(self.capacity)..] {
            self.remember(id);
        }
        Ok(())
    }
}
