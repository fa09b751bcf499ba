"""quixstreams + river, as its own documentation writes it: one dataframe per topic, one function, nothing stored.

The clock starts with the first event the function sees, so what the framework does before is not counted.
"""

from __future__ import annotations

from typing import Any

from quixstreams import Application, message_context
from river import drift

from benchmarks.measure import Alarm, Clock, Job, hand_in, job_from_arguments


def main(job: Job) -> None:
    detectors: dict[tuple[str, str], tuple[Any, Any]] = {}
    alarms: list[Alarm] = []
    clocks: list[Clock] = []
    figures: list[dict[str, float]] = []
    seen = 0
    settings = {"isolation.level": "read_committed", **job.client}
    app = Application(
        broker_address=job.brokers,
        consumer_group=job.run,
        auto_offset_reset="earliest",
        auto_create_topics=False,
        use_changelog_topics=False,
        consumer_extra_config=settings,
        loglevel="WARNING",
    )

    def detect(event: dict[str, Any]) -> None:
        nonlocal seen
        if not clocks:
            clocks.append(Clock(1))
        seen += 1
        model = event["model"]
        for name, value in event["features"].items():
            if (model, name) not in detectors:
                detectors[model, name] = (drift.ADWIN(), drift.PageHinkley())
            for kind, detector in zip(("adwin", "page_hinkley"), detectors[model, name], strict=True):
                detector.update(value)
                if detector.drift_detected:
                    at = message_context()
                    alarms.append((model, name, kind, at.partition, at.offset))
        if seen == job.events:
            figures.append(clocks[0].figures(seen))
            app.stop()

    for name in job.topics:
        app.dataframe(app.topic(name, value_deserializer="json")).update(detect)
    app.run()
    hand_in(job, figures[0], len(detectors), 0, alarms)


if __name__ == "__main__":
    main(job_from_arguments())
