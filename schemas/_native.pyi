"""Types of the compiled core; what each call means stands in `native/src` and in the Python it mirrors."""

from collections.abc import Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

I8 = NDArray[np.int8]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
F64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

# Values of a row: how many, mean, standard deviation, first and last offset, first and last time.
Seen = tuple[int, float, float, int, int, int, int]
# Direction, statistic, threshold, before, after.
Edge = tuple[int, float, float, Seen | None, Seen | None]
# Event, monitor, row, edge: hits of a sweep with a history.
SweptFinding = tuple[int, int, int, Edge]
# Place in the shown column, monitor, direction, statistic, threshold: those of one without.
SweptHit = tuple[int, int, int, float, float]
# Rows, values, events; ready, z, away.
Shown = tuple[tuple[I64, F64, I64], tuple[Bool, F64, F64]]
# Where it ended, None at the end; the values without a place; the hits; the column, where it was to be shown.
Swept = tuple[int | None, int, list[SweptFinding] | list[SweptHit], Shown | None]
# Place, direction, statistic, threshold.
Hits = tuple[I64, I8, F64, F64]
# Topic, partition, offsets, times, messages, code and text of an error.
Run = tuple[str, int, I64, I64, Messages, tuple[int, str] | None]

def use_librdkafka_of(binding: str) -> None: ...
def group(columns: Sequence[I64], used: Bool) -> tuple[I64, I64]: ...
def sweep(
    parts: tuple[RowIndex, Reference, History | None],
    banks: Sequence[tuple[Adwin | PageHinkley, int, bool, int | None]],
    codes: Sequence[I32],
    value: F64,
    places: Sequence[I64],
    begin: int,
    every: bool,
    show: bool,
) -> Swept: ...

@final
class Intake:
    def __init__(self, consumer: Any) -> None: ...
    def follow(self, topic: str, partition: int) -> None: ...
    def take(self, limit: int, timeout_ms: int) -> list[Run]: ...
    def close(self) -> None: ...

@final
class Messages:
    def __len__(self) -> int: ...
    def __getitem__(self, place: int) -> bytes | None: ...
    def record(
        self, place: int
    ) -> tuple[int, int, bytes | None, bytes | None, tuple[tuple[str, bytes | None], ...]]: ...

@final
class Decoder:
    def __init__(
        self,
        pointers: Sequence[tuple[int, Sequence[str]]],
        extra: Sequence[str],
        outside: Sequence[int],
        message_bytes: int,
    ) -> None: ...
    def decode(
        self,
        values: Messages | Sequence[bytes | None],  # Of the sequences only a tuple: it keeps what is in it.
        offsets: I64,
        times_ms: I64,
        outside: Sequence[tuple[bytes | None, ...]],
    ) -> tuple[
        tuple[I64, I64],
        tuple[I32, I32, U64],
        tuple[tuple[str, ...], tuple[str, ...]],
        tuple[I32, I32, F64],
        tuple[I32, I32, I32],
        tuple[I32, I32],
        I64,
        int,
    ]: ...

@final
class Adwin:
    def __init__(
        self,
        delta: float,
        clock: int,
        max_buckets: int,
        min_window_length: float,
        grace_period: float,
        up: bool,
        down: bool,
    ) -> None: ...
    @property
    def rows(self) -> int: ...
    def resize(self, rows: int) -> None: ...
    def update(self, rows: I64, values: F64) -> Hits: ...
    def dump(self) -> tuple[list[F64], list[I64], Bool, list[F64]]: ...
    def load(self, scalars: Sequence[F64], counts: Sequence[I64], detected: Bool, cells: Sequence[F64]) -> None: ...

@final
class PageHinkley:
    def __init__(
        self, min_instances: float, delta: float, threshold: float, alpha: float, up: bool, down: bool
    ) -> None: ...
    @property
    def rows(self) -> int: ...
    def resize(self, rows: int) -> None: ...
    def update(self, rows: I64, values: F64) -> Hits: ...
    def dump(self) -> list[F64]: ...
    def load(self, columns: Sequence[F64]) -> None: ...

@final
class Reference:
    def __init__(self, warmup: int, standardise: bool, clip: float, huge: float, keep: bool) -> None: ...
    @property
    def rows(self) -> int: ...
    def resize(self, rows: int) -> None: ...
    def update(
        self,
        rows: I64,
        values: F64,
        events: I64,
        offsets: I64,
        times_ms: I64,
        ready: Bool,
        z: F64,
        away: F64,
    ) -> None: ...
    def at(self, row: int) -> tuple[int, list[float], list[int]]: ...
    def completed(self) -> list[tuple[int, F64]]: ...
    def far(self, rows: I64, away: F64, ready: Bool, beyond: float) -> I64: ...
    def dump(self) -> tuple[I64, list[F64], list[I64]]: ...
    def dump_waiting(self) -> F64: ...
    def load(self, n: I64, stats: Sequence[F64], places: Sequence[I64], waiting: F64) -> None: ...

@final
class History:
    def __init__(self, huge: float) -> None: ...
    @property
    def rows(self) -> int: ...
    def resize(self, rows: int) -> None: ...
    def update(
        self,
        rows: I64,
        values: F64,
        ready: Bool,
        events: I64,
        offsets: I64,
        times_ms: I64,
        marks: I64,
        expected: F64,
    ) -> list[Seen | None]: ...
    def recent(self, row: int, expected: float) -> Seen | None: ...
    def dump(self) -> tuple[list[I64], list[F64], list[I64]]: ...
    def load(self, latest: Sequence[I64], sums: Sequence[F64], places: Sequence[I64]) -> None: ...

@final
class Distribution:
    def __init__(self, warmup: int, bins: int, window: int, coded: bool) -> None: ...
    @property
    def rows(self) -> int: ...
    def resize(self, rows: int) -> None: ...
    def learned(self, rows: I64) -> Bool: ...
    def learn(self, row: int, values: F64) -> None: ...
    def update(
        self, rows: I64, values: F64, chosen: Bool, events: I64, offsets: I64, times_ms: I64
    ) -> list[tuple[int, int, list[int], int, int, int, int]]: ...
    def bins_of(self, row: int) -> tuple[bool, list[float], list[int]]: ...
    def dump(self) -> tuple[list[I64], Bool, F64]: ...
    def load(self, whole: Sequence[I64], learned: Bool, edges: F64) -> None: ...

@final
class RowIndex:
    def __init__(self) -> None: ...
    def put(self, group: int, member: int, row: int) -> None: ...
    def find(
        self, group_of_event: I32, member_of_name: I32, event: I32, name: I32, value: F64
    ) -> tuple[I64, F64, I64, int, I64]: ...

@final
class Admission:
    def __init__(self, watched: Sequence[str] | None, lateness_ms: int, capacity: int, models_max: int) -> None: ...
    def admit(
        self, models: I32, times_ms: I64, id: U64, strings: tuple[str, ...], refused: Bool | None
    ) -> tuple[Bool, I64, int, int, int]: ...
    def models(self) -> list[tuple[str, int, int]]: ...
    def remembered(self) -> U64: ...
    def load(self, models: Sequence[tuple[str, int, int]], ids: U64) -> None: ...
