"""The generator of healthy weeks: what breathes breathes, by the seed alone, and its batches are the decoder's."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.quality.drive import AT, DAY_MS, least, play
from benchmarks.quality.faults import FAULTS, ONSET_MS, broken
from benchmarks.quality.shapes import BEGIN_MS, DAYS, SHAPES, hour_of, load_of
from benchmarks.quality.stream import Day, Merged, hours
from benchmarks.quality.weeks import KINDS, NEW, TEXTS, drawn, noise, rng_of
from schemas.events.decoder import Decoder
from streamer.config.decoder_fields import fields_of
from streamer.engine.task import Task
from streamer.port import Tick

EVERY_S = 240.0


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_four_weeks_drawn_by_its_seed(kind: str) -> None:
    one, again, other = drawn(kind, 1, EVERY_S), drawn(kind, 1, EVERY_S), drawn(kind, 2, EVERY_S)
    assert np.array_equal(one.times_ms, again.times_ms)
    assert all(np.array_equal(one.numbers[name], again.numbers[name]) for name in one.numbers)
    assert not np.array_equal(one.times_ms[:20], other.times_ms[:20])
    assert (np.diff(one.times_ms) >= 0).all()
    assert one.times_ms[0] >= BEGIN_MS
    assert one.times_ms[-1] < BEGIN_MS + DAYS * DAY_MS
    expected = DAYS * 86_400 / EVERY_S / KINDS[kind].slower
    assert 0.7 < len(one.times_ms) / expected < 1.7
    assert all(np.isfinite(column).all() for column in one.numbers.values())


@pytest.mark.parametrize("shape", SHAPES)
def test_loads_are_one_in_the_mean_of_the_first_week(shape: str) -> None:
    load = load_of((shape,), rng_of(shape))
    assert load[: 7 * 1440].mean() == pytest.approx(1)
    assert (load >= 0).all()
    assert len(load) == DAYS * 1440


def test_what_breathes_breathes_and_what_does_not_does_not() -> None:
    def between_hours(kind: str, name: str) -> float:
        c = drawn(kind, 1, 30.0)
        hour = hour_of(c.times_ms / 1000).astype(int)
        values = c.numbers[name]
        return float(np.std([values[hour == h].mean() for h in range(24)]) / values.std())

    assert between_hours("values", "features.u") > 0.05 > between_hours("traffic", "features.u")
    assert between_hours("traffic", "features.recent") > 0.5
    assert between_hours("values", "latency_ms") > 0.2 > between_hours("traffic", "latency_ms")
    counts = {kind: np.diff(np.searchsorted(drawn(kind, 1).times_ms, BEGIN_MS + DAY_MS * np.array((0, 7, 21, 28)))) for
              kind in ("growth", "even")}  # fmt: skip
    assert counts["growth"][2] / counts["growth"][0] == pytest.approx(1.05**3, abs=0.02)
    assert counts["even"][2] / counts["even"][0] == pytest.approx(1, abs=0.02)


def test_missing_nights_are_missing_and_noise_is_as_alike_as_it_says() -> None:
    hour = hour_of(drawn("missing-nights", 1, 60.0).times_ms / 1000)
    assert ((hour >= 6) & (hour < 23)).all()
    for ar in (0.0, 0.5, 0.8):
        values = noise(100_000, ar, rng_of("ar"))
        assert np.corrcoef(values[1:], values[:-1])[0, 1] == pytest.approx(ar, abs=0.02)
        assert values.std() == pytest.approx(1, abs=0.03)


def test_batches_are_what_the_decoder_makes_of_the_json() -> None:
    """Nulls, new texts, ids and texts of an event's own among them: the task answers the same to the byte."""
    models = {"a": drawn("all", 1, 200.0), "b": drawn("even", 2, 200.0)}
    models["a"] = broken(broken(models["a"], "nulls 10 %"), "new label 5 %")
    merged, config = Merged(models), least()
    begin_ms, end_ms = ONSET_MS - 2 * DAY_MS, ONSET_MS + 2 * DAY_MS
    ours, theirs, decode = Task(config, AT, 0), Task(config, AT, 0), Decoder(fields_of(config))
    day = merged.between(begin_ms, end_ms)
    assert day.nulls.any()
    assert ((day.texts & 127) == NEW).any()
    for begin, end, tick_ms in hours(day, begin_ms, end_ms):
        ours.step(merged.batch(day, begin, end, ours.position))
        theirs.step(decode(merged.json_of(day, begin, end, theirs.position), AT[0]))
        for task in (ours, theirs):
            task.tick(Tick(task.position, tick_ms, caught_up=True))
    assert ours.position == len(day.times_ms) > 800
    assert [out.value for out in ours.outbox if out.topic == "alerts"] != []
    assert ours.outbox == theirs.outbox
    assert ours.dump() == theirs.dump()


