"""Style is a unit test: imports run one way, the core calls no clock, files and functions stay small."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("schemas", "detectors", "streamer")
FILES = [p for name in (*PACKAGES, "tests", "benchmarks") for p in sorted((ROOT / name).rglob("*.py"))]
LINES_MAX = 400
FUNCTION_LINES_MAX = 70

MAY_IMPORT = {"schemas": {"schemas"}, "detectors": {"schemas", "detectors"}, "streamer": set(PACKAGES)}
SHELL = ("kafka", "service", "server", "metrics", "reporting", "logs", "commands", "cli", "__main__", "worker")
ORDER = ("config", "series", "alerting", "snapshot", "task", "worker", "service")
"""A module of the core never imports one that stands later in this list."""
CORE_BANS = {"time", "random", "threading", "logging", "socket", "subprocess", "secrets", "uuid"}
BANNED_MODULES = {"pickle", "dill", "joblib", "marshal", "shelve"}
BANNED_CALLS = {"eval", "exec", "hash"}


def imports(path: Path) -> set[str]:
    """Absolute module names a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def is_core(path: Path) -> bool:
    relative = path.relative_to(ROOT)
    if relative.parts[0] in ("schemas", "detectors"):
        return True
    return relative.parts[0] == "streamer" and not relative.parts[1].startswith(SHELL)


def test_there_is_something_to_check() -> None:
    assert len(FILES) > 20
    assert {"task.py", "alerting.py", "series.py"} <= {p.name for p in FILES if is_core(p)}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_are_small(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= LINES_MAX
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= FUNCTION_LINES_MAX, f"{node.name} has {length} lines"


UNSAFE = {
    "bank.rs": "asks the processor for a row ahead of time, which reads nothing",
    "librdkafka.rs": "calls a library written in C",
    "intake.rs": "vouches for what that library asks of its callers",
}


@pytest.mark.parametrize("path", sorted((ROOT / "schemas" / "native" / "src").glob("*.rs")), ids=lambda p: p.name)
def test_files_of_the_compiled_core_are_small_and_safe(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= LINES_MAX
    assert "unsafe" not in text.replace("forbid(unsafe_code)", "") or path.name in UNSAFE


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_banned_is_used(path: Path) -> None:
    used = {name.partition(".")[0] for name in imports(path)}
    allowed = {"pickle"} if path.name == "banks.py" else set()  # The benchmark measures what we do without.
    assert not used & (BANNED_MODULES - allowed)
    package = path.relative_to(ROOT).parts[0]
    if package in PACKAGES:
        calls = {
            n.func.id
            for n in ast.walk(ast.parse(path.read_text()))
            if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
        }
        assert not calls & BANNED_CALLS
        assert not (set(PACKAGES) & used) - MAY_IMPORT[package]
        if "confluent_kafka" in used:
            assert path.name.startswith("kafka")


@pytest.mark.parametrize("path", [p for p in FILES if is_core(p)], ids=lambda p: str(p.relative_to(ROOT)))
def test_the_core_knows_no_clock_no_chance_no_io(path: Path) -> None:
    # One stores the state of river's own generators, the other draws the streams of scenario tests by their seed.
    allowed = {"random"} if path.name in ("river_bank.py", "generator.py") else set()
    assert not {name.partition(".")[0] for name in imports(path)} & (CORE_BANS - allowed)


@pytest.mark.parametrize("name", ORDER)
def test_imports_within_the_service_run_one_way(name: str) -> None:
    used = imports(ROOT / "streamer" / f"{name}.py")
    later = {f"streamer.{later}" for later in ORDER[ORDER.index(name) + 1 :]}
    assert not used & later
