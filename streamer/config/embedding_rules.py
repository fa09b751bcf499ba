"""What `embeddings` asks of the rest of a config."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from streamer.config.cross_checks import Complaint, Rule, as_items, at, signal_of
from streamer.config.problems import did_you_mean, quoted


def an_embedding_that_is_watched_is_named(raw: Any) -> Iterator[Complaint]:
    """Without an entry an array is features, and the monitor would watch nothing."""
    names = [name for name, _ in as_items(at(raw, "embeddings")) if isinstance(name, str)]
    for name, monitor in as_items(at(raw, "monitors")):
        signal = signal_of(monitor)
        if signal is None or signal.kind != "embedding":
            continue
        wanted = signal.path.rpartition(".")[0]
        if not names:
            message = "there are none: say where one is, embeddings: {NAME: {at: /POINTER, dimensions: 384}}."
            yield Complaint(("monitors", name, "signal"), "bad-value", message)
        elif not signal.every and wanted not in names:
            near = did_you_mean(wanted, names)
            yield Complaint(("monitors", name, "signal"), "bad-value", f"embeddings has no {quoted(wanted)}.{near}")


def each_embedding_is_another_array(raw: Any) -> Iterator[Complaint]:
    """An array is taken out of the event by whoever reads it."""
    seen: dict[str, str] = {}
    for name, one in as_items(at(raw, "embeddings")):
        place = at(one, "at")
        if isinstance(place, str) and seen.setdefault(place, name) != name:
            message = f"{quoted(place)} is the embedding {quoted(seen[place])} already."
            yield Complaint(("embeddings", name, "at"), "bad-value", message)


EMBEDDING_RULES: tuple[Rule, ...] = (an_embedding_that_is_watched_is_named, each_embedding_is_another_array)
