//! Which row of a series table a value belongs to: an index over the keys that `streamer/series.py` has made.

use hashbrown::{HashMap, HashSet};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::bank::{check_rows, slice};

/// (number of the group, number of the member), as the caller numbers them.
type Key = (i32, i32);

/// Where a value belongs.
pub enum Place {
    Row(i64),
    /// Its event or its name are not the table's.
    Nowhere,
    /// A key that nobody asked the table for.
    Unknown,
    /// A key of a group that the full table has no place for.
    Refused,
}

/// A group that the full table has no place for.
const REFUSED: i32 = -2;

#[pyclass]
#[derive(Default)]
pub struct RowIndex {
    rows: HashMap<Key, i64>,
    keys: Vec<Key>,
}

impl RowIndex {
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// What is known of a value of this group and member.
    #[inline(always)]
    pub fn place(&self, group: i32, member: i32, last: i64) -> Place {
        if group == -1 || member == -1 {
            return Place::Nowhere;
        }
        match self.row((group, member), last) {
            Some(row) => Place::Row(row),
            None if group == REFUSED => Place::Refused,
            None => Place::Unknown,
        }
    }

    /// Values of an event mostly come in the order in which their rows were made, so the next row is tried first.
    #[inline(always)]
    fn row(&self, key: Key, last: i64) -> Option<i64> {
        match self.keys.get((last + 1) as usize) {
            Some(&next) if next == key => Some(last + 1),
            _ => self.rows.get(&key).copied(),
        }
    }
}

/// The column, the number of values without a place, and the first value of each key that has no row yet.
type Found<'py> =
    (Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<i64>>, usize, Bound<'py, PyArray1<i64>>);

#[pymethods]
impl RowIndex {
    #[new]
    fn new() -> Self {
        RowIndex::default()
    }

    fn put(&mut self, group: i32, member: i32, row: i64) {
        let place = row as usize;
        if place >= self.keys.len() {
            self.keys.resize(place + 1, (-1, -1));
        }
        self.keys[place] = (group, member);
        self.rows.insert((group, member), row);
    }

    /// The column of the values whose event has a group (else -1) and whose name is a member (else -1).
    fn find<'py>(
        &self,
        py: Python<'py>,
        group_of_event: PyReadonlyArray1<'py, i32>,
        member_of_name: PyReadonlyArray1<'py, i32>,
        event: PyReadonlyArray1<'py, i32>,
        name: PyReadonlyArray1<'py, i32>,
        value: PyReadonlyArray1<'py, f64>,
    ) -> PyResult<Found<'py>> {
        let (groups, members) = (slice(&group_of_event)?, slice(&member_of_name)?);
        let (event, name, value) = (slice(&event)?, slice(&name)?, slice(&value)?);
        if name.len() != event.len() || value.len() != event.len() {
            return Err(PyValueError::new_err("columns of different length"));
        }
        let m = event.len();
        let (mut rows, mut values, mut events) = (Vec::with_capacity(m), Vec::with_capacity(m), Vec::with_capacity(m));
        let (mut dropped, mut last, mut unknown, mut asked) = (0, -2, Vec::new(), HashSet::new());
        for i in 0..m {
            let group =
                *groups.get(event[i] as usize).ok_or_else(|| PyValueError::new_err("an event that does not exist"))?;
            let member =
                *members.get(name[i] as usize).ok_or_else(|| PyValueError::new_err("a name that does not exist"))?;
            match self.place(group, member, last) {
                Place::Row(row) => {
                    last = row;
                    rows.push(row);
                    values.push(value[i]);
                    events.push(i64::from(event[i]));
                }
                Place::Nowhere => {}
                Place::Refused => dropped += 1,
                Place::Unknown => {
                    dropped += 1;
                    if asked.insert((group, member)) {
                        unknown.push(i as i64);
                    }
                }
            }
        }
        Ok((rows.into_pyarray(py), values.into_pyarray(py), events.into_pyarray(py), dropped, unknown.into_pyarray(py)))
    }
}

