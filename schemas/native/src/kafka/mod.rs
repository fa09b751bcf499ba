//! Messages as librdkafka holds them, as `streamer/kafka`.

pub mod intake;
pub mod librdkafka;
