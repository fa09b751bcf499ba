//! Messages as librdkafka holds them, in runs of one partition: no object of Python for each.

use std::ffi::CString;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, RwLockReadGuard};

use numpy::{IntoPyArray, PyArray1};
use pyo3::exceptions::{PyIndexError, PyOSError, PyRuntimeError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::kafka::librdkafka::{self, Client, Message, Run};

/// Find the library that the binding has loaded, so that clients can name this one as a plugin. OSError: it is not there.
#[pyfunction]
pub fn use_librdkafka_of(binding: PathBuf) -> PyResult<()> {
    librdkafka::load(&binding).map_err(|error| PyOSError::new_err(error.to_string()))
}

/// Consecutive messages of one partition, until the intake or its client is closed.
#[pyclass]
pub struct Messages {
    run: Arc<Run>,
    count: usize,
}

type Headers<'py> = Vec<(String, Option<Bound<'py, PyBytes>>)>;
/// Size and SHA-256, in hex, of a value of which only the beginning is handed out.
type Whole = (usize, String);
type Parts<'py> =
    (i64, i64, Option<Bound<'py, PyBytes>>, Option<Bound<'py, PyBytes>>, Bound<'py, PyTuple>, Option<Whole>);

/// Bytes that are copied at a time of a value that is not to be copied as a whole.
const CHUNK: usize = 1 << 20;

impl Messages {
    /// All of them, which stay while this is held; none once they are closed.
    pub fn held(&self) -> RwLockReadGuard<'_, Vec<Message>> {
        self.run.messages()
    }

    fn whole(&self, py: Python<'_>, place: usize, length: usize) -> PyResult<Whole> {
        let hash = py.import("hashlib")?.call_method0("sha256")?;
        for begin in (0..length).step_by(CHUNK) {
            hash.call_method1("update", (self.part(py, place, begin..length.min(begin + CHUNK))?,))?;
        }
        Ok((length, hash.call_method0("hexdigest")?.extract()?))
    }

    fn part<'py>(&self, py: Python<'py>, place: usize, bytes: Range<usize>) -> PyResult<Bound<'py, PyBytes>> {
        let held = self.held();
        let message = held.get(place).ok_or_else(|| self.missing(place))?;
        Ok(PyBytes::new(py, &message.value().unwrap_or_default()[bytes]))
    }

    fn missing(&self, place: usize) -> PyErr {
        match place < self.count {
            true => PyRuntimeError::new_err("the intake of this message was closed"),
            false => PyIndexError::new_err("no such message"),
        }
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        self.run.close();
    }
}

#[pymethods]
impl Messages {
    fn __len__(&self) -> usize {
        self.count
    }

    /// The value of one, None for a tombstone.
    fn __getitem__<'py>(&self, py: Python<'py>, place: usize) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let held = self.held();
        let message = held.get(place).ok_or_else(|| self.missing(place))?;
        Ok(message.value().map(|value| PyBytes::new(py, value)))
    }

    /// The key of each, without a look at its value.
    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Vec<Option<Bound<'py, PyBytes>>>> {
        let held = self.held();
        if held.len() < self.count {
            return Err(self.missing(0));
        }
        Ok(held.iter().map(|message| message.key().map(|key| PyBytes::new(py, key))).collect())
    }

    /// Offset, time, key, value and headers of one, as `Record` of `schemas/events/batch.py`; of a value beyond `most`
    /// bytes so many, and what the whole is: a batch may hold one of nearly all the memory there is.
    fn record<'py>(&self, py: Python<'py>, place: usize, most: usize) -> PyResult<Parts<'py>> {
        let (held, bytes) = (self.held(), |bytes| PyBytes::new(py, bytes));
        let message = held.get(place).ok_or_else(|| self.missing(place))?;
        let headers: Headers = message.headers().into_iter().map(|(name, value)| (name, value.map(bytes))).collect();
        let (headers, key) = (PyTuple::new(py, headers)?, message.key().map(bytes));
        let length = message.value().map_or(0, <[u8]>::len);
        let value = message.value().map(|value| bytes(&value[..length.min(most)]));
        let (offset, time_ms) = (message.offset(), message.time_ms());
        drop(held); // While it hashes Python lets others run, who may want to close.
        let whole = (length > most).then(|| self.whole(py, place, length)).transpose()?;
        Ok((offset, time_ms, key, value, headers, whole))
    }
}

/// Topic, partition, offsets, times, messages, and code and text where it is an error, which is alone.
type Told<'py> =
    (String, i32, Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<i64>>, Bound<'py, Messages>, Option<(i32, String)>);

/// Takes the messages of the partitions it follows past the binding, from the client made before it.
#[pyclass]
pub struct Intake {
    client: Arc<Client>,
    /// Kept, so that it is not closed for want of anybody else who needs it.
    consumer: Option<Py<PyAny>>,
}

#[pymethods]
impl Intake {
    /// `consumer`: the client this thread has just made, with this library as a plugin.
    #[new]
    fn new(consumer: Py<PyAny>) -> PyResult<Self> {
        let client = Client::made().ok_or_else(|| PyRuntimeError::new_err("librdkafka told of no new client"))?;
        Ok(Intake { client, consumer: Some(consumer) })
    }

    /// Messages of an assigned partition come here from now on.
    fn follow(&self, topic: CString, partition: i32) -> PyResult<()> {
        self.client.follow(&topic, partition).map_err(PyRuntimeError::new_err)
    }

    /// Up to `limit` messages in runs, as soon as there is one.
    fn take<'py>(&self, py: Python<'py>, limit: usize, timeout_ms: i32) -> PyResult<Vec<Told<'py>>> {
        let runs =
            py.detach(|| self.client.take(timeout_ms.max(0), limit, in_runs)).map_err(PyRuntimeError::new_err)?;
        let told = |(run, Columns { topic, partition, error, offsets, times_ms }): (Arc<Run>, Columns)| {
            let messages = Bound::new(py, Messages { run, count: offsets.len() })?;
            Ok((topic, partition, offsets.into_pyarray(py), times_ms.into_pyarray(py), messages, error))
        };
        runs.into_iter().map(told).collect()
    }

    /// What was taken goes back, and no more is taken. To be called before the consumer is closed, which does it too.
    fn close(&mut self, py: Python<'_>) {
        py.detach(|| self.client.close());
        self.consumer = None;
    }

    /// The consumer keeps its callbacks, and whoever they belong to keeps us.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.consumer)
    }

    fn __clear__(&mut self) {
        Python::attach(|py| self.close(py));
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        self.__clear__();
    }
}

/// What is told of a run beside its messages.
struct Columns {
    topic: String,
    partition: i32,
    error: Option<(i32, String)>,
    offsets: Vec<i64>,
    times_ms: Vec<i64>,
}

/// Cut where the partition changes, and around errors. Each message is looked at once, as they lie far apart.
fn in_runs(messages: Vec<Message>) -> Vec<(Vec<Message>, Columns)> {
    let mut runs: Vec<(Vec<Message>, Columns)> = Vec::new();
    let mut alone = true;
    for message in messages {
        let error = message.is_error();
        if alone || error || !runs.last().is_some_and(|(run, _)| run[0].beside(&message)) {
            let (topic, partition, error) = (message.topic(), message.partition(), message.error());
            runs.push((Vec::new(), Columns { topic, partition, error, offsets: Vec::new(), times_ms: Vec::new() }));
        }
        alone = error;
        if let Some((run, columns)) = runs.last_mut() {
            columns.offsets.push(message.offset());
            columns.times_ms.push(message.time_ms());
            run.push(message);
        }
    }
    runs
}
