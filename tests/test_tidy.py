"""Style is a unit test: imports obey the law of the rooms, the core calls no clock, files and functions stay small.

Every check walks the folders, so that a new room or file is held to it without another line. Each is one test that
names all offenders: a test per file and check cost more than the check, in every process that collects the suite.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("schemas", "detectors", "streamer")
SOURCES = [p for name in PACKAGES for p in sorted((ROOT / name).rglob("*.py"))]
FILES = SOURCES + [p for name in ("tests", "benchmarks") for p in sorted((ROOT / name).rglob("*.py"))]
RUST = sorted((ROOT / "schemas" / "native" / "src").rglob("*.rs"))
LINES_MAX = 400
FUNCTION_LINES_MAX = 70

LAW = (
    # Low to high: a module imports from its own room and from those before it, never from a later one.
    *("schemas.core", "schemas.events", "schemas.records", "detectors", "streamer.port", "streamer.signals"),
    *("streamer.config", "streamer.series", "streamer.monitors", "streamer.alerts"),
    *("streamer.incidents", "streamer.review", "streamer.engine"),
    *(
        "streamer.offline",
        "streamer.bridges",
        "streamer.kafka",
        "streamer.service",
        "streamer.commands",
        "streamer.__main__",
    ),
)
SHELL = ("streamer.kafka", "streamer.service", "streamer.commands", "streamer.__main__")
"""Rooms that may know the wall clock, threads and files; all others are the core."""
CORE_BANS = {"time", "random", "threading", "logging", "socket", "subprocess", "secrets", "uuid"}
MAY_DRAW = {
    "detectors.river_bank": "stores the state of river's own generators",
    "streamer.offline.generator": "draws the streams of scenario tests by their seed",
    "streamer.offline.reviewers": "draws what people of scenario tests say, by the same",
}
BANNED_MODULES = {"pickle", "dill", "joblib", "marshal", "shelve"}
BANNED_CALLS = {"eval", "exec", "hash"}


def name_of(path: Path) -> str:
    """`streamer.engine.task`; a package is called as its folder."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def room_of(module: str) -> str | None:
    """The room of the law that a module is in; None for one that has no place in it."""
    found = [room for room in LAW if module == room or module.startswith(f"{room}.")]
    return found[0] if found else None


@cache
def nodes(path: Path) -> list[ast.AST]:
    """Whatever imports, defines or calls in a file, anywhere in it."""
    kinds = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.Call)
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)]


@cache
def imports(path: Path) -> set[str]:
    """The modules that a file imports, anywhere in it; under TYPE_CHECKING, too. Asked for when a test runs: every
    process of the suite imports this file, and few run a test of it.
    """
    found = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: a relative import"
            below = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            found |= {full if full in MODULES else node.module for full in below.values()}
    return found


MODULES = {name_of(path): path for path in SOURCES}
PLAIN_PACKAGES = {name for name, path in MODULES.items() if path.name == "__init__.py" and name != "detectors"}
"""A package stands for its `__init__`, which holds nothing but its docstring."""


def arrows(module: str) -> set[str]:
    """The modules of ours that it imports."""
    return (imports(MODULES[module]) & MODULES.keys()) - PLAIN_PACKAGES - {module}


def is_core(module: str) -> bool:
    return room_of(module) not in SHELL


def test_there_is_something_to_check() -> None:
    assert len(MODULES) > 100
    assert len(RUST) > 20
    assert {room_of(name) for name in MODULES} - {None} == set(LAW), "a room of the law is empty"


def test_every_module_obeys_the_import_law() -> None:
    modules = MODULES.keys() - PLAIN_PACKAGES
    homeless = sorted(name for name in modules if room_of(name) is None)
    assert not homeless, "these are in no room of the law: name their place in LAW, and in streamer/README.md"
    place = {name: LAW.index(room_of(name) or "") for name in modules}
    back = [f"{name} imports {other}" for name in modules for other in arrows(name) if place[other] > place[name]]
    assert not sorted(back), "a room imports from one that comes after it"


def test_no_modules_import_each_other() -> None:
    try:
        TopologicalSorter({name: arrows(name) for name in MODULES}).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("package", sorted(PLAIN_PACKAGES - {"streamer"}))
def test_a_room_says_what_it_is_and_no_more(package: str) -> None:
    body = ast.parse(MODULES[package].read_text()).body
    assert len(body) == 1
    assert ast.get_docstring(ast.parse(MODULES[package].read_text()))


def test_the_law_is_what_the_readme_says() -> None:
    text = (ROOT / "streamer" / "README.md").read_text().replace("`", " ")
    rooms = list(dict.fromkeys(room.split(".")[0 if not room.startswith("streamer.") else 1] for room in LAW))
    assert re.search(r"\s*<\s*".join(rooms[:-1]), text), "streamer/README.md tells another law"


def test_files_are_small() -> None:
    lengths = {str(path.relative_to(ROOT)): path.read_text().count("\n") for path in FILES}
    assert {name: length for name, length in lengths.items() if length > LINES_MAX} == {}


