"""One model with 80 % of the traffic: what the busiest of 12 partitions of the ordered log has of all events, in the
order of models and by caller, too (`kafka.order_by`); so, how many processes can share the work. `python -m
benchmarks.hot`, also in `make bench-scale`. Nothing is timed: where events go is a matter of names.

Callers call as often as they do mostly: the second half as often as the first, the third a third.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from benchmarks.standard import LEAST
from streamer.config.load import load_text
from streamer.engine.ordering import part_of

PARTITIONS, MODELS, HOT, EVENTS = 12, 60, 0.8, 240_000
CALLERS = 4, 40, 400


def measured(callers: int | None) -> dict[str, Any]:
    """By so many callers; None: in the order of models. The first model has HOT of all, the others equal parts of the
    rest.
    """
    order = "order: model" + (", order_by: [caller]" if callers else "")
    by = load_text(LEAST.replace('"none:1"', f'"none:1", {order}'), "hot.yaml", {}).kafka.order_by
    rng, names = random.Random(1), [f"caller-{rank}" for rank in range(callers or 1)]
    weights = [1 / (rank + 1) for rank in range(len(names))]
    keys = [
        (f"model-{0 if rng.random() < HOT else rng.randrange(1, MODELS)}", *([name] if by else ()))
        for name in rng.choices(names, weights, k=EVENTS)
    ]
    known = {key: part_of(key, PARTITIONS) for key in dict.fromkeys(keys)}
    busiest = float(np.bincount([known[key] for key in keys]).max() / EVENTS)
    return {"order": ", ".join(["model", *by]), "callers": callers or "", "busiest": busiest, "processes": 1 / busiest}


def rows() -> list[dict[str, Any]]:
    return [measured(callers) for callers in (None, *CALLERS)]


if __name__ == "__main__":
    from benchmarks.scale import table

    print(table(rows()))
