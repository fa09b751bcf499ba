//! Alert records of edges, byte for byte as `streamer/explain.py` and `schemas/alert.py` write them.

use std::collections::HashMap;
use std::fmt::Write;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::bank::Seen;
use crate::evidence::Edge;
use crate::lifecycle::{FIRING, Notice};
use crate::text::{general, json_float, percent, push_rfc3339, signed};

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

#[pyclass]
pub struct EdgeRecords {
    firing: Form,
    resolved: Form,
    hold_ms: i64,
    /// See `json_float`.
    power: String,
    series: HashMap<i64, Series>,
}

impl EdgeRecords {
    fn fill(&self, out: &mut String, series: &Series, notice: &Notice, edge: &Edge) {
        let (form, verdict) = match notice.status {
            FIRING => (&self.firing, "found by"),
            _ => (&self.resolved, "resolved, was found by"),
        };
        let (opened, at, [episode, detections, suppressed]) = (&notice.opened, notice.at, notice.counts);
        let ends_ms = notice.ended_ms.unwrap_or_else(|| opened.time_ms.max(at.2) + self.hold_ms);
        for (text, fact) in &form.parts {
            out.push_str(text);
            match fact {
                Fact::Mark => out.push_str(&series.mark),
                Fact::Subject => out.push_str(&series.subject),
                Fact::Labels => out.push_str(&series.labels),
                Fact::TriggerOffset => int(out, opened.offset),
                Fact::Began => push_rfc3339(out, opened.time_ms as u64),
                Fact::ChangedOffset => int(out, at.0),
                Fact::Changed => push_rfc3339(out, at.1 as u64),
                Fact::Ends => push_rfc3339(out, ends_ms as u64),
                Fact::Number => int(out, episode),
                Fact::Detections => int(out, detections),
                Fact::Suppressed => int(out, suppressed),
                Fact::Finding => finding(out, edge, &self.power),
                Fact::Evidence => evidence(out, edge, &self.power),
                Fact::Sentence => {
                    sentence(out, series, edge);
                    out.push_str(verdict);
                    out.push(' ');
                    out.push_str(&series.place);
                    int(out, opened.offset);
                    out.push('.');
                }
                Fact::FirstOffset => int(out, opened.first_offset),
                Fact::EndOffset => int(out, at.0 + 1),
            }
        }
        out.push_str(&form.last);
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
        let (series, edge) = (self.series.get(&notice.row)?, notice.opened.edge.as_ref()?);
        let mut record = String::with_capacity(4096);
        self.fill(&mut record, series, notice, edge);
        Some((PyBytes::new(py, series.mark.as_bytes()), PyBytes::new(py, record.as_bytes())))
    }
}

fn int(out: &mut String, value: i64) {
    let _ = write!(out, "{value}");
}

/// How far the mean moved, in the units of the signal and in deviations of the reference.
fn effect(edge: &Edge) -> (Option<f64>, Option<f64>) {
    let (Some(before), Some(after)) = (edge.3, edge.4) else { return (None, None) };
    let moved = after.1 - before.1;
    (Some(moved), (before.2 > 0.0).then(|| moved / before.2))
}

fn finding(out: &mut String, edge: &Edge, power: &str) {
    let (absolute, deviations) = effect(edge);
    let direction = match edge.0 {
        1 => "up",
        -1 => "down",
        _ => "unknown",
    };
    out.push_str("\"statistic\":");
    json_float(out, Some(edge.1), power);
    out.push_str(",\"threshold\":");
    json_float(out, Some(edge.2), power);
    let _ = write!(out, ",\"direction\":\"{direction}\",\"effect\":{{\"absolute\":");
    json_float(out, absolute, power);
    out.push_str(",\"deviations\":");
    json_float(out, deviations, power);
    out.push('}');
}

fn evidence(out: &mut String, edge: &Edge, power: &str) {
    out.push_str("{\"before\":");
    seen(out, edge.3, power);
    out.push_str(",\"after\":");
    seen(out, edge.4, power);
    out.push_str(",\"window\":null}");
}

fn seen(out: &mut String, seen: Option<Seen>, power: &str) {
    let Some((n, mean, std, first_offset, last_offset, from_ms, to_ms)) = seen else {
        return out.push_str("null");
    };
    let _ = write!(out, "{{\"n\":{n},\"mean\":");
    json_float(out, Some(mean), power);
    out.push_str(",\"std\":");
    json_float(out, Some(std), power);
    let _ = write!(out, ",\"offsets\":[{first_offset},{last_offset}],\"from\":\"");
    push_rfc3339(out, from_ms as u64);
    out.push_str("\",\"to\":\"");
    push_rfc3339(out, to_ms as u64);
    out.push_str("\"}");
}

/// Up to the verdict.
fn sentence(out: &mut String, series: &Series, edge: &Edge) {
    out.push_str(&series.who);
    out.push_str(": ");
    out.push_str(&series.quantity);
    match (edge.3, edge.4) {
        (Some(before), Some(after)) => {
            let number = if series.share { percent } else { general };
            out.push_str(" went from ");
            number(out, before.1);
            out.push_str(" to ");
            number(out, after.1);
            if let Some(deviations) = effect(edge).1 {
                out.push_str(" (");
                signed(out, deviations);
                out.push_str(" deviations)");
            }
        }
        (None, Some(after)) => {
            out.push_str(" moved to ");
            general(out, after.1);
        }
        _ => out.push_str(" changed"),
    }
    out.push_str("; ");
}
