"""Alerts as others take them: what is told once, what still fires, and the payloads of those who are told."""
