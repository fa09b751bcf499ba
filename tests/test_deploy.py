"""What stands in deploy/ works with this version."""

from __future__ import annotations

import contextlib
import http.client
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from streamer.config.load import check, load_config
from streamer.kafka.rights import rights
from streamer.kafka.transactions import transactional_id
from streamer.service.http import Health, start_server
from streamer.service.metrics import Metrics
from streamer.service.sbom import locked, normal
from tests.waiting import PATIENCE_S

ROOT = Path(__file__).parent.parent


def test_the_example_config_is_valid_without_any_variable_set() -> None:
    config, problems = check((ROOT / "deploy" / "driftline.yaml").read_bytes(), "driftline.yaml", {})
    assert problems == []
    assert config is not None


def test_the_demo_runs_the_monitors_the_readme_shows() -> None:
    text = (ROOT / "streamer" / "commands" / "demo.yaml").read_text()
    monitors = text.partition("\nmonitors:\n")[2].partition("\nheartbeat:")[0]
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


DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
BRINGS = re.compile(r"\b(apt-get|apk|curl|wget|git|npm|rustup|uv|cargo)\s|\bpip3? (install|wheel|download)\b|^ADD\s")


def unpinned(dockerfile: str) -> list[str]:
    """Bases without an exact version, and commands that bring something in that no hash holds."""
    text = re.sub(r"^#.*\n", "", dockerfile, flags=re.MULTILINE).replace("\\\n", " ")
    arguments = dict(re.findall(r"^ARG (\w+)=(\S+)$", text, flags=re.MULTILINE))
    stages = re.findall(r"^FROM .* AS (\w+)$", text, flags=re.MULTILINE)
    found = []
    for base in re.findall(r"^FROM (\S+)|--from=(\S+)", text, flags=re.MULTILINE):
        name = "".join(base)
        image = re.sub(r"\$\{(\w+)\}", lambda match: arguments.get(match[1], ""), name)
        if image not in stages and not re.search(r":\d+\.\d+\.\d+[\w.-]*(@sha256:[0-9a-f]{64})?$", image):
            found.append(name)
    for line in text.splitlines():
        for command in line.removeprefix("RUN ").split("&&") if line.startswith(("RUN ", "ADD ")) else ():
            words = command.split()
            by_hash = "--require-hashes" in words
            local = {"--no-index", "--no-deps"} <= set(words) and (
                "wheel" not in words or "--no-build-isolation" in words
            )
            if BRINGS.search(command) and not (" pip" in command.replace("/", " ") and (by_hash or local)):
                found.append(command.strip())
    return found


def test_the_image_is_built_of_nothing_unpinned() -> None:
    assert unpinned(DOCKERFILE) == []
    assert DOCKERFILE.count("--require-hashes") == 2


@pytest.mark.parametrize(
    ("pinned", "loose"),
    [
        ("--require-hashes -r requirements-build.txt", "-r requirements-build.txt"),
        (" --no-build-isolation", ""),
        ("--no-index --no-deps /wheels", "/wheels"),
        ("FROM ${PYTHON} AS", "FROM python:3.12 AS"),
        ("RUST=rust:1.95.0-slim-trixie", "RUST=rust:slim-trixie"),
        ("WORKDIR /src", "RUN apt-get update && apt-get install -y rustc"),
        ("WORKDIR /src", "ADD https://a.example/b.tar.gz /src"),
        ("WORKDIR /src", "RUN rustup update"),
        ("COPY --from=rust /usr/local/cargo", "COPY --from=rust:latest /usr/local/cargo"),
    ],
)
def test_whatever_is_loose_is_found(pinned: str, loose: str) -> None:
    assert pinned in DOCKERFILE
    assert unpinned(DOCKERFILE.replace(pinned, loose, 1)) != []


def test_bases_by_digest_are_taken_as_such() -> None:
    assert unpinned(DOCKERFILE.replace("-slim-trixie\n", "-slim-trixie@sha256:" + "0" * 64 + "\n")) == []
    assert "FROM ${RUST}" in DOCKERFILE
    for name in re.findall(r"^ARG (\w+)=", DOCKERFILE, flags=re.MULTILINE):
        assert f"--build-arg {name}=" in (ROOT / "deploy" / "README.md").read_text()


def test_build_tools_are_locked_and_those_that_the_tests_ran_with() -> None:
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    build = locked((ROOT / "requirements-build.txt").read_text())
    assert {normal(re.split(r"[<>=]", line)[0]) for line in asked} <= set(build)
    developing = locked((ROOT / "requirements-dev.txt").read_text())
    assert {name: developing[name] for name in build} == build
    lines = (ROOT / "requirements-build.txt").read_text().replace("\\\n", " ").splitlines()
    assert len(lines) == len(build)
    assert not [line for line in lines if "://" in line or "--hash" not in line]


def test_what_make_installs_is_locked_and_so_is_the_tool_that_locks() -> None:
    installs = re.findall(r"pip install(.*)", (ROOT / "Makefile").read_text())
    files = [found for line in installs for found in re.findall(r"--require-hashes -r (\S+)", line)]
    assert files == ["requirements-dev.txt", "requirements-lock.txt"]
    own, beside = [line for line in installs if "--require-hashes" not in line]
    assert "--target build/labels $(LABELS)" in beside, "what one benchmark draws with, beside the environment"
    assert "--no-deps --no-build-isolation -e ." in own, "only ourselves, and built of what is there"
    text = (ROOT / "requirements-lock.txt").read_text()
    assert list(locked(text)) == ["uv"]
    assert "://" not in text


def image_environment() -> dict[str, str]:
    """What the last stage of the Dockerfile sets."""
    last = (ROOT / "deploy" / "Dockerfile").read_text().rpartition("\nFROM ")[2]
    return dict(re.findall(r"^ENV (\w+)=(\S+)$", last, re.M))


def answers(address: str, port: int) -> bool:
    with contextlib.suppress(OSError):
        connection = http.client.HTTPConnection(address, port, timeout=PATIENCE_S)
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
    optional = {"drift-windows", "drift-incidents", "drift-shadow", "driftline-alertmanager"}
    optional |= {"drift-ordered", "driftline-ordered"}  # What is found in the topics may want them.
    assert needed == {row for row in listed if row[2] not in optional}
    assert ("Write", "topic", "drift-heartbeats") in listed
