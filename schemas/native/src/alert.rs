//! Alert records of edges, byte for byte as `streamer/explain.py` and `schemas/alert.py` write them.

use std::collections::HashMap;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::bank::Seen;
use crate::decimal::{push_general, push_int, push_json, push_percent, push_signed};
use crate::evidence::Edge;
use crate::lifecycle::{Evidence, FIRING, Notice};
use crate::text::rfc3339;

/// The names of AlertFacts.
#[derive(Clone, Copy)]
enum Fact {
    Mark,
    Subject,
    Labels,
    TriggerOffset,
    Began,
    ChangedOffset,
    Changed,
    Ends,
    Number,
    Detections,
    Suppressed,
    Finding,
    Evidence,
    Sentence,
    FirstOffset,
    EndOffset,
}

const FACTS: [(&str, Fact); 16] = [
    ("mark", Fact::Mark),
    ("subject", Fact::Subject),
    ("labels", Fact::Labels),
    ("trigger_offset", Fact::TriggerOffset),
    ("began", Fact::Began),
    ("changed_offset", Fact::ChangedOffset),
    ("changed", Fact::Changed),
    ("ends", Fact::Ends),
    ("number", Fact::Number),
    ("detections", Fact::Detections),
    ("suppressed", Fact::Suppressed),
    ("finding", Fact::Finding),
    ("evidence", Fact::Evidence),
    ("sentence", Fact::Sentence),
    ("first_offset", Fact::FirstOffset),
    ("end_offset", Fact::EndOffset),
];

/// A record cut at what varies: each text is followed by its fact, and `last` by nothing.
struct Form {
    parts: Vec<(String, Fact)>,
    last: String,
}

impl Form {
    /// Texts and names of facts in turn.
    fn new(parts: &[String]) -> PyResult<Self> {
        let wrong = || PyValueError::new_err("a form with a fact that no edge has");
        let fact = |name: &str| FACTS.iter().find(|(known, _)| *known == name).map(|(_, fact)| *fact).ok_or_else(wrong);
        let pairs = parts.chunks_exact(2);
        let last = pairs.remainder().concat();
        let parts = pairs.map(|pair| Ok((pair[0].clone(), fact(&pair[1])?))).collect::<PyResult<_>>()?;
        Ok(Form { parts, last })
    }
}

/// What the records of one series repeat; texts as they stand in JSON, without quotes.
struct Series {
    mark: String,
    subject: String,
    /// As JSON.
    labels: String,
    who: String,
    quantity: String,
    place: String,
    share: bool,
}

/// Room for nearly every record.
const RECORD_BYTES: usize = 4096;

#[pyclass]
pub struct EdgeRecords {
    firing: Form,
    resolved: Form,
    hold_ms: i64,
    /// See `push_json`.
    power: String,
    series: HashMap<i64, Series>,
}

impl EdgeRecords {
    fn fill(&self, out: &mut Vec<u8>, series: &Series, notice: &Notice, edge: &Edge) {
        let (form, verdict) = match notice.status {
            FIRING => (&self.firing, "; found by "),
            _ => (&self.resolved, "; resolved, was found by "),
        };
        let (opened, at, [episode, detections, suppressed]) = (&notice.opened, notice.at, notice.counts);
        let ends_ms = notice.ended_ms.unwrap_or_else(|| opened.time_ms.max(at.2) + self.hold_ms);
        let sentence = sentence(series, edge, verdict, opened.offset);
        for (text, fact) in &form.parts {
            push(out, text);
            match fact {
                Fact::Mark => push(out, &series.mark),
                Fact::Subject => push(out, &series.subject),
                Fact::Labels => push(out, &series.labels),
                Fact::TriggerOffset => push_int(out, opened.offset),
                Fact::Began => push_time(out, opened.time_ms),
                Fact::ChangedOffset => push_int(out, at.0),
                Fact::Changed => push_time(out, at.1),
                Fact::Ends => push_time(out, ends_ms),
                Fact::Number => push_int(out, episode),
                Fact::Detections => push_int(out, detections),
                Fact::Suppressed => push_int(out, suppressed),
                Fact::Finding => finding(out, edge, &self.power),
                Fact::Evidence => evidence(out, edge, &self.power),
                Fact::Sentence => out.extend_from_slice(&sentence),
                Fact::FirstOffset => push_int(out, opened.first_offset),
                Fact::EndOffset => push_int(out, at.0 + 1),
            }
        }
        push(out, &form.last);
    }
}

