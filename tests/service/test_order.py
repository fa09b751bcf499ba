"""How topics are read is found out, asked again as long as it is not, and then stays."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.kafka.order import Answer
from streamer.port import LogDown
from streamer.service.order import AGAIN_S, FOLLOW_S, LOOK_S, Order
from tests.config.test_stages import LEAST
from tests.service.executor import at_once

NOTHING, KEYED, SPREAD = Answer(None, "only 3 events"), Answer("topic", "keyed"), Answer("model", "m is in 2 of a")


class Life:
    """Answers in turn, a clock by hand, and what is said."""

    def __init__(self, *answers: Answer | LogDown, more: str = "") -> None:
        self.answers, self.now_s = list(answers), 0.0
        self.asked: list[bool] = []
        self.answered = False
        self.said: list[tuple[str, Any]] = []
        self.noted: dict[str, str] = {}
        config = load_text(LEAST % more, "x", {})
        self.order = Order(config, self.say, self.note, self.ask, lambda: self.now_s)

    def ask(self, config: Config, decided: bool, again: bool) -> Answer:
        assert config.topics.ordered is None
        assert again == self.answered, "what the group has read by then counts at the first answer only"
        self.asked.append(decided)
        answer = self.answers.pop(0)
        if isinstance(answer, LogDown):
            raise answer
        self.answered = True
        return answer

    def say(self, level: str, event: str, **fields: Any) -> None:
        self.said.append((event, fields["order"]))

    def note(self, about: str, said: dict[str, str]) -> None:
        assert about == "order"
        self.noted = said

    def submit(self, work: Callable[[], Answer]) -> Future[Answer]:
        return at_once(work)

    def step(self, seconds: float) -> None:
        """Some steps of the loop, after so long."""
        self.now_s += seconds
        pool: Any = self
        for _ in range(3):
            self.order.after_step(pool)


@pytest.mark.parametrize("order", ["topic", "model"])
def test_nobody_is_asked_about_what_the_config_says(order: str) -> None:
    life = Life(more=f", order: {order}")
    assert life.order.settled() is life.order.config
    life.step(1000)
    assert (life.asked, life.said) == ([], [])


def test_a_topic_of_its_own_settles_it_and_that_is_said_once() -> None:
    life = Life()
    life.order = Order(load_text(LEAST % "" + "feedback: {topic: clicks}\n", "x", {}), life.say, life.note, life.ask)
    for _ in range(2):
        assert life.order.settled().topics.ordered == "drift-ordered"
    life.step(1000)
    assert (life.asked, life.said) == ([], [("order_chosen", "model")])


def test_models_in_several_partitions_are_read_in_their_order_from_the_begin() -> None:
    life = Life(SPREAD)
    assert life.order.settled().topics.ordered == "drift-ordered"
    assert life.said == [("order_chosen", "model")]
    assert not life.order.turned, "nothing is at work yet"
    life.step(1000)
    assert life.asked == [False]


def test_a_keyed_topic_stays_as_it_is_until_another_process_chooses() -> None:
    life = Life(KEYED, KEYED, SPREAD)
    assert life.order.settled().topics.ordered is None
    life.step(FOLLOW_S - 1)
    assert life.asked == [False]
    life.step(1)
    assert (life.asked, life.said) == ([False, True], [("order_chosen", "topic")])
    life.step(FOLLOW_S)
    assert life.order.turned
    assert life.order.config.topics.ordered == "drift-ordered"
    assert life.said[1:] == [("order_chosen", "model")]


def test_it_is_asked_again_ever_more_seldom_while_there_is_nothing_to_see() -> None:
    life = Life(*[NOTHING] * 12)
    life.order.settled()
    gaps = []
    while len(life.asked) < 12:
        before, asked = life.now_s, len(life.asked)
        while len(life.asked) == asked:
            life.step(1)
        gaps.append(life.now_s - before)
    assert gaps[:3] == [AGAIN_S[0], 2 * AGAIN_S[0], 4 * AGAIN_S[0]]
    assert gaps[-1] == AGAIN_S[1]
    assert life.said == []


def test_a_broker_that_is_away_says_nothing_new_at_work_and_is_waited_for_before() -> None:
    life = Life(NOTHING, LogDown("away"), SPREAD)
    life.order.settled()
    life.step(AGAIN_S[0])
    assert not life.order.turned
    life.step(AGAIN_S[1])
    assert life.order.turned
    with pytest.raises(LogDown):
        Life(LogDown("away")).order.settled()


def test_without_the_topic_for_it_somebody_is_told_and_then_it_goes_on_by_itself() -> None:
    life = Life(SPREAD._replace(lacking="a topic drift-ordered", fix="driftline topics apply -c FILE"), SPREAD)
    assert life.order.settled().topics.ordered is None
    assert "m is in 2 of a" in life.noted["kafka.order"]
    assert "until there is a topic drift-ordered: `driftline topics apply -c FILE`" in life.noted["kafka.order"]
    life.step(AGAIN_S[0])
    assert (life.order.turned, life.noted) == (True, {})


def test_a_model_without_a_key_among_others_with_one_is_said_and_all_else_stays() -> None:
    life = Life(KEYED, KEYED, SPREAD, KEYED, NOTHING)
    life.order.settled()
    life.step(FOLLOW_S)
    assert life.noted == {}
    life.step(LOOK_S)
    assert "m is in 2 of a: each partition watches its part by itself" in life.noted["kafka.order"]
    assert "set kafka.order: model" in life.noted["kafka.order"]
    life.step(FOLLOW_S)
    assert (life.asked, life.order.turned) == ([False, True, False, True], False)
    assert life.noted, "whoever asks for the others' order has not looked at models"
    life.step(LOOK_S)
    assert (life.asked[-1], life.noted) == (False, {})
    assert life.said == [("order_chosen", "topic")]


def test_what_lacks_for_an_order_that_is_no_longer_wanted_is_said_no_more() -> None:
    life = Life(SPREAD._replace(lacking="a topic drift-ordered", fix="x"), KEYED)
    life.order.settled()
    assert life.noted
    life.step(AGAIN_S[0])
    assert (life.noted, life.said) == ({}, [("order_chosen", "topic")])
