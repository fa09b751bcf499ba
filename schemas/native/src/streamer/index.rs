//! Which row of a series table a value belongs to: an index over the keys that `streamer/series/table.py` has made.

use hashbrown::{HashMap, HashSet};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::arrays::slice;

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

/// In the place of a row: a member beyond those that its group may have.
const LEFT_OUT: i64 = -1;

#[pyclass]
#[derive(Default)]
pub struct RowIndex {
    rows: HashMap<Key, i64>,
    keys: Vec<Key>,
    /// By group the row that was made for it first.
    first: Vec<i64>,
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
            Some(LEFT_OUT) => Place::Nowhere,
            Some(row) => Place::Row(row),
            None if group == REFUSED => Place::Refused,
            None => Place::Unknown,
        }
    }

    /// Values of an event mostly come in the order in which their rows were made, so the next row is tried first; without
    /// a last row that of the group. With many series the table is a miss of the caches each time.
    #[inline(always)]
    fn row(&self, key: Key, last: i64) -> Option<i64> {
        let guess = if last >= 0 { last + 1 } else { self.first.get(key.0 as usize).copied().unwrap_or(-1) };
        match self.keys.get(guess as usize) {
            Some(&next) if next == key => Some(guess),
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

    fn put(&mut self, group: i32, member: i32, row: i64) -> PyResult<()> {
        let wrong = |_| PyValueError::new_err("a group or a row below zero");
        let (own, place) = (usize::try_from(group).map_err(wrong)?, usize::try_from(row).map_err(wrong)?);
        if place >= self.keys.len() {
            self.keys.resize(place + 1, (-1, -1));
        }
        self.keys[place] = (group, member);
        if own >= self.first.len() {
            self.first.resize(own + 1, -1);
        }
        if self.first[own] < 0 {
            self.first[own] = row;
        }
        self.rows.insert((group, member), row);
        Ok(())
    }

    /// The values of this key are not the table's.
    fn leave_out(&mut self, group: i32, member: i32) {
        self.rows.insert((group, member), LEFT_OUT);
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

/// Pairs that are looked up in a table.
const NEAR: usize = 2048;

/// The group of each used event (-1 of the others), and an event of each group; `group` of `streamer/signals/grammar.py`.
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
    of_event.iter_mut().zip(used).filter(|(_, used)| **used).for_each(|(number, _)| *number = 0);
    for column in columns {
        // Pairs of a number so far and a code (from -1 on); mostly they are few, and those have a table.
        let codes = column.iter().max().map_or(0, |&code| code + 2);
        let (mut near, mut far) = (vec![-1; NEAR], HashMap::new());
        example.clear();
        for (event, number) in of_event.iter_mut().enumerate().filter(|(_, number)| **number >= 0) {
            let pair = (*number * codes + column[event] + 1) as usize;
            let found = match near.get_mut(pair) {
                Some(found) => found,
                None => far.entry(pair).or_insert(-1),
            };
            if *found < 0 {
                *found = example.len() as i64;
                example.push(event as i64);
            }
            *number = *found;
        }
    }
    Ok((of_event.into_pyarray(py), example.into_pyarray(py)))
}
