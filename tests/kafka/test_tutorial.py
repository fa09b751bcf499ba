"""The last steps of docs/tutorial.md, which need a broker: its topics are made, doctor is content, the service runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.doc_runner import blocks, called, run
from tests.docs import ROOT
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.broker

PAGE = (ROOT / "docs" / "tutorial.md").read_text()


def config(broker: str, folder: Path) -> None:
    """That of the tutorial, at our broker, with topics that nobody else uses."""
    *_, text = [body for name, _, body in blocks(PAGE) if name == "driftline.yaml"]
    events = f"tutorial-{os.getpid()}"
    roles = ", ".join(f"{role}: {events}-{role}" for role in ("alerts", "heartbeats", "state", "dead_letter"))
    for old, new in (
        ('brokers: "localhost:9092"', f'brokers: "{broker}", group: {events}'),
        ("events: [model-calls]", f"events: [{events}], {roles}"),
    ):
        assert old in text
        text = text.replace(old, new)
    (folder / "driftline.yaml").write_text(text + 'server: {listen: "127.0.0.1:0"}\n')


def test_the_steps_that_need_a_broker(broker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config(broker, tmp_path)
    monkeypatch.chdir(tmp_path)
    steps = [line for line, whole in called(PAGE) if whole]
    apply, doctor, service = steps[-3:]
    assert service == "driftline run -c driftline.yaml"
    assert "`driftline topics apply --create-events -c driftline.yaml`" in PAGE
    assert run(apply.replace("apply", "apply --create-events"), tmp_path)[0] == 0
    for step in (apply, doctor):
        code, said = run(step, tmp_path)
        assert code == 0, said
    assert " 0 wrong, 1 not known." in said  # There is no event yet to compare clocks with.
    command = [sys.executable, "-m", "streamer", *service.split()[1:]]
    with subprocess.Popen(
        command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE
    ) as one:
        assert one.stdout is not None
        assert any(b"partition_ready" in line for line in one.stdout), "it ended"
        one.send_signal(signal.SIGTERM)
        assert b'"stopped"' in one.stdout.read()
        assert one.wait(PATIENCE_S) == 0
