//! Messages as librdkafka holds them, in runs of one partition: no object of Python for each.

use std::ffi::CString;
use std::path::PathBuf;

use numpy::{IntoPyArray, PyArray1};
use pyo3::exceptions::{PyIndexError, PyOSError, PyRuntimeError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple, PyWeakrefMethods, PyWeakrefReference};

use crate::kafka::librdkafka::{self, Message, Queue};

/// Find the library that the binding has loaded, so that clients can name this one as a plugin. OSError: it is not there.
#[pyfunction]
pub fn use_librdkafka_of(binding: PathBuf) -> PyResult<()> {
    librdkafka::load(&binding).map_err(|error| PyOSError::new_err(error.to_string()))
}

/// Consecutive messages of one partition, until the intake is closed.
#[pyclass(weakref)]
pub struct Messages {
    messages: Vec<Message>,
    count: usize,
}

type Headers<'py> = Vec<(String, Option<Bound<'py, PyBytes>>)>;
/// Size and SHA-256, in hex, of a value of which only the beginning is handed out.
type Whole = (usize, String);
type Parts<'py> =
    (i64, i64, Option<Bound<'py, PyBytes>>, Option<Bound<'py, PyBytes>>, Bound<'py, PyTuple>, Option<Whole>);

/// Bytes that are copied at a time of a value that is not to be copied as a whole.
const CHUNK: usize = 1 << 20;

fn whole(py: Python<'_>, value: &[u8]) -> PyResult<Whole> {
    let hash = py.import("hashlib")?.call_method0("sha256")?;
    for chunk in value.chunks(CHUNK) {
        hash.call_method1("update", (PyBytes::new(py, chunk),))?;
    }
    Ok((value.len(), hash.call_method0("hexdigest")?.extract()?))
}

impl Messages {
    pub fn values(&self) -> Vec<Option<&[u8]>> {
        self.messages.iter().map(Message::value).collect()
    }

    fn at(&self, place: usize) -> PyResult<&Message> {
        self.messages.get(place).ok_or_else(|| match place < self.count {
            true => PyRuntimeError::new_err("the intake of this message was closed"),
            false => PyIndexError::new_err("no such message"),
        })
    }
}

#[pymethods]
impl Messages {
    fn __len__(&self) -> usize {
        self.count
    }

    /// The value of one, None for a tombstone.
    fn __getitem__<'py>(&self, py: Python<'py>, place: usize) -> PyResult<Option<Bound<'py, PyBytes>>> {
        Ok(self.at(place)?.value().map(|value| PyBytes::new(py, value)))
    }

    /// Offset, time, key, value and headers of one, as `Record` of `schemas/events/batch.py`; of a value beyond `most`
    /// bytes so many, and what the whole is: a batch may hold one of nearly all the memory there is.
    fn record<'py>(&self, py: Python<'py>, place: usize, most: usize) -> PyResult<Parts<'py>> {
        let (message, bytes) = (self.at(place)?, |bytes| PyBytes::new(py, bytes));
        let headers: Headers = message.headers().into_iter().map(|(name, value)| (name, value.map(bytes))).collect();
        let cut = message.value().filter(|value| value.len() > most);
        let value = message.value().map(|value| bytes(&value[..value.len().min(most)]));
        let (key, cut) = (message.key().map(bytes), cut.map(|value| whole(py, value)).transpose()?);
        Ok((message.offset(), message.time_ms(), key, value, PyTuple::new(py, headers)?, cut))
    }
}

/// Topic, partition, offsets, times, messages, and code and text where it is an error, which is alone.
type Run<'py> =
    (String, i32, Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<i64>>, Bound<'py, Messages>, Option<(i32, String)>);

/// Takes the messages of the partitions it follows past the binding, from the client made before it.
#[pyclass]
pub struct Intake {
    taken: Vec<Py<PyWeakrefReference>>,
    queue: Option<Queue>,
    /// Let go of last: queue and messages may not outlive their client.
    consumer: Option<Py<PyAny>>,
}

#[pymethods]
impl Intake {
    /// `consumer`: the client this thread has just made, with this library as a plugin.
    #[new]
    fn new(consumer: Py<PyAny>) -> PyResult<Self> {
        // SAFETY: the consumer is kept until queue and messages are gone, and is not closed before `close` was called.
        let queue = unsafe { Queue::of_made() };
        let queue = queue.ok_or_else(|| PyRuntimeError::new_err("librdkafka told of no new client"))?;
        Ok(Intake { taken: Vec::new(), queue: Some(queue), consumer: Some(consumer) })
    }

    /// Messages of an assigned partition come here from now on.
    fn follow(&self, topic: CString, partition: i32) -> PyResult<()> {
        match self.queue()?.follow(&topic, partition) {
            true => Ok(()),
            false => Err(PyRuntimeError::new_err("librdkafka has no queue for this partition")),
        }
    }

    /// Up to `limit` messages in runs, as soon as there is one.
    fn take<'py>(&mut self, py: Python<'py>, limit: usize, timeout_ms: i32) -> PyResult<Vec<Run<'py>>> {
        self.taken.retain(|run| run.bind(py).upgrade().is_some());
        let (queue, mut messages) = (self.queue()?, Vec::with_capacity(limit));
        py.detach(|| {
            queue.take(timeout_ms, 1, &mut messages);
            if !messages.is_empty() && limit > 1 {
                queue.take(0, limit - 1, &mut messages);
            }
        });
        let told = |columns: Columns| {
            let first = &columns.messages[0];
            let (topic, partition, error) = (first.topic(), first.partition(), first.error());
            let (offsets, times_ms) = (columns.offsets.into_pyarray(py), columns.times_ms.into_pyarray(py));
            let count = columns.messages.len();
            let messages = Bound::new(py, Messages { messages: columns.messages, count })?;
            self.taken.push(PyWeakrefReference::new(&messages)?.unbind());
            Ok((topic, partition, offsets, times_ms, messages, error))
        };
        in_runs(messages).into_iter().map(told).collect()
    }

    /// To be called before the consumer is closed.
    fn close(&mut self, py: Python<'_>) -> PyResult<()> {
        for run in &self.taken {
            if let Some(run) = run.bind(py).upgrade_as::<Messages>()? {
                run.try_borrow_mut()?.messages.clear();
            }
        }
        (self.queue, self.consumer) = (None, None);
        self.taken.clear();
        Ok(())
    }

    /// The consumer keeps its callbacks, and whoever they belong to keeps us.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.consumer)
    }

    fn __clear__(&mut self) {
        Python::attach(|py| self.close(py).unwrap_or_default());
    }
}

impl Intake {
    fn queue(&self) -> PyResult<&Queue> {
        self.queue.as_ref().ok_or_else(|| PyRuntimeError::new_err("closed"))
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        self.__clear__();
    }
}

#[derive(Default)]
struct Columns {
    messages: Vec<Message>,
    offsets: Vec<i64>,
    times_ms: Vec<i64>,
}

/// Cut where the partition changes, and around errors. Each message is looked at once, as they lie far apart.
fn in_runs(messages: Vec<Message>) -> Vec<Columns> {
    let mut runs: Vec<Columns> = Vec::new();
    let mut alone = true;
    for message in messages {
        let error = message.is_error();
        if alone || error || !runs.last().is_some_and(|run| run.messages[0].beside(&message)) {
            runs.push(Columns::default());
        }
        alone = error;
        if let Some(run) = runs.last_mut() {
            run.offsets.push(message.offset());
            run.times_ms.push(message.time_ms());
            run.messages.push(message);
        }
    }
    runs
}