def test_functions_are_small() -> None:
    functions = [(path, node) for path in FILES for node in nodes(path) if isinstance(node, ast.FunctionDef)]
    assert len(functions) > 3000
    lengths = {f"{path.relative_to(ROOT)}: {f.name}": (f.end_lineno or 0) - f.lineno + 1 for path, f in functions}
    assert {name: length for name, length in lengths.items() if length > FUNCTION_LINES_MAX} == {}


UNSAFE = {
    "arrays.rs": "asks the processor for a row ahead of time, which reads nothing",
    "kafka/librdkafka.rs": "calls a library written in C",
}
RUST_FUNCTION = re.compile(r"^( *)(?:pub(?:\([a-z]+\))? )?(?:const )?(?:unsafe )?(?:extern \"C\" )?fn (\w+)", re.M)


@pytest.mark.parametrize("path", RUST, ids=lambda p: p.name)
def test_files_of_the_compiled_core_are_small_and_safe(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= LINES_MAX
    name = str(path.relative_to(ROOT / "schemas" / "native" / "src"))
    assert "unsafe" not in text.replace("forbid(unsafe_code)", "") or name in UNSAFE
    for begin in RUST_FUNCTION.finditer(text):  # rustfmt closes a function where it began.
        end = re.compile(rf"^{begin[1]}}}$|;$", re.M).search(text, begin.end())
        assert end is not None
        length = text.count("\n", begin.start(), end.end()) + 1
        assert length <= FUNCTION_LINES_MAX, f"{begin[2]} has {length} lines"


def test_what_may_be_unsafe_is() -> None:
    folder = ROOT / "schemas" / "native" / "src"
    assert all("unsafe" in (folder / name).read_text() for name in UNSAFE)


def packages_of(path: Path) -> set[str]:
    """What a file imports, by the first word."""
    return {name.partition(".")[0] for name in imports(path)}


def test_no_banned_module_is_imported() -> None:
    found = {str(path.relative_to(ROOT)): packages_of(path) & BANNED_MODULES for path in FILES}
    # The benchmark measures what we do without.
    assert {name: used for name, used in found.items() if used} == {"benchmarks/banks.py": {"pickle"}}


def test_nothing_banned_is_called() -> None:
    for name, path in MODULES.items():
        calls = [node.func for node in nodes(path) if isinstance(node, ast.Call)]
        assert not {call.id for call in calls if isinstance(call, ast.Name)} & BANNED_CALLS, name


def test_only_one_room_talks_to_kafka() -> None:
    talking = {room_of(name) for name, path in MODULES.items() if "confluent_kafka" in packages_of(path)}
    assert talking == {"streamer.kafka"}


def test_the_core_knows_no_clock_no_chance_no_io() -> None:
    core = [name for name in MODULES if is_core(name)]
    assert len(core) > 80
    found = {name: packages_of(MODULES[name]) & CORE_BANS for name in core}
    assert {name: used for name, used in found.items() if used} == {name: {"random"} for name in MAY_DRAW}


def test_nobody_asks_which_class_a_monitor_is() -> None:
    """Each answers for itself, see `streamer/monitors/base.py`."""
    classes = re.compile(r"isinstance\([^)]*\b\w*(?:Monitor|Source|Presence|Aggregates)\b")
    chains = {name: classes.findall(path.read_text()) for name, path in MODULES.items()}
    # A monitor that reads more of its source than the column says so once, when it is made.
    own = {"streamer.monitors.silence": 1}
    assert {name: len(found) for name, found in chains.items() if found} == own


DEADLINES = re.compile(r"monotonic\(\) \+ |\btimeout=\d|\.(?:wait|join|result|flush|settimeout)\(\d")
OWN_DEADLINES = {
    "tests/bounded.py": "what hangs is left to itself",
    "tests/broker/broker.py": "a broker that does not start, or does not end",
    "tests/commands/test_control.py": "an answer that never comes",
    "tests/commands/test_tap.py": "a rest between two records",
    "tests/kafka/test_broker_facts.py": "what must not come, and a broker that is stopped",
    "tests/kafka/test_transactions.py": "a later time",
    "tests/kafka/test_waker.py": "wakes at each moment of a second",
    "tests/service/test_http_limits.py": "a client that looks for its answer now and then",
    "tests/service/test_page.py": "what must not come",
    "tests/test_bounded.py": "a session whose test hangs",
}
"""Tests that have a time limit of their own, and for what: not for what does happen."""


def test_what_happens_is_waited_for_in_one_way() -> None:
    """Five seconds are enough here and too few on a busy machine: `tests/waiting.py` has the one limit there is."""
    found = {str(path.relative_to(ROOT)) for path in FILES if DEADLINES.search(path.read_text())}
    assert {name for name in found if name.startswith("tests/")} == {*OWN_DEADLINES, "tests/waiting.py"}
