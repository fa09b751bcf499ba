"""What order costs without Kafka, by size of batches: `python -m benchmarks.order`. CPU per event of both stages next
to the task that reads the same events directly, and of reading packed records next to decoding the JSON of their
events: once on the way, as the memory is then, and 500 events as one record, again and again.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.measure import spread
from benchmarks.product import MONITORS
from benchmarks.rounds import child
from benchmarks.sets import Case, events_of
from schemas.events.batch import Record, columns_of
from schemas.events.decoder import Decoder
from schemas.events.packed import Place
from schemas.events.packing import Unpacker, packer
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.engine.ordering import Ordering
from streamer.engine.task import Task
from streamer.port import Parts

EVENTS = 40_000
QUICK = 20
ROUNDS = 5
PARTS = 12
SHAPES = ("s10", "s50")
EVENTS_EACH = 500
TIMES = 500
BATCHES = (2_000, 500, 100, 20)
READ_AT_ONCE = 2_000  # events of the ordered log: it is written by the commit, whatever the batches were
CONFIG = """
version: 1
kafka: {{brokers: "none:1"{order}}}
topics: {{events: [in]}}
monitors:{monitors}
"""


def config(order: str) -> Config:
    return load_text(CONFIG.format(order=order, monitors=MONITORS["shipped"]), "bench.yaml", {})


class Stopwatch:
    """CPU by what it was for, in seconds."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}

    def __call__(self, what: str, work: Callable[[], Any]) -> Any:
        began_s = time.process_time()
        done = work()
        self.spent[what] = self.spent.get(what, 0.0) + time.process_time() - began_s
        return done


def direct(records: list[Record], size: int, watch: Stopwatch) -> None:
    plain = config("")
    task, decode = Task(plain, ("in", 0), 0), Decoder(fields_of(plain))
    for begin in range(0, len(records), size):
        batch = watch("decode", lambda: decode(records[begin : begin + size], "in"))  # noqa: B023
        watch("direct", lambda: task.step(batch))  # noqa: B023
        watch("direct", lambda: task.outbox)
        task.published()


def ordered(records: list[Record], size: int, watch: Stopwatch) -> tuple[int, int]:
    """How many packed records there are, and their bytes."""
    plain = config(", order: model")
    stage, decode, unpack = Ordering(plain, ("in", 0), 0, Parts(PARTS, PARTS)), Decoder(fields_of(plain)), Unpacker()
    log: list[list[bytes]] = [[] for _ in range(PARTS)]
    for begin in range(0, len(records), size):
        watch("stage_1", lambda: stage.step(decode(records[begin : begin + size], "in")))  # noqa: B023
        for out in stage.outbox:
            log[out.partition or 0].append(out.value or b"")
        stage.published()
    for number, values in enumerate(log):
        task = Task(plain, ("drift-ordered", number), 0)
        taken = [Record(place, -1, None, value) for place, value in enumerate(values)]
        each = max(READ_AT_ONCE * len(taken) * PARTS // len(records), 1)
        for begin in range(0, len(taken), each):
            batch = watch("read", lambda: unpack(taken[begin : begin + each], "drift-ordered"))  # noqa: B023
            watch("stage_2", lambda: task.step(batch))  # noqa: B023
            watch("stage_2", lambda: task.outbox)  # noqa: B023
            task.published()
    return sum(map(len, log)), sum(len(value) for values in log for value in values)


def cost(shape: str, size: int, count: int) -> dict[str, Any]:
    """The least of some rounds, per event."""
    events = [value for _, value in events_of(Case(shape), count)]
    records = [Record(place, 1_800_000_000_000, None, value) for place, value in enumerate(events)]
    least: dict[str, float] = {}
    written = (0, 0)
    for _ in range(ROUNDS):
        watch = Stopwatch()
        direct(records, size, watch)
        written = ordered(records, size, watch)
        least = {what: min(spent, least.get(what, spent)) for what, spent in watch.spent.items()}
    us = {what: spent / count * 1e6 for what, spent in least.items()}
    both = us["stage_1"] + us["read"] + us["stage_2"]
    return {
        "what": "order",
        "set": shape,
        "batch": size,
        "events_per_record": count / written[0],
        "bytes_per_event": {"json": sum(map(len, events)) / count, "packed": written[1] / count},
        "us_per_event": us,
        "ordered_over_direct": both / (us["decode"] + us["direct"]),
        "read_over_decode": us["read"] / us["decode"],
    }


def again(shape: str) -> dict[str, Any]:
    """A record of 500 events, read again, next to their JSON, decoded again; µs an event."""
    events = [value for _, value in events_of(Case(shape), EVENTS_EACH)]
    plain = columns_of([Record(place, 1_800_000_000_000, None, value) for place, value in enumerate(events)])
    decode, unpack = Decoder(fields_of(config(""))), Unpacker()
    parts = packer()(decode(plain, "in"), np.zeros(EVENTS_EACH, np.int64), Place("in", 0))
    packed = columns_of([Record(0, -1, None, value) for _, value in parts])
    least = {"decode": math.inf, "read": math.inf}
    for _ in range(TIMES):
        watch = Stopwatch()
        watch("decode", lambda: decode(plain, "in"))
        watch("read", lambda: unpack(packed, "drift-ordered"))
        least = {what: min(spent, least[what]) for what, spent in watch.spent.items()}
    us = {what: spent / EVENTS_EACH * 1e6 for what, spent in least.items()}
    return {"what": "read again", "set": shape, "us_per_event": us, "read_over_decode": us["read"] / us["decode"]}


def costs(quick: bool) -> list[dict[str, Any]]:
    """With the memory as the service has it."""
    from streamer.service.memory import settle_memory

    settle_memory()
    found = [cost(shape, size, EVENTS // (QUICK if quick else 1)) for shape in SHAPES for size in BATCHES]
    return found + [again(shape) for shape in SHAPES]


def measure(brokers: str, quick: bool) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A row for each set and size of batches; the ratios of the largest, which are those of a busy service."""
    found = child([sys.executable, "-m", "benchmarks.order"], quick)["found"]
    rows = {
        "order": [one for one in found if one["what"] == "order"],
        "again": [o for o in found if "again" in o["what"]],
    }
    for one in rows["order"]:
        parts = ", ".join(f"{what} {us:.2f}" for what, us in one["us_per_event"].items())
        told = f"{one['set']}, batches of {one['batch']:,}, {one['events_per_record']:.1f} events a record: {parts} µs"
        ratios = f"ordered {one['ordered_over_direct']:.2f} of direct, read {one['read_over_decode']:.3f} of decode"
        print(f"{told}; {ratios}", file=sys.stderr, flush=True)
    busy = {one["set"]: one for one in rows["order"] if one["batch"] == BATCHES[0]}
    reads = {one["set"]: one["read_over_decode"] for one in rows["again"]}
    print(f"500 events as one record, read again over decoded again: {reads}", file=sys.stderr, flush=True)
    return found, {
        **{f"ordered_over_direct_core_{name}": spread([one["ordered_over_direct"]]) for name, one in busy.items()},
        **{f"read_over_decode_{name}": spread([read]) for name, read in reads.items()},
    }


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps({"found": costs(json.loads(sys.argv[1]))}))
    else:
        measure("", False)
