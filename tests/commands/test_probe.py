"""`driftline probe`: of a service that is live and not ready yet, one that is, and nobody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streamer.commands.probe import probe
from streamer.service.health import CHECKS, Health
from streamer.service.http import Server, start_server
from streamer.service.metrics import Metrics
from tests.config.samples import LEAST


@pytest.fixture
def served() -> Iterator[tuple[Server, Health]]:
    health = Health()
    server = start_server("127.0.0.1:0", Metrics(), health, {})
    yield server, health
    server.close()


def run(*arguments: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(probe, arguments, env=env or {})


def test_live_is_not_ready(served: tuple[Server, Health]) -> None:
    server, health = served
    assert (run("live", server.address).exit_code, run("live", server.address).stdout) == (0, "ok\n")
    waits = run("ready", server.address)
    assert (waits.exit_code, "broker_seen: connecting to the broker" in waits.stderr) == (1, True)
    for check in CHECKS:
        health.wait(check, None)
    ready = run("ready", server.address)
    assert (ready.exit_code, "[+] broker_seen" in ready.stdout) == (0, True)


def test_where_is_an_argument_the_variable_of_the_image_or_in_the_file(
    served: tuple[Server, Health], tmp_path: Path
) -> None:
    port = served[0].address.rpartition(":")[2]
    assert run("live", env={"DRIFTLINE_LISTEN": f"0.0.0.0:{port}"}).exit_code == 0
    path = tmp_path / "c.yaml"
    path.write_text(f'{LEAST}server: {{listen: "127.0.0.1:{port}"}}\n')
    assert run("live", "-c", str(path)).exit_code == 0


def test_nobody_there_is_a_failed_check_and_no_address_a_wrong_use() -> None:
    nobody = run("live", "127.0.0.1:1", "--timeout", "2")
    assert (nobody.exit_code, nobody.stderr.startswith("127.0.0.1:1: no answer: ")) == (1, True)
    for text in ("nonsense", "http://a:1/x", "a:123456"):
        assert run("live", text).exit_code == 2, text
    assert run("well").exit_code == 2
