//! What the parts of a batch go through together, as `streamer`.

pub mod admission;
pub mod event_clock;
pub mod evidence;
pub mod index;
pub mod lent;
pub mod shown;
pub mod sweep;
