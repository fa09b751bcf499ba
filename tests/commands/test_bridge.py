"""`driftline bridge` on a real broker: as a process that is killed, and through a real Alertmanager."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from schemas.events.batch import Record
from schemas.records.alert import ms_of
from schemas.records.control import ControlFacts, render_control
from streamer.commands.bridge import deliver
from streamer.commands.cli import main
from streamer.config.load import load_config
from streamer.service.bridge import CHECKS, bridge_figures
from streamer.service.health import Health
from tests.bridges.samples import changed, of, records
from tests.broker.broker import free_ports
from tests.engine.commands import command
from tests.kafka.service import ROOT, produce, read_all, wait_committed
from tests.service.receiver import Receiver, Say
from tests.waiting import PATIENCE_S, until

CLIENT = "{session.timeout.ms: 1500, heartbeat.interval.ms: 300}"


def config_at(folder: Path, broker: str, alerts: str, bridges: str) -> Path:
    path = folder / "driftline.yaml"
    path.write_text(
        f'version: 1\nkafka: {{brokers: "{broker}", group: {alerts}, client: {CLIENT}}}\n'
        f"topics: {{events: [in], alerts: {alerts}}}\nbridges: {bridges}\n"
    )
    return path


def publish(broker: str, topic: str, *values: bytes) -> None:
    now_ms = int(1000 * time.time())
    produce(broker, topic, {0: [Record(0, now_ms, b"k", value) for value in values]})


@contextmanager
def process(path: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "streamer", "bridge", "webhook", "-c", str(path), "--listen", f"127.0.0.1:{port}"]
    with (path.parent / "log").open("ab") as log, subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log) as one:
        try:
            yield one
        finally:
            if one.poll() is None:
                one.kill()


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


@pytest.mark.broker
def test_a_process_that_is_killed_loses_nothing(
    broker: str, make_topics: Callable[..., list[str]], tmp_path: Path
) -> None:
    [topic], [port] = make_topics("al", partitions=1), free_ports(1)
    values = [one.value for one in records()]
    never = threading.Event()
    with Receiver(Say(), Say(), Say(503), Say(wait=never)) as receiver:
        path = config_at(tmp_path, broker, topic, f'{{webhook: {{url: "{receiver.url}/hook-7c1"}}}}')
        with process(path, port) as first:
            until(lambda: get(f"http://127.0.0.1:{port}/readyz")[0] == 200)
            until(lambda: "bridge_assigned_partitions 1.0" in get(f"http://127.0.0.1:{port}/metrics")[1])
            publish(broker, topic, *values)
            until(lambda: len(receiver.sent) == 4)  # It waits for an answer to the third.
            first.kill()
        never.set()
        publish(broker, topic, values[0])  # And the service tells one once more.
        with process(path, port) as second:
            wait_committed(broker, f"{topic}-webhook", topic, {0: len(values) + 1})
            assert get(f"http://127.0.0.1:{port}/livez") == (200, "ok\n")
            second.send_signal(signal.SIGTERM)
            assert second.wait(PATIENCE_S) == 0
    bodies = [one.body for one in receiver.sent]
    assert list(dict.fromkeys(bodies)) == values
    assert bodies[-5:] == values[-5:]
    log = (tmp_path / "log").read_text()
    assert '"event": "stopped"' in log
    assert "hook-7c1" not in log  # The address is a secret.


class Stopper:
    """See `streamer.service.stopper.Stopper`."""

    why = "a stop signal came"

    def __init__(self) -> None:
        self.asked, self.code = threading.Event(), 0

    def drained(self, landed: bool) -> None:
        assert landed


@contextmanager
def alertmanager(folder: Path) -> Iterator[str]:
    """A real one; its address."""
    [port] = free_ports(1)
    (folder / "am.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    command = ["prometheus-alertmanager", f"--config.file={folder / 'am.yml'}", f"--storage.path={folder / 'am'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    with (folder / "am.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as one:
        try:
            until(lambda: get(f"http://127.0.0.1:{port}/-/ready")[0] == 200)
            yield f"http://127.0.0.1:{port}"
        finally:
            one.kill()


def answers_of(labels: dict[str, str], mute: bytes) -> tuple[bytes, bytes]:
    """What the service says of a mute of what has these labels, and of its end."""
    given = json.loads(mute)
    held = {"id": given["id"], "labels": {name: labels[name] for name in ("model", "monitor")}, "until_ms": 7_200_000}
    facts = ControlFacts(
        "applied", "", "fraud", "g", "o", 0, 1, 0, 0, {**given["data"], **given}, ("c", 0, 0), None, {}, mutes=[held]
    )
    ended = facts._replace(offset=2, command={"id": "m2", "type": "unmute"})
    return render_control(facts)[1], render_control(ended)[1]


@pytest.mark.broker
@pytest.mark.skipif(
    shutil.which("prometheus-alertmanager") is None or shutil.which("amtool") is None,
    reason="no round trip through Alertmanager: prometheus-alertmanager is not installed",
)
def test_through_a_real_alertmanager_and_back(
    broker: str, make_topics: Callable[..., list[str]], tmp_path: Path
) -> None:
    [topic], [control] = make_topics("al", partitions=1), make_topics("control", partitions=1)
    publish(broker, topic, *(one.value for one in records()))
    shape, nulls = of("amount-shape")[0], of("nulls")[0]
    with alertmanager(tmp_path) as url:
        path = config_at(
            tmp_path,
            broker,
            topic,
            f'{{page: "http://page", alertmanager: {{url: "{url}", interval: 1s, silences: both}}}}',
        )
        path.write_text(path.read_text() + f"control: {{topic: {control}}}\n")
        stopper, health, figures = Stopper(), Health(checks=CHECKS), bridge_figures()
        config = load_config(path, {})
        given: Any = (config, "alertmanager", stopper, config.bridges.page, health, figures, lambda *_, **__: None)
        thread = threading.Thread(target=deliver, args=given)
        thread.start()
        try:

            def states() -> dict[str, str]:
                return {
                    one["fingerprint"]: one["status"]["state"] for one in json.loads(get(f"{url}/api/v2/alerts")[1])
                }

            # What fires is shown, though its events are of a year ago; what is over is not.
            until(lambda: states() == {shape.key: "active", nulls.key: "active"})
            [one] = [one for one in json.loads(get(f"{url}/api/v2/alerts")[1]) if one["fingerprint"] == nulls.key]
            assert one["labels"] == nulls.record["data"]["alert"]["labels"]
            assert one["generatorURL"] == f"http://page/#/alert/{nulls.episode}"
            assert ms_of(one["startsAt"]) == ms_of(nulls.since)
            assert 0 < ms_of(one["endsAt"]) - 1000 * time.time() <= 4100

            # A silence is honoured, also when it is told again, and read back.
            silence = ["amtool", f"--alertmanager.url={url}", "silence", "add", "--author=a", "--comment=b"]
            subprocess.run([*silence, "monitor=nulls", "model=fraud"], check=True, stdout=subprocess.DEVNULL)
            until(lambda: states() == {shape.key: "active", nulls.key: "suppressed"})
            told = figures.get("bridge_attempts_total", outcome="delivered")
            until(lambda: figures.get("bridge_attempts_total", outcome="delivered") >= told + 2)
            assert states()[nulls.key] == "suppressed"
            listed = CliRunner().invoke(main, ["alerts", "list", "-c", str(path), "--silenced", "--open"])
            assert listed.exit_code == 0
            [marked] = [line for line in listed.stdout.splitlines() if "(silenced)" in line]
            assert nulls.key in marked

            # A mute of what fires already is a silence, and one that is ended is none.
            mute = command("mute", "m1", model="fraud", monitor="amount-shape", **{"for": "2h"})
            muted, unmuted = answers_of(shape.record["data"]["alert"]["labels"], mute)
            publish(broker, topic, muted)
            until(lambda: states() == {shape.key: "suppressed", nulls.key: "suppressed"})
            [one] = [one for one in json.loads(get(f"{url}/api/v2/silences")[1]) if "m1" in one["comment"]]
            assert (one["createdBy"], one["comment"]) == ("ada", "known (driftline mute m1)")
            assert 0 < ms_of(one["endsAt"]) - 1000 * time.time() <= 7_200_000
            publish(broker, topic, unmuted)
            until(lambda: states() == {shape.key: "active", nulls.key: "suppressed"})

            # With `both` the silence is a mute: its command is in the topic of control, once.
            until(lambda: read_all(broker, control, 1))
            [(key, said)] = [(m.key(), json.loads(m.value())) for m in read_all(broker, control, 1)]
            assert (key, said["type"], said["by"], said["data"]["monitor"]) == (b"fraud", "mute", "a", "nulls")

            # What is over goes.
            publish(broker, topic, changed(nulls, id="over", data__status="resolved", data__alert__endsAt=nulls.time))
            until(lambda: states() == {shape.key: "active"})
        finally:
            stopper.asked.set()
            thread.join()
    assert figures.get("bridge_attempts_total", outcome="refused") == 0


def test_a_kind_that_is_not_in_the_file_is_said(tmp_path: Path) -> None:
    path = config_at(tmp_path, "b:1", "al", "{}")
    result = CliRunner().invoke(main, ["bridge", "slack", "-c", str(path)])
    assert (result.exit_code, "there is no bridges.slack" in result.output) == (78, True)
    assert CliRunner().invoke(main, ["bridge", "pager", "-c", str(path)]).exit_code == 2
    page = CliRunner().invoke(main, ["bridge", "slack", "-c", str(path), "--page", "javascript:x"])
    assert (page.exit_code, "is no address" in page.output) == (2, True)
