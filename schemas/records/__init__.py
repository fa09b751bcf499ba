"""The records the service publishes, as they cross Kafka."""
