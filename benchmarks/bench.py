"""`make bench`: Driftline next to raw consume and to river in a loop, in one run, on a real and an embedded broker.

Every contestant is a fresh process, rounds are interleaved, and what counts are the ratios within a round. The metric
of record is CPU time of the consumer process, all its threads, per event: wall time is bounded by the broker, which
shares the machine. Alarms must be equal in every case, else the run fails. Prints a table, writes build/bench.json.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import functools
import json
import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import banks, formats, latency, ood, order, pages, standard, startup
from benchmarks.measure import ROOT
from benchmarks.rounds import (
    QUICK_BELOW,
    Place,
    ratio_lines,
    ratios_of,
    rounds_of,
    rows_of,
    run_round,
    table,
)
from benchmarks.sets import CASES, count_of, delete, fill, running_mock

PARTS = {
    "banks": banks.measure,
    "standard": standard.measure,
    "formats": formats.measure,
    "order": order.measure,
    "ood": ood.measure,
    "startup": startup.measure,
    "latency": latency.measure,
    "pages": pages.measure,
}
"""What is no comparison of contestants: (brokers, quick) -> rows and ratios."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def native_core() -> bool:
    try:
        from schemas.core import native
    except ImportError:
        return False
    return native is not None


def processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def environment() -> dict[str, Any]:
    """Without these a figure means nothing."""
    from confluent_kafka import libversion

    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in ("river", "confluent-kafka", "orjson", "numpy")},
        "librdkafka": libversion()[0],
        "native_core": native_core(),
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": processor(),
        "processors": os.cpu_count(),
    }


def run_cases(
    names: list[str], brokers: dict[str, str], options: argparse.Namespace
) -> tuple[list[Any], dict[str, Any]]:
    """Fill all sets, then the rounds with the cases inside, so that ratios between cases are of one round, too."""
    places = {}
    for name in names:
        case = CASES[name]
        count = count_of(case, options.events)
        say(f"{name}: producing {count:,} events")
        run = f"{os.getpid()}-{name.replace('_', '-')}"
        places[name] = Place(name, case, brokers[case.broker], fill(brokers[case.broker], run, case, count), count)
    rounds: dict[str, list[Any]] = {name: [] for name in names}
    for number in range(max((rounds_of(name, options.rounds) for name in names), default=0)):
        for name, place in places.items():
            if number < rounds_of(name, options.rounds):
                run = f"{os.getpid()}-{name.replace('_', '-')}-{number}"
                rounds[name].append(run_round(place, place.case.contestants, run))
                cpu = {who: round(result["cpu_us_per_event"], 2) for who, result in rounds[name][-1].items()}
                say(f"{name}: round {number + 1}: {cpu} µs CPU per event")
    for place in places.values():
        if place.case.broker == "real":
            delete(place.brokers, place.topics)
    return [row for name in names for row in rows_of(places[name], rounds[name])], ratios_of(rounds)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", help="bootstrap address; without it Apache Kafka is started from its jars")
    parser.add_argument("--events", type=int, help="of every case; default as in the table of cases; few = quick")
    parser.add_argument("--pages", type=int, default=5, help="how many of them are open in the case `pages`")
    parser.add_argument("--rounds", type=int, help="of every case; default as in the table of cases")
    everything = [*CASES, *PARTS]
    parser.add_argument("--cases", default=",".join(everything), help=f"some of {','.join(everything)}")
    options = parser.parse_args()
    options.names = [name for name in options.cases.split(",") if name]
    unknown = [name for name in options.names if name not in everything]
    if unknown:
        parser.error(f"no case is called {', '.join(unknown)}; there are {', '.join(everything)}")
    return options


def save(report: dict[str, Any]) -> None:
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    (build / "bench.json").write_text(json.dumps(report, indent=2) + "\n")


def main() -> None:
    options = arguments()
    from tests.broker.broker import running_broker

    quick = options.events is not None and options.events < QUICK_BELOW
    with contextlib.ExitStack() as stack:
        brokers = {"real": stack.enter_context(running_broker(options.kafka))}
        if any(name in CASES and CASES[name].broker == "mock" for name in options.names):
            brokers["mock"] = stack.enter_context(running_mock())
        results, ratios = run_cases([name for name in options.names if name in CASES], brokers, options)
        report: dict[str, Any] = {
            "environment": environment(),
            "results": results,
            "details": {},
            "ratios": ratios,
            "finished": False,
        }
        save(report)  # Also between the parts, so that one that fails does not cost what was measured before it.
        for name, measure in (PARTS | {"pages": functools.partial(pages.measure, pages=options.pages)}).items():
            if name in options.names:
                say(f"{name}: measuring")
                report["details"][name], found = measure(brokers["real"], quick)
                ratios |= found
                save(report)
    save({**report, "finished": True})
    if results:
        print(table(results) + "\n\nAlarms are equal in every case.\n")
    print(ratio_lines(ratios) + "\n\nWritten to build/bench.json")


if __name__ == "__main__":
    main()
