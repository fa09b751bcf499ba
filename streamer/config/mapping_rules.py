"""What `mapping` asks of the rest of a config."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from streamer.config.cross_checks import Complaint, Rule, as_items, at
from streamer.config.problems import quoted


def texts(value: Any) -> Iterator[str]:
    """Every text in it, those that name something as well."""
    if isinstance(value, str):
        yield value
    for key, one in as_items(value):
        yield from texts(key)
        yield from texts(one)


def something_of_a_row_is_read(raw: Any) -> Iterator[Complaint]:
    """Only what is read of a record is taken apart: a pointer that starts at the row finds nothing, and no record would
    have rows.
    """
    given = at(raw, "mapping", "each")
    each = [given] if isinstance(given, str) else [one for _, one in as_items(given) if isinstance(one, str)]
    others = {key: one for key, one in as_items(raw) if key != "mapping"}
    if each and not any(one in text for text in texts(others) for one in each):
        message = (
            f"no field is within {quoted(each[0])}, so nothing of a row would be read: pointers begin at the record, as"
            f" in fields: {{features: {each[0]}/features}}."
        )
        yield Complaint(("mapping", "each"), "bad-value", message)


MAPPING_RULES: tuple[Rule, ...] = (something_of_a_row_is_read,)
