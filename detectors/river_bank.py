"""Any drift detector of river by name: one river object per row, its state taken apart into plain values.

Nothing is pickled. A snapshot holds only values; on load they are put into a freshly made object, attribute by
attribute, so the types come from river and never from the data. river is imported when the first row is made: it
brings scipy along and takes more than a second.
"""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import msgpack
import numpy as np
from numpy.typing import NDArray

from detectors.bank import F64, I64, Hits, State, arrays_of, check_values, hits_of, rows_of
from detectors.params import RIVER_DETECTORS, River

SEEDED = {"KSWIN": 1}
"""Detectors that sample: without a seed of the user they get this one, because a replay must repeat them."""

PLAIN = (bool, int, float, str, type(None))
DEPTH_MAX = 6


def make_river(params: River) -> Any:
    """A fresh detector. Raises ValueError for a name or a parameter that is not in the table."""
    if params.name not in RIVER_DETECTORS:
        raise ValueError(f"river has no detector {params.name!r} that Driftline knows")
    known = RIVER_DETECTORS[params.name]
    chosen = dict(params.params)
    if set(chosen) - set(known):
        raise ValueError(f"{params.name} has no parameter {sorted(set(chosen) - set(known))[0]!r}")
    if params.name in SEEDED:
        chosen.setdefault("seed", SEEDED[params.name])
    from river import drift

    made = getattr(drift, params.name, None) or getattr(drift.binary, params.name)
    return made(**chosen)


def take_apart(value: Any, depth: int = 0) -> Any:
    """Plain, msgpack-able form of one attribute value."""
    if isinstance(value, (np.floating, np.integer, np.bool_)):
        value = value.item()
    if isinstance(value, PLAIN):
        return ["v", value]
    if depth > DEPTH_MAX:
        raise ValueError("river object nested too deeply")
    if isinstance(value, (list, tuple, deque)):
        return ["l", [take_apart(v, depth + 1) for v in value]]
    if isinstance(value, np.ndarray):
        return ["l", [take_apart(v, depth + 1) for v in value.tolist()]]
    if isinstance(value, random.Random):
        version, words, gauss = value.getstate()
        return ["r", [version, list(words), gauss]]
    if not hasattr(value, "__dict__"):
        return ["b", bytes(value.__getstate__())]
    # A bound method is how PageHinkley remembers its mode; the fresh object has the same one.
    parts = {k: take_apart(v, depth + 1) for k, v in sorted(vars(value).items()) if not callable(v)}
    return ["o", parts]


def put_together(fresh: Any, data: Any) -> Any:
    """The value `data` describes, in the type of `fresh`. Raises ValueError when they do not match."""
    kind, body = data
    if kind == "v":
        if not isinstance(body, PLAIN):
            raise ValueError("not a plain value")
        return body
    if kind == "l":
        items = [put_together(None, item) for item in body]
        if isinstance(fresh, deque):
            return deque(items, fresh.maxlen)
        return np.array(items) if isinstance(fresh, np.ndarray) else tuple(items) if isinstance(fresh, tuple) else items
    if kind == "r" and isinstance(fresh, random.Random):
        version, words, gauss = body
        fresh.setstate((version, tuple(words), gauss))
        return fresh
    if kind == "b" and hasattr(fresh, "__setstate__"):
        try:
            fresh.__setstate__(body)
        except BaseException as error:  # river's Rust raises PanicException, which is not an Exception.
            if isinstance(error, KeyboardInterrupt):
                raise
            raise ValueError("river refuses the bytes of its own state") from error
        return fresh
    if kind == "o" and hasattr(fresh, "__dict__"):
        expected = {k for k, v in vars(fresh).items() if not callable(v)}
        if set(body) != expected:
            raise ValueError("attributes differ from those of this river")
        for name, part in body.items():
            setattr(fresh, name, put_together(getattr(fresh, name), part))
        return fresh
    raise ValueError(f"state of kind {kind!r} does not fit")


class RiverBank:
    """One river object per row. Direction is unknown to river, so hits carry 0 and the caller looks at the means."""

    def __init__(self, params: River) -> None:
        self.params = params
        self.rows = 0
        self.detectors: list[Any] = []

    def resize(self, rows: int) -> None:
        self.detectors += [make_river(self.params) for _ in range(rows - self.rows)]
        self.rows = len(self.detectors)

    def update(self, rows: I64, values: F64) -> Hits:
        check_values(rows, values)
        found = []
        for i, (row, value) in enumerate(zip(rows.tolist(), values.tolist(), strict=True)):
            detector = self.detectors[row]
            detector.update(value)
            if detector.drift_detected:
                found.append((i, 0, 1.0, 1.0))  # river says yes or no, not by how much.
        return hits_of(found)

    def dump(self) -> dict[str, NDArray[Any]]:
        blobs = [msgpack.packb(take_apart(detector)) for detector in self.detectors]
        return {
            "size": np.array([len(blob) for blob in blobs], np.int64),
            "data": np.frombuffer(b"".join(blobs), np.uint8),
        }

    def load(self, state: State) -> None:
        rows = rows_of(state, "size")
        sizes = arrays_of(state, rows, {"size": "i8"})["size"].tolist()
        if any(size < 0 for size in sizes):
            raise ValueError("a negative size")
        data = arrays_of(state, sum(sizes), {"data": "u1"})["data"].tobytes()
        detectors, place = [], 0
        for size in sizes:
            try:
                plain = msgpack.unpackb(data[place : place + size])
                detectors.append(put_together(make_river(self.params), plain))
            except (ValueError, TypeError, KeyError, msgpack.exceptions.UnpackException) as error:
                raise ValueError(f"river state: {error}") from error
            place += size
        self.detectors, self.rows = detectors, rows
