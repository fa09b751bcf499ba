"""`make test` has two sessions, with the compiled core and without: what the second leaves out, the first has run."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from streamer.engine.engines import COMPILED, PYTHON, Engine
from tests.conftest import has_run


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


@pytest.mark.parametrize("engine", [engine for engine in (PYTHON, COMPILED) if engine is not None])
def test_an_engine_among_the_parameters_is_seen(engine: Engine, request: pytest.FixtureRequest) -> None:
    assert has_run(request.node)
    assert engine in request.node.callspec.params.values()


@pytest.mark.parametrize("number", [1])
def test_other_parameters_are_none(number: int, request: pytest.FixtureRequest) -> None:
    assert not has_run(request.node), number
