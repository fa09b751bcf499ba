"""`make bench-labels`: tables with labels that come late, and a real classifier. What was estimated of the error before
the labels were there, beside what came of it; and what the gap says, and the estimate alone.

Each table is played in the order of time and shuffled, and shuffled with a change in the middle: of the concept, by
other labels for a part of the rows, or of the inputs alone, by drawing some rows more often than others. Prints a
table, writes build/bench-labels.json and a picture of each table to build/labels-TABLE.png.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.quality.tables import read
from schemas.events.batch import Record
from schemas.events.decoder import Decoder
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.engine.task import Task
from streamer.port import Tick

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.append(str(ROOT / "build" / "labels"))  # scikit-learn and matplotlib, where they are not installed

Array = Any
AT = ("inferences", 0)
BEGIN_S, STEP_S = 1_767_225_600, 18
"""An hour has 200 rows."""
TRAINED, DELAY, LEARNED = 4_000, 1_000, 3_000
"""Rows the classifier learns from; by which labels come late; from which on windows count: the calibration has some."""
LEFT_OUT = 4
"""Windows around a change that are of either side."""
CONFIG = """
version: 1
kafka: {brokers: "localhost:1", order: topic}
topics: {events: [inferences], windows: w}
heartbeat: {interval: 1h}
labels: {ttl: 2d, window: 1h}
monitors:
  gap: {signal: realised_error, detect: {kind: gap}}
  estimate: {signal: estimated_error, detect: {kind: adwin, delta: 0.00001}}
"""


class Rows(NamedTuple):
    """A table, or some of it in some order."""

    features: Array
    truth: Array  # 0 or 1

    def at(self, places: Array) -> Rows:
        return Rows(self.features[places], self.truth[places])


class Said(NamedTuple):
    """What a classifier says of rows, and what is true."""

    positive: Array
    truth: Array


class Window(NamedTuple):
    hour: float  # of its begin
    estimated: float
    low: float
    high: float
    realised: float
    held: tuple[int, int]  # windows judged by then, and those whose interval held
    trusted: bool


class Told(NamedTuple):
    windows: list[Window]
    fired: list[tuple[str, float, str]]  # monitor, hour, and which way


def elec2(folder: Path) -> Rows:
    table = read(folder / "elec2" / "electricity.csv")
    truth = (table.pop("class") == "UP").astype(int)
    del table["date"]
    return Rows(np.c_[tuple(table.values())], truth)


def skab(folder: Path) -> Rows:
    """Sixteen runs of a pump, one behind the other: is a valve closed?"""
    files = sorted((folder / "skab" / "valve1").glob("*.csv"), key=lambda path: int(path.stem))
    parts = [np.genfromtxt(path, delimiter=";", skip_header=1)[:, 1:] for path in files]
    return Rows(np.vstack(parts)[:, :8], np.concatenate([part[:, 8] for part in parts]).astype(int))


def sea(folder: Path) -> Rows:
    """Made, not measured: its concept changes three times by itself."""
    table = read(folder / "harvard" / "sea_0123_abrupto_noise_0.2.csv.gz")
    truth = table.pop("class").astype(int)
    return Rows(np.c_[tuple(table.values())], truth)


TABLES: dict[str, Callable[[Path], Rows]] = {"elec2": elec2, "skab": skab, "sea": sea}


def boosted(rows: Rows) -> Callable[[Array], Array]:
    """Trained gradient boosting, as what says how likely a row is positive."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=15, random_state=0)
    model.fit(rows.features, rows.truth)
    return lambda features: model.predict_proba(features)[:, 1]


def relabelled(rows: Rows, rng: np.random.Generator) -> Rows:
    """From the middle on the labels are others where the first feature is above its median: a third of them."""
    after = np.arange(len(rows.truth)) >= len(rows.truth) // 2
    first = rows.features[:, 0]
    other = after & (first > np.median(first)) & (rng.random(len(first)) < 1 / 3)
    return rows._replace(truth=np.where(other, 1 - rows.truth, rows.truth))


