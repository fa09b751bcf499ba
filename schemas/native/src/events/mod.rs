//! Records to columns, as `schemas/events`.

pub mod decimal;
pub mod decode;
pub mod event;
mod features;
pub mod names;
pub mod number;
pub mod packed;
pub mod packing;
pub mod plan;
pub mod scalar;
pub mod scan;
pub mod shape;
pub mod text;
pub mod unpacking;
