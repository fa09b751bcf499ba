"""Memory is settled for a process, so in one of its own."""

from __future__ import annotations

import subprocess
import sys

from streamer.service.memory import settle_memory


def test_memory_is_settled_once_all_is_there() -> None:
    code = (
        f"import gc; from {settle_memory.__module__} import settle_memory; import streamer.engine.task; "
        "settle_memory(); print(gc.get_freeze_count() > 1000, gc.get_threshold()[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "100000"]
