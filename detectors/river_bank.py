"""Any drift detector of river by name: one river object per row, its state taken apart into plain values.

Nothing is pickled. A snapshot holds only values; on load they are put into a freshly made object, attribute by
attribute, so the types come from river and never from the data. river is imported when the first row is made: it
brings scipy along and takes more than a second.

>>> import numpy as np
>>> bank = RiverBank(River("KSWIN"))
>>> bank.resize(1)
>>> values = np.r_[np.zeros(1000), np.ones(1000)]
>>> bank.update(np.zeros(2000, np.int64), values).place.tolist()[:1]
[1013]
"""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import msgpack
import numpy as np
from numpy.typing import NDArray

from detectors.bank import F64, I64, Hits, State, array_of, check_values, count_of, hits_of, rows_of
from detectors.params import BINARY, RIVER_DETECTORS, WINDOW_MAX, River, check_river

SEEDED = {"KSWIN": 1}
"""Detectors that sample: without a seed of the user they get this one, because a replay must repeat them."""

NUMBERS = (bool, int, float)
DEPTH_MAX = 6
BYTES_MAX = 1 << 20
"""State of one row; KSWIN with its longest window and its generator needs less than a tenth."""


def make_river(params: River) -> Any:
    """A fresh detector. Raises ValueError for a name or a parameter that is not in the tables."""
    chosen = dict(params.params)
    check_river(params.name, chosen)
    if params.name in SEEDED:
        chosen.setdefault("seed", SEEDED[params.name])
    from river import drift

    made = getattr(drift, params.name, None) or getattr(drift.binary, params.name)
    return made(**chosen)


def take_apart(value: Any, depth: int = 0) -> Any:
    """Plain, msgpack-able form of one attribute value."""
    if depth > DEPTH_MAX:
        raise ValueError("river object nested too deeply")
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (*NUMBERS, str)):
        return ["v", value]
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
    return ["o", {k: take_apart(v, depth + 1) for k, v in sorted(vars(value).items()) if not callable(v)}]


def put_together(fresh: Any, data: Any, depth: int = 0) -> Any:
    """The value `data` describes, in the type of `fresh`. Raises ValueError when they do not match."""
    if depth > DEPTH_MAX or not isinstance(data, list) or len(data) != 2 or data[0] not in MAKERS:
        raise ValueError("not a value of a river object")
    return MAKERS[data[0]](fresh, data[1], depth)


def _plain(fresh: Any, body: Any, depth: int) -> Any:
    """A number stays a number and a flag a flag; texts and None come from the parameters, so they cannot differ."""
    if isinstance(fresh, bool) and not isinstance(body, bool):
        raise ValueError("a flag that is no flag")
    if isinstance(fresh, str) or body is None or isinstance(body, str):
        if type(fresh) is not type(body) or fresh != body:
            raise ValueError("a text that differs from the parameters'")
    elif not isinstance(body, NUMBERS) or not (fresh is None or isinstance(fresh, NUMBERS)):
        raise ValueError("not a number where there should be one")
    return body


def _sequence(fresh: Any, body: Any, depth: int) -> Any:
    if not isinstance(fresh, (list, tuple, deque, np.ndarray)) or not isinstance(body, list):
        raise ValueError("a list where there should be none")
    bound = fresh.maxlen if isinstance(fresh, deque) else None
    if len(body) > (WINDOW_MAX if bound is None else bound):
        raise ValueError("a list longer than it can be")
    items = [put_together(0.0, item, depth + 1) for item in body]
    if isinstance(fresh, np.ndarray):
        return np.array(items, fresh.dtype)
    return deque(items, bound) if isinstance(fresh, deque) else type(fresh)(items)


def _generator(fresh: Any, body: Any, depth: int) -> Any:
    if not isinstance(fresh, random.Random):
        raise ValueError("a random generator where there should be none")
    version, words, gauss = body
    fresh.setstate((version, tuple(words), gauss))
    return fresh


