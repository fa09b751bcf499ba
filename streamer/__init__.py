"""The service: config, series, alert book, task (pure), worker (the loop), Kafka, metrics, command line."""

__version__ = "0.1.0"
