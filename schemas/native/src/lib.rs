//! The compiled core of Driftline: what costs time per value, with the same results as the Python beside it.
//!
//! Everything here exists in Python too, which is the oracle in the tests and the path where nothing was compiled.
//! The order of every floating-point operation is part of the contract; Rust never fuses or reorders them.

use std::collections::BTreeMap;

use pyo3::prelude::*;

mod admission;
mod adwin;
mod alert;
mod bank;
mod book;
mod decimal;
mod decode;
mod distribution;
mod event;
mod evidence;
mod history;
mod index;
mod intake;
mod librdkafka;
mod lifecycle;
mod names;
mod number;
mod page_hinkley;
mod plan;
mod reference;
mod scan;
mod shape;
mod shown;
mod sweep;
mod text;
mod window;

#[pyfunction]
fn fingerprint(labels: BTreeMap<String, String>) -> String {
    format!("{:016x}", text::fingerprint(&labels))
}

#[pyfunction]
fn rfc3339(time_ms: u64) -> String {
    text::rfc3339(time_ms).map(char::from).iter().collect()
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(fingerprint, module)?)?;
    module.add_function(wrap_pyfunction!(rfc3339, module)?)?;
    module.add_function(wrap_pyfunction!(intake::use_librdkafka_of, module)?)?;
    module.add_function(wrap_pyfunction!(index::group, module)?)?;
    module.add_function(wrap_pyfunction!(sweep::sweep, module)?)?;
    module.add_class::<decode::Decoder>()?;
    module.add_class::<intake::Intake>()?;
    module.add_class::<intake::Messages>()?;
    module.add_class::<alert::EdgeRecords>()?;
    module.add_class::<book::AlertBook>()?;
    module.add_class::<lifecycle::Notice>()?;
    module.add_class::<evidence::EdgeFinding>()?;
    module.add_class::<adwin::Adwin>()?;
    module.add_class::<page_hinkley::PageHinkley>()?;
    module.add_class::<reference::Reference>()?;
    module.add_class::<history::History>()?;
    module.add_class::<distribution::Distribution>()?;
    module.add_class::<index::RowIndex>()?;
    module.add_class::<admission::Admission>()
}