/// The group of each used event (-1 of the others), and an event of each group; `group` of `streamer/signals.py`.
#[pyfunction]
#[allow(clippy::type_complexity)]
pub fn group<'py>(
    py: Python<'py>,
    columns: Vec<PyReadonlyArray1<'py, i64>>,
    used: PyReadonlyArray1<'py, bool>,
) -> PyResult<(Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<i64>>)> {
    let (columns, used) = (columns.iter().map(slice).collect::<PyResult<Vec<_>>>()?, slice(&used)?);
    if columns.iter().any(|column| column.len() != used.len()) {
        return Err(PyValueError::new_err("columns of different length"));
    }
    let (mut of_event, mut example) = (vec![-1; used.len()], Vec::new());
    let mut numbers: HashMap<Vec<i64>, i64> = HashMap::new();
    let mut last = None;
    for event in (0..used.len()).filter(|&event| used[event]) {
        // Most events are of the group of the one before.
        let same = |&(before, _): &(usize, i64)| columns.iter().all(|column| column[before] == column[event]);
        let number = match last.filter(same) {
            Some((_, number)) => number,
            None => *numbers.entry(columns.iter().map(|column| column[event]).collect()).or_insert_with(|| {
                example.push(event as i64);
                example.len() as i64 - 1
            }),
        };
        last = Some((event, number));
        of_event[event] = number;
    }
    Ok((of_event.into_pyarray(py), example.into_pyarray(py)))
}

/// The last ids used, oldest first; the hot half of `streamer/admission.py`.
#[pyclass]
pub struct Admission {
    lateness_ms: i64,
    capacity: usize,
    ids: HashSet<u64>,
    ring: Vec<u64>,
    oldest: usize,
}

/// (used, newest time up to and including each event, new newest per code, filtered, duplicate, late)
type Admitted<'py> =
    (Bound<'py, PyArray1<bool>>, Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<i64>>, usize, usize, usize);

/// A code none of whose events was used yet.
const NEVER: i64 = i64::MIN;

impl Admission {
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
    fn new(lateness_ms: i64, capacity: usize) -> Self {
        Admission { lateness_ms, capacity, ids: HashSet::new(), ring: Vec::new(), oldest: 0 }
    }

    /// `watched` and `newest` are per code; at most `room` codes that were never used may become so.
    #[allow(clippy::too_many_arguments)]
    fn admit<'py>(
        &mut self,
        py: Python<'py>,
        code: PyReadonlyArray1<'py, i32>,
        times_ms: PyReadonlyArray1<'py, i64>,
        id: PyReadonlyArray1<'py, u64>,
        watched: PyReadonlyArray1<'py, bool>,
        newest: PyReadonlyArray1<'py, i64>,
        mut room: usize,
    ) -> PyResult<Admitted<'py>> {
        let (code, times_ms, id, watched) = (slice(&code)?, slice(&times_ms)?, slice(&id)?, slice(&watched)?);
        let mut newest = slice(&newest)?.to_vec();
        if times_ms.len() != code.len() || id.len() != code.len() || watched.len() != newest.len() {
            return Err(PyValueError::new_err("columns of different length"));
        }
        check_rows(&code.iter().map(|&c| i64::from(c)).collect::<Vec<_>>(), watched.len())?;
        let (mut used, mut now) = (vec![false; code.len()], vec![0; code.len()]);
        let (mut filtered, mut duplicate, mut late) = (0, 0, 0);
        for i in 0..code.len() {
            let (model, time_ms) = (code[i] as usize, times_ms[i]);
            let fresh = newest[model] == NEVER;
            if !watched[model] || (fresh && room == 0) {
                filtered += 1;
                continue;
            }
            if id[i] != 0 && self.ids.contains(&id[i]) {
                duplicate += 1;
                continue;
            }
            let latest = if fresh { time_ms } else { newest[model] };
            if time_ms < latest.saturating_sub(self.lateness_ms) {
                late += 1;
                continue;
            }
            if id[i] != 0 && self.capacity > 0 {
                self.remember(id[i]);
            }
            room -= usize::from(fresh);
            newest[model] = latest.max(time_ms);
            (used[i], now[i]) = (true, newest[model]);
        }
        Ok((used.into_pyarray(py), now.into_pyarray(py), newest.into_pyarray(py), filtered, duplicate, late))
    }

    /// The ids remembered, oldest first.
    fn dump<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<u64>> {
        let (newer, older) = self.ring.split_at(self.oldest);
        [older, newer].concat().into_pyarray(py)
    }

    /// Replace them all; of too many the newest stay.
    fn load(&mut self, ids: PyReadonlyArray1<'_, u64>) -> PyResult<()> {
        (self.ids, self.ring, self.oldest) = (HashSet::new(), Vec::new(), 0);
        let ids = slice(&ids)?;
        for &id in &ids[ids.len().saturating_sub(self.capacity)..] {
            self.remember(id);
        }
        Ok(())
    }
}
