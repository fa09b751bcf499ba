"""Levels that last: their alert stays open until they are accepted, and what comes on top is found as they were."""

from __future__ import annotations

import random

import pytest

from schemas.events.batch import Record
from schemas.events.native_json import decode
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.engines import ENGINE, PYTHON, Engine
from streamer.engine.task import Task
from streamer.offline.reference_build import build as learn_from
from tests.engine.tasks import AT, LEAST, events, news, piecewise, run

SECOND = """
monitors:
  m: {signal: features.a, accept_after: 1h, detect: {KIND}}
"""
KINDS = ("kind: adwin", "kind: page_hinkley", "kind: shiryaev_roberts", "kind: envelope", "kind: adwin, raw: true")


def levels(*parts: tuple[float, float, int], seed: int = 0) -> list[Record]:
    rng = random.Random(seed)
    values = [rng.gauss(mean, std) for mean, std, count in parts for _ in range(count)]
    return events(lambda i: {"features": {"a": values[i]}}, len(values))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("to", [(140.0, 5.0), (60.0, 5.0), (400.0, 20.0), (10_000.0, 500.0)])
def test_an_alert_stays_open_while_its_fault_lasts(kind: str, to: tuple[float, float]) -> None:
    """Until the level is accepted; on top of that the next change is found as the first was, in its own units."""
    config = load_text(LEAST + SECOND.replace("KIND", kind), "x", {})
    mean, std = to
    log = levels((100.0, 5.0, 1000), (mean, std, 6000), (mean * 1.5, std, 600))
    told = news(run(config, log).outbox)
    assert [(data["status"], (data["resolution"] or {}).get("how")) for data in told] == [
        ("firing", None), ("resolved", "accepted"), ("firing", None)
    ]  # fmt: skip
    first, accepted, second = told
    assert 1000 <= first["changed"]["offset"] < 1200
    assert accepted["changed"]["offset"] == first["changed"]["offset"] + 3600
    assert "accepted: this is the normal from here on" in accepted["sentence"]
    assert 7000 <= second["changed"]["offset"] < 7200
    parts = second["evidence"]
    assert parts["before"]["mean"] == pytest.approx(mean, rel=0.03)
    assert parts["after"]["mean"] == pytest.approx(mean * 1.5, rel=0.1)
    assert second["effect"]["deviations"] == pytest.approx(mean * 0.5 / std, rel=0.3)
    reference = parts.get("reference") or parts["before"]
    assert reference["offsets"][0] >= accepted["changed"]["offset"], "later points only"


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("kind", ["adwin", "page_hinkley", "envelope"])
def test_a_file_of_references_says_what_is_normal_until_another_level_is_accepted(kind: str, known: bool) -> None:
    """Whether it knows the series or not; what the file says of it must not come back with a restart."""
    config = load_text(LEAST + SECOND.replace("KIND", f"kind: {kind}"), "x", {})
    made = learn_from(config, [(AT, levels((100.0, 5.0, 1000), seed=9))], "good").references
    config._given, config._given_hash = made if known else made.model_copy(update={"tables": []}), "c0ffee"
    log = levels((100.0, 5.0, 1000), (10_000.0, 500.0, 5000), (15_000.0, 500.0, 400))
    first, accepted, second = news(run(config, log).outbox)
    assert (accepted["status"], accepted["resolution"]["how"]) == ("resolved", "accepted")
    assert 6000 <= second["changed"]["offset"] < 6200
    parts = second["evidence"]
    reference = parts.get("reference") or parts["before"]
    assert reference["offsets"][0] >= accepted["changed"]["offset"] > first["changed"]["offset"]
    assert (first["evidence"]["before"].get("source") == "good") == known
    for engine in (ENGINE, PYTHON):
        outs, task = piecewise(config, log, engine, random.Random(1))
        assert news(outs) == [first, accepted, second]
        assert task.dump() == Task.load(config, AT, task.dump(), engine).dump()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("engine", [PYTHON, ENGINE], ids=["python", "chosen"])
def test_a_reference_that_is_learned_anew_sees_neither_cuts_nor_restarts(seed: int, engine: Engine) -> None:
    """Several monitors share it: the first whose level is accepted renews it for all, and only once."""
    both = "".join(f"  {name}: {{signal: features.a, accept_after: 1h, detect: {{kind: {kind}}}}}\n" for name, kind in
                   (("a", "adwin"), ("p", "page_hinkley"), ("e", "envelope")))  # fmt: skip
    config = load_text(f"{LEAST}monitors:\n{both}", "x", {})
    log = levels((100.0, 5.0, 900), (300.0, 9.0, 5000), (200.0, 9.0, 500), seed=seed)
    whole = Task(config, AT, 0, engine=engine)
    whole.step(decode(log, fields_of(config), AT[0]))
    told = [(data["alert"]["labels"]["monitor"], data["status"]) for data in news(whole.outbox)]
    assert sorted(told) == sorted((name, status) for name in "ape" for status in ("firing", "resolved", "firing"))
    [table] = whole.tables.values()
    accepted = [data["changed"]["offset"] for data in news(whole.outbox) if data["status"] == "resolved"]
    assert table.learned(0).first_offset == min(accepted)
    outs, cut = piecewise(config, log, engine, random.Random(seed))
    assert outs == whole.outbox
    assert cut.dump() == whole.dump()
