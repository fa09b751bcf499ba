"""Memory is settled for a process, so in one of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from streamer.service import memory
from streamer.service.memory import LARGE, settle_memory


def test_memory_is_settled_once_all_is_there() -> None:
    code = (
        f"import gc; from {settle_memory.__module__} import settle_memory; import streamer.engine.task; "
        "settle_memory(); print(gc.get_freeze_count() > 1000, gc.get_threshold()[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "100000"]


def test_only_what_is_large_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[str]()
    monkeypatch.setattr(memory, "_of_c", lambda name: lambda *_: asked.append(name) or 0)
    memory.give_back(LARGE)
    assert asked == []
    memory.give_back(LARGE + 1)
    assert asked == ["malloc_trim"]
