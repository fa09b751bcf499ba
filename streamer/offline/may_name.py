"""Where a model's name may stand in records that say it by none of the usual names: in the value, headers or key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from schemas.events.batch import Record
from schemas.events.fields import parse_selector, walk

LOOKED_AT = 2_000
OFTEN = 10
"""A name comes so often, at least, in the records that are looked at."""


def called(records: Sequence[Record], names: Iterable[str]) -> str | None:
    """The header of such a name that all records have: `X-Model-Name` is called `model_name`.

    >>> called([Record(0, 0, None, b"{}", (("X-Model", b"fraud"),))], ["model"])
    'header:X-Model'
    """
    found = {name.lower().replace("-", "_").removeprefix("x_"): name for name in _headers(records)}
    return next((f"header:{found[name]}" for name in names if name in found), None)


def places(
    records: Sequence[Record], documents: Sequence[Any], texts: Iterable[str], met: Mapping[str, str]
) -> list[str]:
    """Selectors of texts that are in all records and of which there are few, those with the fewest first. `texts`:
    pointers to what are texts in all `documents`; `met`: the places of fields, which name no model.
    """
    found = dict[str, set[Any]]()
    for pointer in texts:
        if not any(f"{pointer}/".startswith(f"{one}/") for one in met.values()):
            steps = parse_selector(pointer).steps
            found[pointer] = {walk(steps, one) for one in documents[:LOOKED_AT]}
    looked = records[:LOOKED_AT]
    for name in _headers(looked):
        found[f"header:{name}"] = {value for one in looked for header, value in one.headers if header == name}
    if looked and all(one.key for one in looked):
        found["key"] = {one.key for one in looked}
    few = {
        place: len(values)
        for place, values in found.items()
        if 0 < len(values) <= max(1, len(looked) // OFTEN) and all(isinstance(one, str | bytes) for one in values)
    }
    return sorted(few, key=lambda place: (few[place], place.count("/"), place))


def _headers(records: Sequence[Record]) -> Iterator[str]:
    """Those that every record has."""
    names = [{name for name, _ in one.headers} for one in records[:LOOKED_AT]]
    return iter(sorted(set.intersection(*names))) if names else iter(())
