"""What goes together with the order of models."""

from __future__ import annotations

import pytest

from streamer.config.order import ORDER_CAUTIONS, ORDER_RULES

MONITORS = {"a": {"by": ["caller"]}, "b": {}, "c": {"by": ["version"]}, "d": {}, "e": {}}


def complaints(**raw: object) -> list[str]:
    return [one.message for rule in (*ORDER_RULES, *ORDER_CAUTIONS) for one in rule(raw)]


def test_nothing_is_said_of_who_orders_by_model() -> None:
    assert complaints(kafka={"order": "model"}, mapping={"pair": {}}, monitors=MONITORS) == []
    assert complaints(kafka={"order": "model", "order_by": "nonsense"}, monitors=MONITORS) == []


@pytest.mark.parametrize("kafka", [{}, {"order": "topic"}, {"order": "auto"}])
def test_it_is_of_the_order_of_models(kafka: dict[str, object]) -> None:
    [told] = complaints(kafka={**kafka, "order_by": ["caller"]})
    assert told == "it is of the order of models: set kafka.order: model."


def test_request_and_answer_would_never_meet() -> None:
    [told] = complaints(kafka={"order": "model", "order_by": ["caller"]}, mapping={"pair": {}})
    assert "would never meet" in told


def test_who_is_not_split_so_is_named() -> None:
    [told] = complaints(kafka={"order": "model", "order_by": ["caller"]}, monitors=MONITORS)
    assert told.startswith("b, c, d and 1 more: not split by caller")
    assert complaints(kafka={"order": "model", "order_by": ["caller"]}, monitors={"a": MONITORS["a"]}) == []