def resampled(rows: Rows, positive: Array, rng: np.random.Generator) -> Array:
    """Places of rows: from the middle on those of which the model is less sure come more often. What is true of a row
    stays as it is, so only the inputs change.
    """
    places, sure = np.arange(len(rows.truth)), np.maximum(positive, 1.0 - positive)
    weight = np.exp(-2.0 * (sure - sure.mean()) / sure.std())
    half = len(places) // 2
    drawn = rng.choice(np.arange(half, len(places)), len(places) - half, p=weight[half:] / weight[half:].sum())
    return np.r_[places[:half], drawn]


def events_of(said: Said) -> Iterator[dict[str, Any]]:
    for row, positive in enumerate(said.positive.tolist()):
        time_s = BEGIN_S + row * STEP_S
        prediction = {"label": "yes" if positive > 0.5 else "no", "confidence": max(positive, 1.0 - positive)}
        yield {"model": "m", "time": time_s, "event_id": f"e{row}", "prediction": prediction}
        if row >= DELAY:
            about = {"event_id": f"e{row - DELAY}", "value": "yes" if said.truth[row - DELAY] else "no"}
            yield {"model": "m", "time": time_s, "label": about}


def played(said: Said) -> Told:
    """What the engine tells of it. A window counts when all of its labels are there."""
    config = load_text(CONFIG, "labels", {})
    task, decoder = Task(config, AT, 0), Decoder(fields_of(config))
    events = list(events_of(said))
    log = [Record(i, int(one["time"] * 1000), None, json.dumps(one).encode()) for i, one in enumerate(events)]
    windows, fired = dict[str, Window](), list[tuple[str, float, str]]()
    for begin in range(0, len(log), 400):
        end = min(begin + 400, len(log))
        task.step(decoder(log[begin:end], AT[0]))
        task.tick(Tick(end, int(events[end - 1]["time"] * 1000), True))
        for out in task.outbox:
            record = json.loads(out.value or b"")
            data = record["data"]
            if out.topic == "alerts" and data["status"] == "firing" and record["sequence"].lstrip("0") == "1":
                at_h = (_seconds(data["trigger"]["time"]) - BEGIN_S) / 3600
                fired.append((data["alert"]["labels"]["monitor"], at_h, data["direction"]))
            elif out.topic == "windows" and "performance" in record["type"]:
                _take(data, windows)
        task.published()
    return Told(list(windows.values()), fired)


def _take(data: dict[str, Any], windows: dict[str, Window]) -> None:
    if data["by"] or "estimated" not in data or data["labelled"] < data["inferences"]:
        return
    hour, told = (_seconds(data["window"]["from"]) - BEGIN_S) / 3600, data["estimated"]
    held = told["covered"]["windows"], told["covered"]["count"]
    interval, realised = told["interval"], data["error"]["share"]
    windows[data["window"]["from"]] = Window(hour, told["share"], *interval, realised, held, told["covered"]["trusted"])


def _seconds(text: str) -> float:
    return float(np.datetime64(text.removesuffix("Z"), "ms").astype(np.int64)) / 1000


def covered(windows: list[Window]) -> float:
    """The share whose error is within the interval of its estimate."""
    return float(np.mean([one.low <= one.realised <= one.high for one in windows])) if windows else float("nan")


def row_of(name: str, stream: str, rows: int, told: Told) -> dict[str, Any]:
    """Before the middle, and behind; without the windows around it, as of them either half is of another world."""
    middle = rows * STEP_S / 7200
    known = [one for one in told.windows if one.hour >= LEARNED * STEP_S / 3600]
    before = [one for one in known if one.hour < middle - 1]
    after = [one for one in known if one.hour >= middle + LEFT_OUT]
    alarms = {
        f"{monitor}_{when}": sum(
            name == monitor and (hour >= middle) == (when == "after") for name, hour, _ in told.fired
        )
        for monitor in ("gap", "estimate")
        for when in ("before", "after")
    }
    error, estimate = (
        [float(np.mean([one[place] for one in part])) if part else float("nan") for part in (before, after)]
        for place in (Window._fields.index("realised"), Window._fields.index("estimated"))
    )
    shares = {"covered_before": covered(before), "covered_after": covered(after)}
    doubted = [one.hour for one in told.windows if not one.trusted]
    said = {"held": told.windows[-1].held, "doubted": len(doubted), "doubted_from": min(doubted, default=None)}
    return (
        {"table": name, "stream": stream, "windows": len(known), "error": error, "estimate": estimate}
        | shares
        | alarms
        | said
    )


