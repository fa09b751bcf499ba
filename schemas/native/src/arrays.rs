//! What every room does with the arrays of Python: look at their elements, check them once before a loop starts, and ask
//! the processor ahead of time for what they point at.

use numpy::{PyArray1, PyReadonlyArray1};
use pyo3::exceptions::{PyAssertionError, PyValueError};
use pyo3::prelude::*;

pub type Floats<'py> = Bound<'py, PyArray1<f64>>;
pub type Ints<'py> = Bound<'py, PyArray1<i64>>;

/// The elements of a contiguous array; ValueError for any other.
pub fn slice<'a, T: numpy::Element>(array: &'a PyReadonlyArray1<'_, T>) -> PyResult<&'a [T]> {
    array.as_slice().map_err(|_| PyValueError::new_err("an array that is not contiguous"))
}

/// Rows must exist. Checked once before a loop starts, so that a bad call changes nothing.
pub fn check_rows(rows: &[i64], count: usize) -> PyResult<()> {
    // No early exit here and below: a loop without one is several times as fast, and what is bad is the exception.
    match rows.iter().fold(true, |fine, &row| fine & ((row as u64) < count as u64)) {
        true => Ok(()),
        false => Err(PyValueError::new_err("a row that does not exist")),
    }
}

/// Row kept[i] becomes row i, for these ascending rows; all others are forgotten. A row is `width` elements.
pub fn retain<T>(rows: &mut Vec<T>, kept: &[i64], width: usize) -> PyResult<()> {
    check_rows(kept, rows.len() / width)?;
    if !kept.windows(2).all(|pair| pair[0] < pair[1]) {
        return Err(PyValueError::new_err("rows that do not ascend"));
    }
    for (place, &row) in kept.iter().enumerate() {
        (0..width).for_each(|cell| rows.swap(place * width + cell, row as usize * width + cell));
    }
    rows.truncate(kept.len() * width);
    Ok(())
}

/// The same of codes.
pub fn check_codes(codes: &[i32], count: usize) -> PyResult<()> {
    let last = i32::try_from(count).unwrap_or(i32::MAX) - 1;
    // One that is below zero or beyond the last leaves a sign.
    match codes.iter().fold(0, |signs, &code| signs | code | last.wrapping_sub(code)) {
        0.. => Ok(()),
        _ => Err(PyValueError::new_err("a code that does not exist")),
    }
}

/// None is less than the one before.
pub fn check_ascending(codes: &[i32]) -> PyResult<()> {
    match codes.iter().zip(codes.iter().skip(1)).fold(true, |fine, (code, next)| fine & (code <= next)) {
        true => Ok(()),
        false => Err(PyValueError::new_err("codes that do not ascend")),
    }
}

pub fn check_length(lengths: &[usize]) -> PyResult<()> {
    match lengths.windows(2).all(|pair| pair[0] == pair[1]) {
        true => Ok(()),
        false => Err(PyAssertionError::new_err("columns of different length")),
    }
}

/// A detector only ever sees finite numbers: one NaN would make ADWIN blind for ever.
pub fn check_finite(values: &[f64]) -> PyResult<()> {
    // The exponent of what is none has all its bits set: with one more it overflows.
    const EXPONENT: u64 = f64::INFINITY.to_bits();
    const ONE: u64 = EXPONENT & EXPONENT.wrapping_neg();
    match values.iter().fold(0, |highest, value| highest | ((value.to_bits() & EXPONENT) + ONE)) >> 63 {
        0 => Ok(()),
        _ => Err(PyAssertionError::new_err("a detector was given a number that is not finite")),
    }
}

/// How many values ahead a row is asked for: about the time one value takes, times the latency of memory.
const AHEAD: usize = 8;

/// Ask the processor for the row of a value to come: with many series nearly every row is a cache miss.
#[inline(always)]
pub fn prefetch<T>(table: &[T], rows: &[i64], at: usize) {
    // Rows in turn it asks for by itself.
    let next = rows.get(at + AHEAD).filter(|&&row| row != rows[at] + AHEAD as i64);
    if let Some(element) = next.and_then(|&row| table.get(row as usize)) {
        fetch(element);
    }
}

/// Ask for the beginning of a text to come; the rest of it the processor fetches by itself.
#[inline(always)]
pub fn prefetch_text(text: &[u8]) {
    text.chunks(LINE).take(LINES).for_each(|line| fetch(&line[0]));
}

const LINE: usize = 64;
const LINES: usize = 16;

/// Ask for what a reference points at.
#[inline(always)]
fn fetch<T>(element: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing; the address is that of a live element all the same.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>((element as *const T).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = element;
}
