"""From findings to alerts: the lifecycle, and the records that tell of it."""
