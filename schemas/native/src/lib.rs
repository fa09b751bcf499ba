//! The compiled core of Driftline: what costs time per value, with the same results as the Python beside it.
//!
//! Everything here exists in Python too, in the room of the same name, which is the oracle in the tests and the path where
//! nothing was compiled. The order of every floating-point operation is part of the contract; Rust never fuses or
//! reorders them.

use pyo3::prelude::*;

mod arrays;
mod detectors;
mod events;
mod kafka;
mod streamer;

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(kafka::intake::use_librdkafka_of, module)?)?;
    module.add_function(wrap_pyfunction!(events::packing::pack, module)?)?;
    module.add_function(wrap_pyfunction!(events::unpacking::unpack, module)?)?;
    module.add_function(wrap_pyfunction!(detectors::shiryaev_roberts::bet_on_ranks, module)?)?;
    module.add_function(wrap_pyfunction!(streamer::index::group, module)?)?;
    module.add_function(wrap_pyfunction!(streamer::sweep::sweep, module)?)?;
    module.add_class::<events::decode::Decoder>()?;
    module.add_class::<kafka::intake::Intake>()?;
    module.add_class::<kafka::intake::Messages>()?;
    module.add_class::<detectors::adwin::Adwin>()?;
    module.add_class::<detectors::envelope::Envelope>()?;
    module.add_class::<detectors::levels::Levels>()?;
    module.add_class::<detectors::page_hinkley::PageHinkley>()?;
    module.add_class::<detectors::reference::Reference>()?;
    module.add_class::<detectors::history::History>()?;
    module.add_class::<detectors::distribution::Distribution>()?;
    module.add_class::<streamer::index::RowIndex>()?;
    module.add_class::<streamer::admission::Admission>()
}
