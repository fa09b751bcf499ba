//! Banks, references and histories, as `detectors`.

pub mod adwin;
pub mod bank;
pub mod cusum;
pub mod distribution;
pub mod envelope;
pub mod envelope_state;
pub mod extremes;
pub mod history;
pub mod last_change;
pub mod levels;
pub mod loads;
pub mod page_hinkley;
pub mod reference;
pub mod scales;
pub mod shiryaev_roberts;
pub mod warm_up;
pub mod window;
