"""With and without the compiled core: the same alerts, dead letters and snapshot bytes."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.core import native
from streamer.engine.engines import COMPILED, ENGINE, PYTHON
from streamer.signals.columns import group

ROOT = Path(__file__).resolve().parents[2]
SEEDS = range(10 if os.environ.get("DRIFTLINE_REPETITIONS") else 3)


def digest(seed: int) -> str:
    """A task over a log of many kinds of events, cut at random, its snapshot taken up half-way."""
    from schemas.events.decoder import Decoder
    from streamer.config.decoder_fields import fields_of
    from streamer.config.load import load_text
    from streamer.engine.task import Task
    from tests.sim.campaign import CONFIG, make_log

    text = CONFIG.replace("duplicates: 50", "duplicates: 50, series: 60") if seed % 2 else CONFIG
    config, rng, total = load_text(text, "sim.yaml", {}), random.Random(seed), hashlib.sha256()
    records, decoder = make_log(rng, seed, 1500), Decoder(fields_of(config))
    task, begin = Task(config, ("inferences", seed), 0), 0
    while begin < len(records):
        end = begin + rng.choice((1, 7, 100, 500))
        task.step(decoder(records[begin:end], "inferences"))
        for out in task.outbox:
            total.update(repr(out).encode())
        task.published()
        if rng.random() < 0.3:
            blob = task.dump()
            total.update(blob)
            task = Task.load(config, ("inferences", seed), blob)
        begin = end
    total.update(task.dump())
    return total.hexdigest()


@pytest.mark.skipif(native is None, reason="the compiled core was not built")
def test_the_compiled_core_changes_no_byte() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.engine.test_engines"],
        env={**os.environ, "DRIFTLINE_NATIVE": "0", "PYTHONPATH": str(ROOT)},
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["native: False", *map(digest, SEEDS)]


if __name__ == "__main__":
    print(f"native: {native is not None}")
    for number in SEEDS:
        print(digest(number))


@pytest.mark.skipif(native is None, reason="the compiled core was not built")
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2), st.integers(-1, 2), st.integers(-1, 1)), max_size=60))
def test_groups_are_the_same(events: list[tuple[bool, int, int, int]]) -> None:
    assert native is not None
    used = np.array([event[0] for event in events], bool)
    for depth in (1, 2, 3):
        columns = [np.array([event[k] for event in events], np.int64) for k in range(1, depth + 1)]
        of_event, example = (array.tolist() for array in group(columns, used))
        assert (of_event, example) == tuple(array.tolist() for array in native.group(columns, used))
        keys = [event[1 : depth + 1] for event in events]
        assert [n >= 0 for n in of_event] == used.tolist()
        assert [keys[example[n]] for n in of_event if n >= 0] == [keys[i] for i in np.flatnonzero(used)]
        assert len({keys[i] for i in example}) == len(example)


def test_an_engine_is_chosen_once_and_is_one_of_the_two() -> None:
    assert ENGINE is (COMPILED or PYTHON)
    assert (COMPILED is None) == (native is None)
    assert PYTHON.name == "python"
    assert PYTHON.table.row_cache is None
    assert PYTHON.sweep(None, [], True) is None  # type: ignore[arg-type]  # Whatever it is asked.


@pytest.mark.skipif(COMPILED is None, reason="the compiled core was not built")
def test_the_compiled_engine_has_a_twin_of_each_part() -> None:
    assert COMPILED is not None
    for name in ("gate", "decoder", "sweep"):
        assert getattr(COMPILED, name) is not getattr(PYTHON, name), name
    for mine, other in ((COMPILED.table, PYTHON.table), (COMPILED.monitors, PYTHON.monitors)):
        assert [name for name in mine._fields if getattr(mine, name) is getattr(other, name)] == []
