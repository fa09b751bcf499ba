"""`make bench-quality`: how quiet on healthy weeks, how quick on faults; build/bench-quality.json and tables."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.quality import families, healthy, show, tables
from benchmarks.quality.weeks import EVERY_S, KINDS

ROOT = Path(__file__).resolve().parent.parent.parent
PROCESSES = 2


class Sizes(NamedTuple):
    healthy: healthy.Size
    families: families.Size
    seeds: int  # of the data sets


WHOLE = Sizes(healthy.Size(10, 1, EVERY_S), families.Size(100, 60, 200_000), 3)
QUICK = Sizes(healthy.Size(1, 2, 3 * EVERY_S), families.Size(10, 10, 40_000), 1)


class Job(NamedTuple):
    """What one process does in one go."""

    part: str  # of the report
    name: str
    sizes: Sizes
    data: str  # a folder, or empty


def elec2(job: Job) -> list[dict[str, Any]]:
    return tables.elec2(Path(job.data), job.sizes.seeds)


SETS = {
    "elec2": elec2,
    "harvard-errors": lambda job: tables.harvard(Path(job.data)),
    "nab": lambda job: tables.nab(Path(job.data)),
}


def done(job: Job) -> tuple[Job, float, list[dict[str, Any]]]:
    """The rows of a job, and how long it took."""
    begun_s = time.perf_counter()
    if job.part == "healthy":
        rows = [healthy.run(job.name, job.sizes.healthy)]
    elif job.part == "families":
        rows = [families.run(job.name, job.sizes.families)]
    else:
        rows = SETS[job.name](job)
    return job, time.perf_counter() - begun_s, rows


def jobs(options: argparse.Namespace, sizes: Sizes) -> Iterator[Job]:
    """The shortest last, so that no process is left alone at the end."""
    for name in SETS if "sets" in options.parts else ():
        if options.data and (Path(options.data) / name).is_dir():
            yield Job("sets", name, sizes, options.data)
        else:
            print(f"{name}: not in --data, skipped", file=sys.stderr, flush=True)
    if "healthy" in options.parts:
        yield from (Job("healthy", name, sizes, "") for name in reversed(options.kinds))
    if "families" in options.parts:
        yield from (Job("families", name, sizes, "") for name in families.FAMILIES)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few models and values: under two minutes")
    parser.add_argument("--data", default="", help="folder with elec2, harvard-errors, nab; those absent are skipped")
    parser.add_argument("--models", type=int, help="of each kind of healthy weeks")
    parser.add_argument("--every", type=float, help=f"seconds between two events of a model, {EVERY_S:g} in the whole")
    parser.add_argument("--seed", type=int, default=0, help="of the first model")
    parser.add_argument("--kinds", default=",".join(KINDS), help="some of the kinds of healthy weeks")
    parser.add_argument("--parts", default="healthy,families,sets")
    options = parser.parse_args()
    options.kinds = options.kinds.split(",")
    if unknown := set(options.kinds) - set(KINDS):
        parser.error(f"no kind is called {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")
    return options


def main() -> None:
    options = arguments()
    sizes = QUICK if options.quick else WHOLE
    given = {"models": options.models, "every_s": options.every, "first_seed": options.seed}
    chosen = sizes.healthy._replace(**{name: value for name, value in given.items() if value is not None})
    sizes = sizes._replace(healthy=chosen)
    report: dict[str, Any] = {"sizes": {"healthy": chosen._asdict(), "families": sizes.families._asdict()}}
    begun_s = time.perf_counter()
    order: dict[str, dict[str, Any]] = {"healthy": {}, "sets": {}, "families": {}}
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=spawn) as pool:
        for future in as_completed([pool.submit(done, job) for job in jobs(options, sizes)]):
            job, took_s, rows = future.result()
            order[job.part][job.name] = rows
            print(f"{job.part}, {job.name}: {took_s:.1f} s", file=sys.stderr, flush=True)
    known = {"healthy": KINDS, "sets": SETS, "families": families.FAMILIES}
    for part, found in order.items():
        report[part] = [row for name in known[part] for row in found.get(name, [])]
    report["took_s"] = round(time.perf_counter() - begun_s, 1)
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    (build / "bench-quality.json").write_text(json.dumps(report, indent=1) + "\n")
    print(f"{show.shown(report)}\n\n{report['took_s']:.0f} s. Written to build/bench-quality.json")


if __name__ == "__main__":
    main()