def streams(rows: Rows, seed: int, fit: Callable[[Rows], Callable[[Array], Array]]) -> Iterator[tuple[str, Said]]:
    """By name what is played: the rows behind those that the classifier has learned from."""
    rng, places = np.random.default_rng(seed), np.arange(len(rows.truth))
    orders = {"in time": places} if seed == 0 else {}
    for name, order in {**orders, "shuffled": rng.permutation(places)}.items():
        model = fit(rows.at(order[:TRAINED]))
        rest = rows.at(order[TRAINED:])
        positive = model(rest.features)
        yield name, Said(positive, rest.truth)
        if name == "shuffled":
            yield "another concept", Said(positive, relabelled(rest, rng).truth)
            drawn = resampled(rest, positive, rng)
            yield "other inputs", Said(positive[drawn], rest.truth[drawn])


def drawn(name: str, told: dict[str, Told], rows: int, path: Path) -> None:
    """The picture of a table."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(len(told), 1, figsize=(11, 2.6 * len(told)), sharex=True, sharey=True)
    for axis, (stream, one) in zip(axes, told.items(), strict=True):
        hours = [window.hour for window in one.windows]
        axis.fill_between(
            hours, [w.low for w in one.windows], [w.high for w in one.windows], color="#9ecae1", label="estimated, 95 %"
        )
        axis.plot(hours, [w.estimated for w in one.windows], color="#2171b5", linewidth=1, label="estimated")
        axis.plot(hours, [w.realised for w in one.windows], ".", color="#222222", markersize=3, label="realised")
        for monitor, hour, _ in one.fired:
            axis.axvline(hour, color={"gap": "#cb181d", "estimate": "#238b45"}[monitor], linestyle="--", linewidth=1)
        if stream not in ("in time", "shuffled"):
            axis.axvline(rows * STEP_S / 7200, color="#888888", linewidth=1)
        axis.set_title(f"{stream}: {covered(one.windows):.1%} of windows covered", fontsize=9, loc="left")
        axis.set_ylabel("error")
    axes[0].legend(loc="upper right", fontsize=8, ncols=3)
    axes[-1].set_xlabel("hours of 200 rows; grey: the change, red: the gap fires, green: the estimate's detector fires")
    figure.suptitle(f"{name}: error estimated from confidence, and what labels said {DELAY:,} rows later")
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, type=Path, help="folder with elec2, skab, harvard; absent are skipped")
    parser.add_argument("--seeds", type=int, default=3, help="shuffles")
    parser.add_argument("--tables", default=",".join(TABLES))
    options = parser.parse_args()
    build, found = ROOT / "build", list[dict[str, Any]]()
    build.mkdir(exist_ok=True)
    for name in options.tables.split(","):
        try:
            rows = TABLES[name](options.data)
        except (FileNotFoundError, ValueError):
            print(f"{name}: not in --data, skipped", file=sys.stderr)
            continue
        for seed in range(options.seeds):
            told = dict[str, Told]()
            for stream, said in streams(rows, seed, boosted):
                told[stream] = played(said)
                found.append({"seed": seed, **row_of(name, stream, len(said.truth), told[stream])})
                print(json.dumps(found[-1]), flush=True)
            if seed == 0:
                drawn(name, told, len(rows.truth) - TRAINED, build / f"labels-{name}.png")
    (build / "bench-labels.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
