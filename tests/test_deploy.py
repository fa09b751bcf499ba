"""What stands in deploy/ works with this version."""

from __future__ import annotations

import contextlib
import http.client
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from streamer.config.load import check, load_config
from streamer.kafka.rights import rights
from streamer.kafka.transactions import transactional_id
from streamer.service.http import Health, start_server
from streamer.service.metrics import Metrics

ROOT = Path(__file__).parent.parent


def test_the_example_config_is_valid_without_any_variable_set() -> None:
    config, problems = check((ROOT / "deploy" / "driftline.yaml").read_bytes(), "driftline.yaml", {})
    assert problems == []
    assert config is not None


def test_the_demo_runs_the_monitors_the_readme_shows() -> None:
    text = (ROOT / "streamer" / "commands" / "demo.yaml").read_text()
    monitors = text.partition("\nmonitors:\n")[2].partition("\ncommit:")[0]
    assert monitors.count("signal:") == 3
    assert f"\nmonitors:\n{monitors}\n```" in (ROOT / "README.md").read_text()
    load_config(ROOT / "streamer" / "commands" / "demo.yaml", {"KAFKA_BROKERS": "b:1"})


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not installed")
def test_the_dockerfile_is_clean() -> None:
    done = subprocess.run(["hadolint", ROOT / "deploy" / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


@needs_systemd
def test_the_unit_is_shut_to_what_the_service_does_not_need() -> None:
    unit = str(ROOT / "deploy" / "driftline.service")
    # The threshold is in tenths: 2.0 of 10.
    command = ["systemd-analyze", "security", "--offline=yes", "--threshold=20", unit]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze does not judge files")
    assert done.returncode == 0, done.stdout.splitlines()[-1]


@needs_systemd
def test_the_unit_file_is_one(tmp_path: Path) -> None:
    unit = tmp_path / "driftline.service"
    text = (ROOT / "deploy" / "driftline.service").read_text()
    command = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    unit.write_text(text.replace(command, "ExecStart=/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "driftline" in line]) == (0, [])


def image_environment() -> dict[str, str]:
    """What the last stage of the Dockerfile sets."""
    last = (ROOT / "deploy" / "Dockerfile").read_text().rpartition("\nFROM ")[2]
    return dict(re.findall(r"^ENV (\w+)=(\S+)$", last, re.M))


def answers(address: str, port: int) -> bool:
    with contextlib.suppress(OSError):
        connection = http.client.HTTPConnection(address, port, timeout=5)
        connection.request("GET", "/livez")
        return connection.getresponse().status == 200
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.2 is an address of this machine on Linux only")
@pytest.mark.parametrize(("variables", "reached"), [({}, False), (image_environment(), True)], ids=["host", "image"])
def test_probes_from_outside_reach_the_image_and_nothing_else(variables: dict[str, str], reached: bool) -> None:
    """A server that is bound to 127.0.0.1 does not answer at 127.0.0.2, one that is bound to all addresses does."""
    listen = load_config(ROOT / "deploy" / "driftline.yaml", variables).server.listen
    host, _, port = listen.rpartition(":")
    assert f"\nEXPOSE {port}\n" in (ROOT / "deploy" / "Dockerfile").read_text()
    server = start_server(f"{host}:0", Metrics(), Health(), {})
    try:
        bound = int(server.address.rpartition(":")[2])
        assert (answers("127.0.0.1", bound), answers("127.0.0.2", bound)) == (True, reached)
    finally:
        server.close()


def test_replicas_do_not_fence_each_other_by_default() -> None:
    for variables in ({}, image_environment()):
        first, second = (load_config(ROOT / "deploy" / "driftline.yaml", variables) for _ in range(2))
        assert first.kafka.instance is None
        assert transactional_id(first) != transactional_id(second)


def test_the_rights_that_the_readme_lists_are_those_of_the_shipped_config() -> None:
    text = (ROOT / "deploy" / "README.md").read_text()
    config = load_config(ROOT / "deploy" / "driftline.yaml", {})
    listed = set(re.findall(r"^\| (\w+) \| ([\w-]+) \| `([^`]+)` \|", text, re.M))
    needed = {(right.operation, right.resource, right.name + "*" * right.prefix) for right in rights(config)}
    assert needed == {row for row in listed if row[2] != "drift-windows"}
    assert ("Write", "topic", "drift-heartbeats") in listed
