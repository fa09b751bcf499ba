"""bytewax + orjson + river: a Kafka source per topic, keyed by model, one stateful step, a sink.

The clock starts with the first event the stateful step sees, so what the framework does before is not counted.
"""

from __future__ import annotations

from typing import Any

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink, run_main
from river import drift

from benchmarks.measure import Alarm, Clock, Job, hand_in, job_from_arguments


def main(job: Job) -> None:
    clocks: list[Clock] = []
    figures: list[dict[str, float]] = []
    found: list[Any] = []
    seen, series = 0, 0

    def read(message: Any) -> tuple[str, Any]:
        event = orjson.loads(message.value)
        return event["model"], (event, message.partition, message.offset)

    def detect(state: dict[str, Any] | None, given: Any) -> tuple[dict[str, Any], list[Alarm]]:
        nonlocal seen, series
        if not clocks:
            clocks.append(Clock(1))
        seen += 1
        state = {} if state is None else state
        event, partition, offset = given
        alarms = []
        for name, value in event["features"].items():
            if name not in state:
                state[name] = (drift.ADWIN(), drift.PageHinkley())
                series += 1
            for kind, detector in zip(("adwin", "page_hinkley"), state[name], strict=True):
                detector.update(value)
                if detector.drift_detected:
                    alarms.append((event["model"], name, kind, partition, offset))
        if seen == job.events:
            figures.append(clocks[0].figures(seen))
        return state, alarms

    settings = {"isolation.level": "read_committed", **{name: str(value) for name, value in job.client.items()}}
    source = KafkaSource(job.brokers.split(","), list(job.topics), tail=False, add_config=settings, batch_size=500)
    flow = Dataflow("bench")
    keyed = op.map("read", op.input("events", flow, source), read)
    each = op.stateful_map("detect", keyed, detect)
    op.output("alarms", op.flat_map("flat", each, lambda pair: pair[1]), TestingSink(found))
    run_main(flow)
    hand_in(job, figures[0], series, 0, found)


if __name__ == "__main__":
    main(job_from_arguments())
