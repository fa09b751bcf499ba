"""With and without the compiled core: the same alerts, dead letters and snapshot bytes."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streamer.alerts.book import CompiledBook

from schemas.core import native
from streamer.alerts.lifecycle import AlertBook, Notice, Policy, notice_of
from streamer.engine.snapshot import encode
from streamer.monitors.finding import BREACH, CLEAR, DRIFT, NEITHER, Finding
from streamer.signals.columns import group
from tests.streamer.test_alerting import batch_of, first_offset

ROOT = Path(__file__).resolve().parents[2]
SEEDS = range(6)


def digest(seed: int) -> str:
    """A task over a log of many kinds of events, cut at random, its snapshot taken up half-way."""
    from schemas.events.decoder import Decoder
    from streamer.config.decoder_fields import fields_of
    from streamer.config.load import load_text
    from streamer.engine.task import Task
    from tests.sim.campaign import CONFIG, make_log

    text = CONFIG.replace("duplicates: 50", "duplicates: 50, series: 60") if seed % 2 else CONFIG
    config, rng, total = load_text(text, "sim.yaml", {}), random.Random(seed), hashlib.sha256()
    records, decoder = make_log(rng, seed, 3000), Decoder(fields_of(config))
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
    told = {}
    for chosen in ("0", "1"):
        environment = {**os.environ, "DRIFTLINE_NATIVE": chosen, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-m", "tests.streamer.test_compiled"],
            env=environment, cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        told[chosen] = done.stdout.splitlines()
    assert told["0"][0] == "native: False"
    assert told["1"][0] == "native: True"
    assert told["0"][1:] == told["1"][1:]
    assert len(told["0"]) == 1 + len(SEEDS)


if __name__ == "__main__":
    print(f"native: {native is not None}")
    for number in SEEDS:
        print(digest(number))


@pytest.mark.skipif(native is None, reason="the compiled core was not built")
@settings(max_examples=100, deadline=None, database=None)
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


FINDINGS = st.tuples(st.integers(0, 3), st.integers(0, 2), st.sampled_from((DRIFT, BREACH, CLEAR, NEITHER)))
EVENTS = st.tuples(st.integers(0, 2), st.integers(0, 3_000), st.booleans(), st.lists(FINDINGS, max_size=3))


def edge(number: int) -> Any:
    """The evidence of an edge: compared with what was learned, with nothing, or with a file of references."""
    seen = number, number / 3, number / 7, number, number + 1, 10 * number, 11 * number
    return number % 3 - 1, number / 9, 50.0, (seen, None, {"mean": 1.0, "std": 2.0})[number % 3], seen


@pytest.mark.skipif(native is None, reason="the compiled core was not built")
@settings(max_examples=300, deadline=None, database=None)
@given(st.lists(EVENTS, max_size=60), st.integers(1, 20), st.lists(st.integers(0, 4_000), min_size=6, max_size=6))
def test_both_books_decide_the_same(events: list[Any], size: int, durations: list[int]) -> None:
    """Levels in the monitors 0 and 1, edges in 2 and 3; each model has three rows. Dumped, loaded between batches."""
    policies = {"z": Policy(*durations[:3]), "b": Policy(*durations[3:])}
    policies |= {"y": Policy(0, 500, 0), "a": Policy(0, 0, 900)}
    plain, compiled = AlertBook(policies, first_offset), CompiledBook(policies, first_offset)
    clocks = [0, 0, 0]
    for begin in range(0, len(events), size):
        places, now, findings = [], [], []
        taken = np.array([used for _, _, used, _ in events[begin : begin + size]])
        for event, (model, passed_ms, used, given_here) in enumerate(events[begin : begin + size]):
            clocks[model] += passed_ms
            places.append((model, clocks[model] // 2))
            now.append(clocks[model])
            for monitor, row, signal in given_here if used else []:
                signal = signal if (signal == DRIFT) == (monitor >= 2) else NEITHER
                evidence = edge(begin + event) if signal == DRIFT else {"of": begin + event}
                findings.append(Finding(event, monitor, 3 * model + row, signal, evidence))
        given_both = batch_of(begin, places), taken, np.array(now, np.int64), findings
        decided, expected = compiled.decide(*given_both), plain.decide(*given_both)
        assert [n if isinstance(n, Notice) else notice_of(n.plain()) for n in decided] == expected
        evidence_of = [n.opened.evidence for n in expected]
        in_python = [isinstance(given, dict) or isinstance(given[3], dict) for given in evidence_of]
        assert [isinstance(n, Notice) for n in decided] == in_python
        dumped = compiled.dump()
        assert encode({"alerts": dumped}) == encode({"alerts": plain.dump()})
        assert compiled.counts() == plain.counts()
        assert repr(compiled) == repr(plain)
        assert sum(compiled.detections.values()) == sum(f.signal != NEITHER for f in findings)
        compiled = CompiledBook(policies, first_offset)
        compiled.load(dumped)
