"""The process ends in time, and truthfully, also when no Python can run in it any more."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streamer.service import closing
from tests.kafka.mock_cluster import MockCluster
from tests.waiting import PATIENCE_S, until

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
version: 1
kafka: {{brokers: "{brokers}", group: {group}}}
topics: {{events: [events], alerts: alerts, state: state, dead_letter: dead, heartbeats: beats}}
monitors: {{mean: {{signal: features.*, detect: {{kind: adwin}}}}}}
server: {{listen: "127.0.0.1:0"}}
"""
SERVICE = """
import ctypes, threading
from streamer.commands.cli import main
from streamer.kafka.log import KafkaLog
from streamer.service.worker import Worker
{patch}
main(["run", "-c", {config!r}])
"""
HANGS = {
    # As librdkafka does it: inside `incremental_unassign`, which keeps the interpreter's lock.
    "locked": "KafkaLog.close = lambda self: ctypes.PyDLL(None).sleep(600)",
    "unlocked": "KafkaLog.close = lambda self: threading.Event().wait()",
}
NOT_LANDED = "Worker.drain = lambda self: False"
BROKEN = "def broken(self, timeout_s): raise {error}\nWorker.step = broken\n"
LATE_S = 60.0
"""What hangs does so for ten minutes."""
SOON = "from streamer.service import run; run.LEAVE_SECONDS = 1.0"
DESTRUCTOR = "import atexit; atexit.register(lambda: ctypes.PyDLL(None).sleep(600))"
PYTHON_ONLY = (
    "import types; from streamer.service import closing; closing.sys = types.SimpleNamespace(platform='darwin')"
)
NO_TIMERS = "import resource; resource.setrlimit(resource.RLIMIT_SIGPENDING, (0, 0))"


@pytest.fixture(scope="module")
def cluster() -> Iterator[MockCluster]:
    with MockCluster("events", "alerts", "state", "dead", "beats") as cluster:
        yield cluster


class Ended:
    """A service that was started, asked to stop where that is wanted, and has ended."""

    def __init__(self, cluster: MockCluster, folder: Path, patch: str, stop: bool = True) -> None:
        config = folder / "driftline.yaml"
        config.write_text(CONFIG.format(brokers=cluster.brokers, group=folder.name))
        code = SERVICE.format(patch=patch, config=str(config))
        output = folder / "output"
        with output.open("wb") as out:
            process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=out, stderr=subprocess.STDOUT)
        try:
            ready = '"partition_ready"' if stop else '"starting"'
            until(lambda: ready in output.read_text() or process.poll() is not None, output.read_text)
            assert ready in output.read_text(), output.read_text()
            begin_s = time.monotonic()
            if stop:
                process.send_signal(signal.SIGTERM)
            self.code = process.wait(PATIENCE_S)
            self.took_s = time.monotonic() - begin_s
        finally:
            process.kill()
            process.wait()
        self.lines = [json.loads(line) for line in output.read_text().splitlines() if line.startswith("{")]

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == name]


@pytest.mark.parametrize("hang", HANGS)
def test_a_close_that_hangs_after_the_last_commit_landed_ends_with_0(
    cluster: MockCluster, tmp_path: Path, hang: str
) -> None:
    ended = Ended(cluster, tmp_path, HANGS[hang])
    assert (ended.code, ended.events("stopped")) == (0, [])
    assert ended.took_s < closing.CLOSE_SECONDS + LATE_S
    [line] = ended.events("close_abandoned")
    assert (line["level"], line["logger"], line["drained"]) == ("warning", "driftline", True)
    assert "Everything is committed" in line["why"]
    assert "session.timeout.ms" in line["why"]


def test_a_close_that_hangs_after_a_drain_that_did_not_land_ends_with_75(cluster: MockCluster, tmp_path: Path) -> None:
    ended = Ended(cluster, tmp_path, f"{HANGS['locked']}\n{NOT_LANDED}")
    assert ended.code == 75
    assert ended.took_s < closing.CLOSE_SECONDS + LATE_S
    [line] = ended.events("close_abandoned")
    assert line["drained"] is False
    assert "Everything is committed" not in line["why"]


@pytest.mark.parametrize(("patch", "code"), [("", 0), (NOT_LANDED, 75)])
def test_a_close_that_returns_is_not_abandoned(cluster: MockCluster, tmp_path: Path, patch: str, code: int) -> None:
    ended = Ended(cluster, tmp_path, patch)
    assert (ended.code, ended.events("close_abandoned")) == (code, [])
    assert [line["drained"] for line in ended.events("stopped")] == [code == 0]


@pytest.mark.parametrize(
    ("error", "event", "code"),
    [("LogRefused('gone')", "refused", 69), ("LogGap('gone')", "halted", 70), ("KeyError()", "crashed", 70)],
)
def test_what_hangs_on_the_other_ways_out_changes_no_exit_code(
    cluster: MockCluster, tmp_path: Path, error: str, event: str, code: int
) -> None:
    patch = f"from streamer.port import LogGap, LogRefused\n{SOON}\n{DESTRUCTOR}\n{BROKEN.format(error=error)}"
    ended = Ended(cluster, tmp_path, patch, stop=False)
    assert (ended.code, len(ended.events(event))) == (code, 1)
    assert ended.took_s < LATE_S


@pytest.mark.parametrize("patch", [PYTHON_ONLY, NO_TIMERS])
def test_where_the_c_library_has_no_timers_python_has(cluster: MockCluster, tmp_path: Path, patch: str) -> None:
    ended = Ended(cluster, tmp_path, f"{HANGS['unlocked']}\n{patch}")
    assert (ended.code, len(ended.events("close_abandoned"))) == (0, 1)


def test_a_bound_that_was_kept_does_nothing() -> None:
    code = """
from streamer.service.closing import bounded
import time
with bounded(0.2, 9, "never"):
    pass
time.sleep(0.6)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
