"""Fixtures of the whole suite: the data folder, and one real broker per session for the tests marked `broker`."""

from __future__ import annotations

import faulthandler
import gc
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from _pytest.faulthandler import fault_handler_stderr_fd_key
from xdist.scheduler import LoadScopeScheduling

from streamer.engine.engines import Engine
from tests.broker.broker import Broker, missing_tools
from tests.broker.topics import topic_maker

gc.set_threshold(100_000, 20, 20)  # See `pytest_collection_finish`; collecting is another tenth faster, too.
DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
# How fast a busy machine draws examples, or runs one, says nothing of a test: a limit is kept for all of them below.
# And what failed once is not kept: every run draws anew. A hundred examples, a thousand in `make soak`.
SLOW = [hypothesis.HealthCheck.too_slow]
EXAMPLES = 1000 if "DRIFTLINE_REPETITIONS" in os.environ else 100
hypothesis.settings.register_profile(
    "untimed", max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=SLOW
)
hypothesis.settings.load_profile("untimed")


@pytest.fixture(scope="session")
def data() -> Path:
    """Folder of the test data sets; they are no part of the repository."""
    if not DATA.is_dir():
        pytest.skip("no data sets beside this checkout")
    return DATA


def limit_again(config: pytest.Config) -> None:
    """The time limit of the test that runs begins anew. At its end all stacks are printed and the process ends: the
    limit is kept by C, since a client of Kafka may hang with the interpreter's lock in its hands.
    """
    seconds = float(config.getini("faulthandler_timeout") or 0)
    if seconds > 0:
        leave = bool(config.getini("faulthandler_exit_on_timeout"))
        faulthandler.dump_traceback_later(seconds, file=config.stash[fault_handler_stderr_fd_key], exit=leave)


@pytest.hookimpl(trylast=True)
def pytest_exception_interact(node: pytest.Item | pytest.Collector) -> None:
    """pytest lifts the limit of a test that failed; its fixtures, which often hang because of it, are still to end."""
    if isinstance(node, pytest.Item):
        limit_again(node.config)


@contextmanager
def outlived_by_nothing(broker: Broker) -> Iterator[None]:
    """A test process that is ended hard, as by the time limit, takes its broker along: then this pipe breaks."""
    assert broker.process is not None
    command = ["sh", "-c", 'read -r _; kill -9 "$0"; rm -rf "$1"', str(broker.process.pid), str(broker.folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as guard:
        try:
            yield
        finally:
            guard.kill()


@pytest.fixture(scope="session")
def the_broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    missing = missing_tools()
    if missing:  # Only with CI=true; elsewhere these tests are skipped and named.
        pytest.fail(f"{missing}: no real broker, and in CI that is a failure")
    faulthandler.cancel_dump_traceback_later()  # The first time its jars are fetched, which takes what it takes.
    with Broker() as broker, outlived_by_nothing(broker):
        limit_again(request.config)
        yield broker


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> str:
    """Bootstrap address of a real Apache Kafka: DRIFTLINE_TEST_KAFKA, or one started from its jars."""
    given = os.environ.get("DRIFTLINE_TEST_KAFKA")
    if given:
        return given
    address: str = request.getfixturevalue("the_broker").bootstrap
    return address


@pytest.fixture
def make_topics(broker: str) -> Callable[..., list[str]]:
    """`make_topics("a", "b", partitions=4)` -> topic names nobody else uses."""
    return topic_maker(broker)


LANES, LANES_BESIDE = 2, 1
"""Workers that have a broker of their own: each costs half a minute of a processor. The session without the core has
little for them.
"""
GROUP = re.compile(r'mark\.xdist_group\("(\w+)"\)')
ONCE = re.compile(r'scope="module"|^@(functools\.)?cache$', re.M)
"""Of a file that makes something dear for all its tests: every worker that has one of them would make it anew."""


class Lanes(LoadScopeScheduling):
    """One worker for each group of files. xdist 3.8 finds no group of its own any more since pytest 9.2: it renames
    the tests, and they keep their names. So every worker had brokers of its own, and built the wheel.
    """

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.groups: dict[str, str] = {}
        self.plain = 0
        self.lanes = LANES_BESIDE if self.config.getoption("--beside-the-core") else LANES

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file not in self.groups:
            text = (self.config.rootpath / file).read_text() if file.endswith(".py") else ""
            if found := GROUP.search(text):
                self.groups[file] = found[1]
            elif "mark.broker" in text:
                self.groups[file] = f"broker{self.plain % self.lanes}"
                self.plain += 1
            else:
                self.groups[file] = file if ONCE.search(text) else ""
        return self.groups[file] or nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    return Lanes(config, log) if config.getvalue("dist") == "loadgroup" else None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--beside-the-core",
        action="store_true",
        help="without the compiled core, after a session with it: leave out what is given the Python engine by its "
        "parameters, since that session has run it",
    )


def has_run(item: pytest.Item) -> bool:
    """Whether a session with the compiled core has run the same: an engine is all that a task has of the core, and
    without it both are the one in Python.
    """
    given = item.callspec.params.values() if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ()
    return any(isinstance(value, Engine) for value in given)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without Java the broker tests are named as not run; in CI they fail. File by file `Lanes` deals them to few
    workers. They wait more than they compute, so the others have the processors meanwhile; what takes long begins
    early, or at the end some workers would have nothing to do.
    """
    if config.getoption("--beside-the-core"):
        repeats = [item for item in items if has_run(item)]
        config.hook.pytest_deselected(items=repeats)
        items[:] = [item for item in items if not has_run(item)]
    missing = None if os.environ.get("DRIFTLINE_TEST_KAFKA") else missing_tools()
    for item in items:
        if item.get_closest_marker("broker") is None:
            continue
        if missing and os.environ.get("CI") != "true":
            item.add_marker(pytest.mark.skip(reason=f"{missing}: no real broker"))
    early = ("broker", "xdist_group")
    items.sort(key=lambda item: (not any(map(item.get_closest_marker, early)), "sim" not in item.path.parts))


def pytest_collection_finish() -> None:
    """As the service does it: what was collected, some hundred thousand objects, stays until the end, and garbage is
    looked for seldom. It took a tenth of all time.
    """
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what did not run: a silent skip reads like a pass."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        terminalreporter.section("NOT RUN on this machine")
        for report in skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            terminalreporter.write_line(f"{report.nodeid}: {reason.removeprefix('Skipped: ')}")
