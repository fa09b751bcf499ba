"""The brain of one partition: pure, no I/O, no clock."""
