"""The root pointer and the ticks since as offset metadata, of which a broker allows 4096 bytes:
`v2;S=81812;p=3;o=7;n=2;sha=...;cfg=...;slot=0;t=16;T=17;q=81900:1700000000000:1`, with `g=1` behind the slot where the
topic was made anew once, and before the ticks `m=2.3` where models are shared out over 2 partitions of the ordered log,
which had 3 then, `k=2` after two starts that nobody heard of again, and `e=1700000000000` where partitions are read in
step.
"""

from __future__ import annotations

import re

from streamer.port import Committed, Parts, Pointer, Tick

TICKS_MAX = 64
"""Ticks that fit the metadata beside the pointer; before there are more a snapshot must have seen them."""

STARTS_MAX = 999_999
SUSPECT_AFTER = 3
"""After so many starts without progress something is wrong with what comes next, or with the memory."""

PATTERN = re.compile(
    r"v2;S=(\d{1,19});p=(\d{1,9});o=(\d{1,19});n=(\d{1,9});sha=([0-9a-f]{64});cfg=([0-9a-f]{1,64});slot=([01])(?:;g=([1-9]\d{0,8}))?"
    r";t=(\d{1,12});T=(\d{1,12})(?:;m=([1-9]\d{0,5})[.]([1-9]\d{0,5}))?(?:;k=(\d{1,6}))?(?:;e=(\d{1,14}))?;q=((?:\d{1,19}:\d{1,14}:[01](?:,(?=\d)|$)){0,64})",
    re.ASCII,
)
ALONE = re.compile(r"v2(?:;m=([1-9]\d{0,5})[.]([1-9]\d{0,5}))?(?:;k=(\d{1,6}))?", re.ASCII)
NUMBERS = 1, 2, 3, 4, 7, 8, 9, 10, 11, 12, 13, 14
"""The groups that are numbers."""


def to_text(committed: Committed) -> str:
    """Metadata of the committed offset; empty without a pointer, since ticks mean nothing without what came before."""
    starts = "" if committed.parts is None else f";m={committed.parts.used}.{committed.parts.there}"
    starts += f";k={min(committed.starts, STARTS_MAX)}" if committed.starts else ""
    if committed.pointer is None:
        return starts and f"v2{starts}"
    position, partition, offset, chunks, sha, config, slot, seen, generation = committed.pointer
    anew = f";g={generation}" if generation else ""
    reached = f";e={committed.reached_ms}" if committed.reached_ms else ""
    ticks = ",".join(f"{tick.offset}:{tick.time_ms}:{tick.caught_up:d}" for tick in committed.ticks)
    return (
        f"v2;S={position};p={partition};o={offset};n={chunks};sha={sha};cfg={config};slot={slot}{anew}"
        f";t={seen};T={committed.ticked}{starts}{reached};q={ticks}"
    )


def from_text(offset: int, text: str | None) -> Committed:
    """No pointer for anything that is not of ours: the fallback then reads the whole state partition."""
    match = PATTERN.fullmatch(text or "")
    if match is None:
        alone = ALONE.fullmatch(text or "")
        used, there, starts = (int(number or 0) for number in (alone.groups() if alone is not None else (0, 0, 0)))
        return Committed(offset, None, starts=starts, parts=Parts(used, there) if used else None)
    position, partition, first, chunks, slot, generation, seen, ticked, *more = (int(match[i] or 0) for i in NUMBERS)
    used, there, starts, reached_ms = more
    pointer = Pointer(position, partition, first, chunks, match[5], match[6], slot, seen, generation)
    parts = [part.split(":") for part in match[15].split(",") if part]
    ticks = tuple(Tick(int(at), int(time_ms), caught == "1") for at, time_ms, caught in parts)
    return Committed(offset, pointer, ticked, ticks, starts, reached_ms, Parts(used, there) if used else None)
