"""How the values of signals are found in a batch, before they have rows."""

from __future__ import annotations

import random
from typing import Any

from streamer.signals.observe import is_error
from tests.signals.events import firing


def test_errors_by_number_and_by_word() -> None:
    assert [s for s in ("200", "301", "404", "503", "ok", "OK", "timeout", "") if is_error(s)] == [
        "404",
        "503",
        "timeout",
        "",
    ]


def test_shares_of_status_and_caller_name_what_moved() -> None:
    text = """monitors:
  errors: {signal: error, detect: {kind: adwin, direction: up}}
  callers: {signal: caller.*, detect: {kind: adwin}}
"""
    rng = random.Random(3)

    def event(failing: float, web: float) -> dict[str, Any]:
        status = "503" if rng.random() < failing else "200"
        return {"status": status, "caller": "web" if rng.random() < web else "batch"}

    before = [event(0.02, 0.5) for _ in range(3000)]
    assert firing(text, before) == []
    found = firing(text, before + [event(0.2, 0.9) for _ in range(1500)])
    assert {a["alert"]["labels"]["signal"] for a in found} == {"error", "caller.web", "caller.batch"}
    [errors] = [a for a in found if a["alert"]["labels"]["signal"] == "error"]
    assert errors["sentence"].startswith("m: share of failed events went from ")