#[pymethods]
impl EdgeRecords {
    #[new]
    fn new(firing: Vec<String>, resolved: Vec<String>, hold_ms: i64, power: String) -> PyResult<Self> {
        let (firing, resolved) = (Form::new(&firing)?, Form::new(&resolved)?);
        Ok(EdgeRecords { firing, resolved, hold_ms, power, series: HashMap::new() })
    }

    /// Make the texts of a row known: what names it (mark, subject, labels) and the words of its sentences.
    fn add(&mut self, row: i64, named: [String; 3], words: (String, String, String, bool)) {
        let [mark, subject, labels] = named;
        let (who, quantity, place, share) = words;
        self.series.insert(row, Series { mark, subject, labels, who, quantity, place, share });
    }

    /// Key and value of the record of an edge; None for a row that was not added.
    fn write<'py>(&self, py: Python<'py>, notice: &Notice) -> Option<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        let Evidence::Edge(edge) = &notice.opened.evidence else { return None };
        let series = self.series.get(&notice.row)?;
        let mut record = Vec::with_capacity(RECORD_BYTES);
        self.fill(&mut record, series, notice, edge);
        Some((PyBytes::new(py, series.mark.as_bytes()), PyBytes::new(py, &record)))
    }
}

fn push(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn push_time(out: &mut Vec<u8>, time_ms: i64) {
    out.extend_from_slice(&rfc3339(time_ms as u64));
}

/// How far the mean moved, in the units of the signal and in deviations of the reference.
fn effect(edge: &Edge) -> (Option<f64>, Option<f64>) {
    let (Some(before), Some(after)) = (edge.3, edge.4) else { return (None, None) };
    let moved = after.1 - before.1;
    (Some(moved), (before.2 > 0.0).then(|| moved / before.2))
}

fn finding(out: &mut Vec<u8>, edge: &Edge, power: &str) {
    let (absolute, deviations) = effect(edge);
    let direction = match edge.0 {
        1 => "up",
        -1 => "down",
        _ => "unknown",
    };
    push(out, "\"statistic\":");
    push_json(out, Some(edge.1), power);
    push(out, ",\"threshold\":");
    push_json(out, Some(edge.2), power);
    push(out, ",\"direction\":\"");
    push(out, direction);
    push(out, "\",\"effect\":{\"absolute\":");
    push_json(out, absolute, power);
    push(out, ",\"deviations\":");
    push_json(out, deviations, power);
    push(out, "}");
}

fn evidence(out: &mut Vec<u8>, edge: &Edge, power: &str) {
    push(out, "{\"before\":");
    seen(out, edge.3, power);
    push(out, ",\"after\":");
    seen(out, edge.4, power);
    push(out, ",\"window\":null}");
}

fn seen(out: &mut Vec<u8>, seen: Option<Seen>, power: &str) {
    let Some((n, mean, std, first_offset, last_offset, from_ms, to_ms)) = seen else {
        return push(out, "null");
    };
    push(out, "{\"n\":");
    push_int(out, n);
    push(out, ",\"mean\":");
    push_json(out, Some(mean), power);
    push(out, ",\"std\":");
    push_json(out, Some(std), power);
    push(out, ",\"offsets\":[");
    push_int(out, first_offset);
    push(out, ",");
    push_int(out, last_offset);
    push(out, "],\"from\":\"");
    push_time(out, from_ms);
    push(out, "\",\"to\":\"");
    push_time(out, to_ms);
    push(out, "\"}");
}

fn sentence(series: &Series, edge: &Edge, verdict: &str, trigger_offset: i64) -> Vec<u8> {
    let (mut sentence, moved) = (Vec::with_capacity(256), effect(edge).1);
    let out = &mut sentence;
    push(out, &series.who);
    push(out, ": ");
    push(out, &series.quantity);
    match (edge.3, edge.4) {
        (Some(before), Some(after)) => {
            let number = if series.share { push_percent } else { push_general };
            push(out, " went from ");
            number(out, before.1);
            push(out, " to ");
            number(out, after.1);
            if let Some(deviations) = moved {
                push(out, " (");
                push_signed(out, deviations);
                push(out, " deviations)");
            }
        }
        (None, Some(after)) => {
            push(out, " moved to ");
            push_general(out, after.1);
        }
        _ => push(out, " changed"),
    }
    push(out, verdict);
    push(out, &series.place);
    push_int(out, trigger_offset);
    push(out, ".");
    sentence
}
