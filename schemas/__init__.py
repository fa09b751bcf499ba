"""What crosses Kafka: the event batch and its decoder, dead letters, alerts, JSON Schemas. No Kafka, no clock."""
