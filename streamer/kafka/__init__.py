"""The port on Apache Kafka: the only room that talks to a broker."""
