"""Values that are codes: what `categorical` rules out elsewhere in a config, as a code has no mean and no bounds; and
what `allowed` means by 1.10.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from streamer.config.cross_checks import Complaint, Rule, as_items, at, signal_of
from streamer.config.yaml_source import Source
from streamer.signals.checks import texts_of
from streamer.signals.grammar import Signal, excluded, number_of, ratio_of


def codes_are_no_numbers(raw: Any) -> Iterator[Complaint]:
    """What is `categorical` has no numbers: who asks for them would watch nothing, or find every value invalid."""
    patterns = tuple(one for _, one in as_items(at(raw, "categorical")) if isinstance(one, str))
    for name, monitor in as_items(at(raw, "monitors")):
        signal = signal_of(monitor)
        if signal is not None and not signal.every and signal.kind in ("number", "aggregate"):
            for path in numbers_in(signal):
                if excluded(path, patterns):
                    text = path.removeprefix("features.")
                    message = f"{path} is categorical, so it is no number: watch it as category.{text}."
                    yield Complaint(("monitors", name, "signal"), "bad-value", message)
    for name, check in as_items(at(raw, "checks")):
        if isinstance(name, str) and excluded(name, patterns):
            for key in ("min", "max"):
                if at(check, key) is not None:
                    yield Complaint(("checks", name, key), "bad-value", f"{name} is categorical: use allowed.")
            if at(check, "type") == "number":
                yield Complaint(("checks", name, "type"), "bad-value", f"{name} is categorical, so its type is text.")


def as_written(source: Source) -> None:
    """Among what is allowed `1.10`, `007`, `0x1F` and `True` without quotes are the texts, too, that stand there:
    events have such codes as texts, of which YAML's number would know nothing.
    """
    for name, check in as_items(at(source.value, "checks")):
        values = at(check, "allowed")
        if isinstance(values, list):
            written = [source.written.get(("checks", str(name), "allowed", i), "") for i in range(len(values))]
            known = {text for value in values if isinstance(value, str | int | float) for text in texts_of(value)}
            values += dict.fromkeys(text for text in written if text and text not in known)


def numbers_in(signal: Signal) -> tuple[str, ...]:
    """The batch's names of the numbers that a signal is made of."""
    path = number_of(signal)
    return ratio_of(path) if path.startswith("ratio(") else (path,)


CODE_RULES: tuple[Rule, ...] = (codes_are_no_numbers,)