def _opaque(fresh: Any, body: Any, depth: int) -> Any:
    """An object of river's Rust core: it reads its own bytes, and must write the same ones."""
    if not isinstance(body, bytes) or not hasattr(fresh, "__setstate__"):
        raise ValueError("bytes where there should be none")
    try:
        fresh.__setstate__(body)
        same = bytes(fresh.__getstate__()) == body
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # Rust raises PanicException, which is no Exception.
        raise ValueError("river refuses the bytes of its own state") from error
    if not same:
        raise ValueError("river reads its own state differently")
    return fresh


def _object(fresh: Any, body: Any, depth: int) -> Any:
    if not hasattr(fresh, "__dict__") or not isinstance(body, dict):
        raise ValueError("an object where there should be none")
    if set(body) != {k for k, v in vars(fresh).items() if not callable(v)}:
        raise ValueError("attributes differ from those of this river")
    for name, part in body.items():
        setattr(fresh, name, put_together(getattr(fresh, name), part, depth + 1))
    return fresh


MAKERS = {"v": _plain, "l": _sequence, "r": _generator, "b": _opaque, "o": _object}


def restore(params: River, blob: bytes) -> Any:
    """The detector whose state `take_apart` wrote. Raises ValueError for bytes that are not one of these parameters."""
    fresh = make_river(params)
    given = {name: getattr(fresh, name) for name in RIVER_DETECTORS[params.name]}
    try:
        plain = msgpack.unpackb(blob, strict_map_key=True)
        detector = put_together(fresh, plain)
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.exceptions.UnpackException) as error:
        raise ValueError(f"river state: {error}") from error
    if {name: getattr(detector, name) for name in given} != given:
        raise ValueError("river state: of other parameters")
    return detector


class RiverBank:
    """One river object per row. River does not say which way or how far, so hits carry direction 0, statistic 1.

    The binary detectors get their values clipped to [0, 1]: their bounds hold for nothing else, and DDM would raise
    a domain error that no restart could get past.
    """

    def __init__(self, params: River) -> None:
        self.params = params
        self.rows = 0
        self.detectors: list[Any] = []

    def resize(self, rows: int) -> None:
        """Append fresh rows up to `rows`; never shrinks."""
        self.detectors += [make_river(self.params) for _ in range(rows - self.rows)]
        self.rows = len(self.detectors)

    def retain(self, rows: I64) -> None:
        """Row rows[i] becomes row i; all others are forgotten."""
        self.detectors = [self.detectors[row] for row in rows.tolist()]
        self.rows = len(self.detectors)

    def forget(self, row: int) -> None:
        """The row begins anew, with values that come from now on."""
        self.detectors[row] = make_river(self.params)

    def update(self, rows: I64, values: F64) -> Hits:
        """Row rows[i] takes values[i], in order; AssertionError for a value that is not finite."""
        check_values(rows, values)
        if self.params.name in BINARY:
            values = np.clip(values, 0.0, 1.0)
        found = []
        for i, (row, value) in enumerate(zip(rows.tolist(), values.tolist(), strict=True)):
            detector = self.detectors[row]
            detector.update(value)
            if detector.drift_detected:
                found.append((i, 0, 1.0, 1.0))
        return hits_of(found)

    def dump(self) -> dict[str, NDArray[Any]]:
        """`data`: the rows' states one after another, `size` bytes each."""
        blobs = [msgpack.packb(take_apart(detector)) for detector in self.detectors]
        return {
            "size": np.array([len(blob) for blob in blobs], np.int64),
            "data": np.frombuffer(b"".join(blobs), np.uint8),
        }

    def load(self, state: State) -> None:
        """Replace all rows; ValueError for an invalid state, and then nothing is changed."""
        sizes = array_of(state, "size", "i8", (rows_of(state, "size"),))
        data = array_of(state, "data", "u1", (count_of(sizes, BYTES_MAX),)).tobytes()
        detectors, place = [], 0
        for size in sizes.tolist():
            detectors.append(restore(self.params, data[place : place + size]))
            place += size
        self.detectors, self.rows = detectors, len(detectors)
