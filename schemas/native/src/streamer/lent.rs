//! The banks that a sweep takes along, whichever they are.

use pyo3::prelude::*;

use crate::detectors::adwin::Adwin;
use crate::detectors::bank::Said;
use crate::detectors::envelope::Envelope;
use crate::detectors::page_hinkley::PageHinkley;

/// A bank taken from Python for the time of a sweep.
pub enum Lent<'py> {
    Adwin(PyRefMut<'py, Adwin>),
    Envelope(PyRefMut<'py, Envelope>),
    PageHinkley(PyRefMut<'py, PageHinkley>),
}

impl<'py> Lent<'py> {
    pub fn take(bank: &Bound<'py, PyAny>) -> PyResult<Self> {
        if let Ok(bank) = bank.cast::<Adwin>() {
            return Ok(Lent::Adwin(bank.try_borrow_mut()?));
        }
        if let Ok(bank) = bank.cast::<Envelope>() {
            return Ok(Lent::Envelope(bank.try_borrow_mut()?));
        }
        Ok(Lent::PageHinkley(bank.cast::<PageHinkley>()?.try_borrow_mut()?))
    }

    pub fn bank(&mut self) -> Bank<'_> {
        match self {
            Lent::Adwin(bank) => Bank::Adwin(bank),
            Lent::Envelope(bank) => Bank::Envelope(bank),
            Lent::PageHinkley(bank) => Bank::PageHinkley(bank),
        }
    }
}

pub enum Bank<'a> {
    Adwin(&'a mut Adwin),
    Envelope(&'a mut Envelope),
    PageHinkley(&'a mut PageHinkley),
}

impl Bank<'_> {
    pub fn rows(&self) -> usize {
        match self {
            Bank::Adwin(bank) => bank.rows.len(),
            Bank::Envelope(bank) => bank.rows.len(),
            Bank::PageHinkley(bank) => bank.rows.len(),
        }
    }

    pub fn take(&mut self, rows: &[i64], values: &[f64], time_ms: i64, found: &mut Vec<Said>) {
        match self {
            Bank::Adwin(bank) => bank.take(rows, values, found),
            Bank::Envelope(bank) => bank.take(rows, values, time_ms, found),
            Bank::PageHinkley(bank) => bank.take(rows, values, found),
        }
    }
}
