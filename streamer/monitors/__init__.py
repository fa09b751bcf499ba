"""Monitors at work: a detector over the series of one signal, and what it finds."""
