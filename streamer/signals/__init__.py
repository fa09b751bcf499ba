"""What can be watched: the grammar of signals, and how their values are found in a batch."""
