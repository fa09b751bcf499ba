"""The running service: worker loop, metrics, HTTP, logs."""
