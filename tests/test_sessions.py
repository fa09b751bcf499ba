"""`make test` has two sessions, with the compiled core and without: what the second leaves out, the first has run."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from streamer.engine.engines import COMPILED, PYTHON, Engine
from tests.conftest import has_run

ROOT = Path(__file__).resolve().parent.parent


def test_what_is_left_out_for_its_engine_is_run_with_the_one_in_python(request: pytest.FixtureRequest) -> None:
    """Of all tests of the rooms that have a second session."""
    engines: dict[Any, list[Engine]] = defaultdict(list)
    for item in filter(has_run, request.session.items):
        assert isinstance(item, pytest.Function)
        if not {"engine", "alerts", "detectors", "sim"} & set(item.path.parts):
            continue
        params = item.callspec.params.items()
        others = tuple((name, repr(value)) for name, value in params if not isinstance(value, Engine))
        engines[item.path, item.originalname, others] += [value for _, value in params if isinstance(value, Engine)]
    assert [test for test, given in engines.items() if PYTHON not in given] == []


WITHOUT_A_SECOND = {
    "cusum": "its sums in Python are tried beside their twins, as a part of the envelope",
    "detectable": "statistics",
    "distribution": "its banks in Python are tried beside their twins",
    "envelope": "its banks in Python are tried beside their twins",
    "envelope_state": "reads each state with both",
    "levels": "its sums in Python are tried beside their twins",
    "native": "compares the two",
    "reference": "its banks in Python are tried beside their twins",
    "river_equality": "banks in Python and their river",
    "shared_rate": "compares the two",
    "shiryaev_roberts": "its banks in Python are tried beside their twins",
    "standing": "tries both",
}


def test_what_knows_the_core_of_the_detectors_is_run_without_it() -> None:
    """Or it is said why not."""
    files = {path.stem.removeprefix("test_"): path.read_text() for path in (ROOT / "tests/detectors").glob("test_*.py")}
    knowing = {name for name, text in files.items() if re.search(r"import .*\bnative\b|compiled", text)}
    [listed] = re.findall(r"tests/detectors/test_%\.py,([a-z_ ]+)\)", (ROOT / "Makefile").read_text().split("soak:")[0])
    assert knowing == {*WITHOUT_A_SECOND, *listed.split()}


def test_what_the_second_session_leaves_out_by_name_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    names = re.findall(r"--deselect (tests/sim/test_\w+\.py)::test_%,([^)]*)", makefile)
    assert len(names) == 4
    for path, tests in names:
        for name in tests.replace("\\", " ").split():
            assert f"def test_{name}(" in (ROOT / path).read_text(), name


@pytest.mark.parametrize("engine", [engine for engine in (PYTHON, COMPILED) if engine is not None])
def test_an_engine_among_the_parameters_is_seen(engine: Engine, request: pytest.FixtureRequest) -> None:
    assert has_run(request.node)
    assert engine in request.node.callspec.params.values()


@pytest.mark.parametrize("number", [1])
def test_other_parameters_are_none(number: int, request: pytest.FixtureRequest) -> None:
    assert not has_run(request.node), number
