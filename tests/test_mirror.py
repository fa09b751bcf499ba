"""Tests mirror the rooms: every module has the test file of its name, or is named below with the reason.

The folders are walked, so a new room or module is held to it without another line.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("schemas", "detectors", "streamer")
WITHOUT_MAX = 16

WITHOUT: dict[str, str] = {
    # Module -> why it has no test file of its own, and what tests it instead; in a sentence.
    "streamer/__main__.py": "It is one call, whose output tests/commands/test_cli.py compares with the command line's.",
    "streamer/__init__.py": "It hands out the Python interface, which tests/offline/test_watch.py tries.",
    "streamer/port.py": "It is the contract with Kafka: tests/kafka/test_log.py and tests/sim hold both sides to it.",
    "streamer/engine/stage.py": "It is a protocol, of which tests/service/test_restore.py drives a fake one.",
    "streamer/monitors/finding.py": "It is a few words and a tuple, which every test of a monitor reads.",
    "streamer/series/source_base.py": "It is methods that do nothing: tests/series/test_sources.py calls it.",
    "streamer/kafka/admin.py": "tests/kafka/test_topics.py makes and finds topics with it on a real broker.",
    "streamer/kafka/demo_cluster.py": "tests/test_packaging.py runs the demo, which is all that it is for.",
    "streamer/kafka/reader.py": "tests/kafka/test_log.py replays ranges and reads snapshots with it on a real broker.",
    "streamer/kafka/state_topic.py": "tests/kafka/test_log.py writes snapshots and finds them again with it.",
    "streamer/kafka/topic_range.py": "tests/kafka/test_log.py reads a range by offset and by time with it.",
    "detectors/__init__.py": "It is the table of detectors: tests/detectors/test_conformance.py tries them all.",
    "detectors/compiled.py": "tests/detectors/test_native.py holds each of its banks to its twin, to the last bit.",
    "detectors/compiled_levels.py": "tests/detectors/test_levels.py holds it to its twin, to the last bit.",
}


def holds_something(path: Path) -> bool:
    """Whether there is code to test: the `__init__` of most packages is a docstring."""
    if path.name != "__init__.py":
        return True
    definitions = (ast.FunctionDef, ast.ClassDef)
    return any(isinstance(node, definitions) for node in ast.parse(path.read_text()).body)


def modules(root: Path = ROOT) -> list[str]:
    """Every module of the packages, as a path from the root."""
    found = [path for package in PACKAGES for path in sorted((root / package).rglob("*.py")) if holds_something(path)]
    return [path.relative_to(root).as_posix() for path in found]


def file_of(module: str) -> Path:
    """`streamer/engine/task.py` -> `tests/engine/test_task.py`; the other packages keep their names."""
    path = Path(module)
    folder = path.parent.relative_to("streamer") if module.startswith("streamer/") else path.parent
    name = path.stem if path.name != "__init__.py" else path.parent.name
    return Path("tests") / folder / f"test_{name}.py"


def dotted(module: str) -> str:
    return ".".join(Path(module).with_suffix("").parts).removesuffix(".__init__")


@cache
def imports(path: Path) -> frozenset[str]:
    """The modules that a file imports, and those that the helpers do which it imports from the tests."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    helpers = [(ROOT / name.replace(".", "/")).with_suffix(".py") for name in found if name.startswith("tests.")]
    return frozenset(found).union(*(imports(helper) for helper in helpers if helper.is_file()))


def has_tests(path: Path) -> bool:
    nodes = ast.walk(ast.parse(path.read_text()))
    return any(isinstance(node, ast.FunctionDef) and node.name.startswith("test_") for node in nodes)


def test_every_module_has_its_test_file() -> None:
    of = {module: ROOT / file_of(module) for module in modules() if module not in WITHOUT}
    missing = [module for module, path in of.items() if not path.is_file()]
    assert not missing, "these have no test file: write it, or say in WITHOUT what tests them instead"
    assert not [module for module, path in of.items() if dotted(module) not in imports(path)], "tested elsewhere"
    assert not [module for module, path in of.items() if not has_tests(path)], "without a test"


@pytest.mark.parametrize("module", WITHOUT)
def test_who_is_named_without_one_exists_and_has_none(module: str) -> None:
    assert module in modules(), f"{module} is gone: take it from WITHOUT"
    assert not (ROOT / file_of(module)).exists(), f"{module} has a test file by now: take it from WITHOUT"
    reason = WITHOUT[module]
    assert reason.endswith(".")
    assert len(reason.split()) > 5
    for named in re.findall(r"tests/[\w/]+(?:\.py)?", reason):
        assert (ROOT / named).exists(), f"{module}: there is no {named}"


def test_the_list_stays_short() -> None:
    assert len(WITHOUT) < WITHOUT_MAX
    assert len(modules()) > 100


def test_a_new_module_and_a_new_room_are_found(tmp_path: Path) -> None:
    for name in ("streamer/incidents/book.py", "detectors/toy.py", "schemas/records/audit.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("def made() -> None: ...\n")
        (tmp_path / name).with_name("__init__.py").write_text('"""A room."""\n')
    found = modules(tmp_path)
    assert found == ["schemas/records/audit.py", "detectors/toy.py", "streamer/incidents/book.py"]
    assert [file_of(module).as_posix() for module in found] == [
        "tests/schemas/records/test_audit.py",
        "tests/detectors/test_toy.py",
        "tests/incidents/test_book.py",
    ]
    (tmp_path / "detectors" / "__init__.py").write_text("def made() -> None: ...\n")
    assert "detectors/__init__.py" in modules(tmp_path)