def test_every_event_is_in_one_hour() -> None:
    times_ms = np.array([0, 1, 3_599_999, 3_600_000, 9_000_000]) + BEGIN_MS
    day = Day(times_ms, *(np.zeros((5, 1)) for _ in range(3)))
    found = list(hours(day, BEGIN_MS, BEGIN_MS + 4 * 3_600_000))
    assert [(begin, end) for begin, end, _ in found] == [(0, 3), (3, 4), (4, 5), (5, 5)]
    assert [(tick - BEGIN_MS) // 3_600_000 for _, _, tick in found] == [1, 2, 3, 4]


def test_no_text_is_one_of_two_columns() -> None:
    texts = [words(code) for words in TEXTS.values() for code in range(2)]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_changes_what_it_says_and_only_from_its_onset_on(fault: str) -> None:
    healthy = drawn("values", 1, 60.0)
    spoilt = broken(healthy, fault, 1)
    before = int(np.searchsorted(healthy.times_ms, ONSET_MS))
    assert np.array_equal(spoilt.times_ms[:before], healthy.times_ms[:before])
    changed = set()
    for kind in ("numbers", "texts"):
        for name, column in getattr(healthy, kind).items():
            now = getattr(spoilt, kind)[name]
            assert np.array_equal(now[:before], column[:before]), name
            if len(now) != len(column) or not np.array_equal(now, column):
                changed.add(name)
    for name, nulls in spoilt.nulls.items():
        assert not nulls[:before].any()
        assert nulls[before:].mean() == pytest.approx(0.1, abs=0.02)
        changed.add(name)
    everything = {*healthy.numbers, *healthy.texts}
    assert changed == everything if fault == "caller silent" else len(changed) == 1


def test_faults_are_of_the_size_that_is_said() -> None:
    healthy = drawn("even", 1, 20.0)
    after = healthy.times_ms >= ONSET_MS

    def numbers(fault: str, name: str) -> tuple[np.ndarray, np.ndarray]:
        return broken(healthy, fault).numbers[name][after], healthy.numbers[name][after]

    now, was = numbers("spread x2", "features.v")
    assert now.std() / was.std() == pytest.approx(2, abs=0.01)
    now, was = numbers("correlation appears", "features.v")
    assert now.std() / was.std() == pytest.approx(1, abs=0.03)
    assert np.corrcoef(now, healthy.numbers["features.u"][after])[0, 1] == pytest.approx(0.9, abs=0.02)
    now, _ = numbers("correlation flip", "features.y")
    assert np.corrcoef(now, healthy.numbers["features.x"][after])[0, 1] == pytest.approx(-0.8, abs=0.03)
    now, was = numbers("gradual +1 sd, 2 days", "features.age")
    assert (now - was)[-1] == pytest.approx(12, abs=0.01)
    label = broken(healthy, "rare class x3").texts["prediction.label"][after]
    assert (label == 2).mean() == pytest.approx(0.06, abs=0.01)


def test_playing_in_two_goes_is_playing_once() -> None:
    """As the faults do, which go on from the state of day 24."""
    merged = Merged({"m": drawn("values", 1, 60.0)})
    whole, first = Task(least(), AT, 0), Task(least(), AT, 0)
    middle_ms, end_ms = BEGIN_MS + 3 * DAY_MS, BEGIN_MS + 5 * DAY_MS
    once = play(whole, merged, BEGIN_MS, end_ms)
    twice = play(first, merged, BEGIN_MS, middle_ms)
    second = Task.load(least(), AT, first.dump())
    assert once == twice + play(second, merged, middle_ms, end_ms)
    assert whole.dump() == second.dump()
