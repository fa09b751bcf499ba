//! What confluent-kafka's messages answer, taken one by one as they answer it: a list of all answers would leave the
//! processor's cache before it is looked at.
#![forbid(unsafe_code)]

use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyString, PyTuple};

/// Where consecutive messages are of another partition than the one before, the first included, and their times, -1
/// where the kind is 0, there being none. Of each message its topic (None: there is but one), the partition's number
/// and the timestamp, as the binding says them.
#[pyfunction]
pub fn runs<'py>(
    py: Python<'py>,
    mut topics: Option<Bound<'py, PyIterator>>,
    mut numbers: Bound<'py, PyIterator>,
    stamps: Bound<'py, PyIterator>,
) -> PyResult<(Vec<usize>, Bound<'py, PyArray1<i64>>)> {
    let (mut begins, mut times_ms) = (Vec::new(), Vec::new());
    let (mut before, mut topic_before) = (None, None);
    for stamp in stamps {
        let number: Option<Option<i32>> = numbers.next().map(|number| number?.extract()).transpose()?;
        let topic = match &mut topics {
            Some(topics) => topics.next().transpose()?,
            None => None,
        };
        if number != before || !same(topic.as_ref(), topic_before.as_ref())? {
            begins.push(times_ms.len());
        }
        (before, topic_before) = (number, topic);
        times_ms.push(time_of(&stamp?)?);
    }
    Ok((begins, times_ms.into_pyarray(py)))
}

#[inline]
fn time_of(stamp: &Bound<'_, PyAny>) -> PyResult<i64> {
    let stamp = stamp.cast::<PyTuple>()?;
    let kind: i64 = stamp.get_borrowed_item(0)?.extract()?;
    if kind == 0 { Ok(-1) } else { stamp.get_borrowed_item(1)?.extract() }
}

/// Whether both are the same text, or none at all.
#[inline]
fn same(one: Option<&Bound<'_, PyAny>>, other: Option<&Bound<'_, PyAny>>) -> PyResult<bool> {
    let (Some(one), Some(other)) = (one, other) else { return Ok(one.is_none() && other.is_none()) };
    match (one.cast::<PyString>(), other.cast::<PyString>()) {
        (Ok(one), Ok(other)) => Ok(one.to_str()? == other.to_str()?),
        _ => Ok(one.is(other)),
    }
}
