"""What an answer means for the record, and when it is tried again."""

from __future__ import annotations

import pytest

from streamer.bridges.answers import LONGEST_S, RETRY_AFTER_MAX_S, Answer, asked_s, pause_s, verdict


@pytest.mark.parametrize(
    ("status", "means"),
    [
        *[(status, "delivered") for status in (200, 201, 202, 204)],
        *[(status, "refused") for status in (400, 409, 413, 415, 422, 431)],
        *[(status, "later") for status in (0, 302, 308, 401, 403, 404, 407, 408, 410, 425, 429, 500, 502, 503, 504)],
    ],
)
def test_what_says_something_of_us_or_of_now_is_tried_again(status: int, means: str) -> None:
    assert verdict(Answer(status)) == means


def test_pauses_double_to_a_bound_and_no_two_clients_are_in_step() -> None:
    longest = [pause_s(tries, Answer(503), 0.0, lambda: 1.0) for tries in range(1, 9)]
    assert longest == [1, 2, 4, 8, 16, 32, LONGEST_S, LONGEST_S]
    assert pause_s(3, Answer(503), 0.0, lambda: 0.0) == 2.0
    assert pause_s(10_000, Answer(0), 0.0, lambda: 1.0) == LONGEST_S


def test_a_receiver_is_not_asked_before_it_wants_to_be() -> None:
    assert pause_s(1, Answer(429, retry_after="30"), 0.0, lambda: 0.5) == 30.0
    assert pause_s(9, Answer(429, retry_after="3"), 0.0, lambda: 1.0) == LONGEST_S
    assert pause_s(1, Answer(503, retry_after="999999999"), 0.0, lambda: 0.5) == RETRY_AFTER_MAX_S


@pytest.mark.parametrize("text", ["", "soon", "-3", "1e400", "٣", "9" * 40, "Thu, 99 Jan 1970 00:01:00 GMT"])
def test_a_header_that_says_nothing_asks_for_nothing(text: str) -> None:
    assert asked_s(text, 0.0) == 0.0


def test_a_date_is_a_time_from_now() -> None:
    assert asked_s("Thu, 01 Jan 1970 00:01:00 GMT", 20.0) == 40.0
    assert asked_s("Thu, 01 Jan 1970 00:01:00 GMT", 90.0) == 0.0
