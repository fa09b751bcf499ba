"""What is watched, apart from the task around it: its state goes on where monitors mean what they meant."""

from __future__ import annotations

import pytest

from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.engine import snapshot
from streamer.engine.engines import ENGINE, PYTHON, Engine
from streamer.engine.watching import Watching
from tests.engine.tasks import LEAST, events, run

TWO = """monitors:
  mean: {signal: features.amount, detect: {kind: adwin, delta: %s}}
  spread: {signal: features.amount, window: {events: 100}, detect: {kind: distribution, distance: psi, max: 0.2}}
"""


def config(delta: str = "0.002") -> Config:
    return load_text(LEAST + TWO % delta, "x", {})


@pytest.mark.parametrize("engine", [ENGINE, PYTHON], ids=["engine", "python"])
def test_its_state_goes_on_where_monitors_mean_what_they_meant(engine: Engine) -> None:
    log = events(lambda i: {"features": {"amount": i * 37 % 101}}, 900)
    watching = run(config(), log).watching
    assert watching.series == 1, "both monitors are on one table"
    state = snapshot.decode(snapshot.encode(watching.dump()))

    again = Watching(config(), engine)
    assert again.load(state) == {"mean", "spread"}
    assert snapshot.encode(again.dump()) == snapshot.encode(watching.dump())

    other = Watching(config("0.01"), engine)
    assert other.load(state) == {"spread"}, "adwin of another delta begins anew, its table does not"
    assert other.series == 1
    assert other.spec("mean") != watching.spec("mean")


def test_it_looks_no_further_at_what_nobody_follows() -> None:
    shifted = events(lambda i: {"features": {"amount": i * 37 % 101 + (500 if i > 700 else 0)}}, 900)
    watching = run(config(), shifted).watching
    following = watching.monitors["mean"].following
    assert following is not None
    assert len(following.open) == 1
    watching.follow(lambda monitor, row: False)
    assert not len(following.open)
