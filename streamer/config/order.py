"""What goes together with the order of models: rules over the values as the file has them, as in `cross_checks.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from streamer.config.cross_checks import Complaint, Rule, as_items, at

ORDER_BY = "kafka", "order_by"


def _texts(value: Any) -> list[str]:
    return [one for _, one in as_items(value) if isinstance(one, str)]


def what_is_ordered_by_is_ordered(raw: Any) -> Iterator[Complaint]:
    """Only the ordered log has an order that can be by more than the model."""
    if _texts(at(raw, *ORDER_BY)) and at(raw, "kafka", "order") != "model":
        yield Complaint(ORDER_BY, "bad-value", "it is of the order of models: set kafka.order: model.")


def pairs_are_of_models_alone(raw: Any) -> Iterator[Complaint]:
    """The answer to a request need not repeat what the request says of itself, and then the two never meet."""
    if _texts(at(raw, *ORDER_BY)) and at(raw, "mapping", "pair") is not None:
        message = "request and answer (mapping.pair) may differ in it and would never meet: order by model alone."
        yield Complaint(ORDER_BY, "bad-value", message)


def whoever_watches_sees_all(raw: Any) -> Iterator[Complaint]:
    """A monitor that is not split so has several series of a model, each with its part of the evidence."""
    wanted = set(_texts(at(raw, *ORDER_BY)))
    monitors = as_items(at(raw, "monitors"))
    parted = [name for name, monitor in monitors if not wanted <= set(_texts(at(monitor, "by")))]
    if wanted and parted:
        shown = ", ".join(map(str, parted[:3])) + (f" and {len(parted) - 3} more" if len(parted) > 3 else "")
        message = (
            f"{shown}: not split by {', '.join(sorted(wanted))}, so each partition of the ordered log watches its part"
            " of a model by itself, with alerts of its own. Say `by` there, or in `defaults`."
        )
        yield Complaint(ORDER_BY, "parted", message)


ORDER_RULES: tuple[Rule, ...] = (what_is_ordered_by_is_ordered, pairs_are_of_models_alone)
ORDER_CAUTIONS: tuple[Rule, ...] = (whoever_watches_sees_all,)
