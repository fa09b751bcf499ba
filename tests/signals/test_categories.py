"""Texts as numbers: what the warm-up has shown has a number of its own, all else shares one."""

from __future__ import annotations

from tests.signals.events import firing


def test_a_new_label_version_or_caller_is_named_at_its_first_event() -> None:
    text = """monitors:
  caller: {signal: new_caller, detect: {kind: occurrence}}
  label: {signal: new_label, detect: {kind: occurrence}}
  version: {signal: new_version, detect: {kind: occurrence}}
"""
    healthy = [{"model_version": "1", "caller": "app", "prediction": {"label": "ab"[i % 2]}} for i in range(400)]
    assert firing(text, healthy) == []
    changed = [*healthy[:300], {"model_version": "2", "caller": "x", "prediction": {"label": "c"}}, *healthy[301:]]
    assert [(a["alert"]["labels"]["signal"], a["trigger"]["offset"]) for a in firing(text, changed)] == [
        ("new_caller", 300),
        ("new_label", 300),
        ("new_version", 300),
    ]
