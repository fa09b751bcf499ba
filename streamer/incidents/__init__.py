"""Incidents: what began together is one thing to a person, however many alerts tell of it."""
