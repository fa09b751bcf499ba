"""How topics are read where the config leaves it to what is found in them: by partition, or in the order of models.

It is found out before anything is read. Where there is too little to see, partitions are read as they are and the
question is asked again, ever more seldom; once models turn out to be in several partitions, all begins anew in their
order, and what was learned so far, of little, is given up. Where it is much, as when a model without a key comes among
others that have one, partitions stay as they are, and it is said: no replica sees by itself what the others have.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING

from streamer.config.model import Config
from streamer.config.stages import in_order_of_models, undecided
from streamer.port import LogDown

if TYPE_CHECKING:
    from streamer.kafka.order import Answer

AGAIN_S = 10.0, 600.0
"""Until the question is asked again: at first, and at most."""
FOLLOW_S = 60.0
"""How often one who reads by partition looks whether another process of the group has begun to read in order."""
LOOK_S = 900.0
"""How often it then looks for models that several partitions have."""
APART = (
    "{0.why}: each partition watches its part by itself, with a warm-up and alerts of its own: send events with the"
    " model as their key, or set kafka.order: model, and all begins anew in one order"
)
LACKS = (
    "{0.why}: each partition watches its part by itself, with a warm-up and alerts of its own, until there is"
    " {0.lacking}: `{0.fix}`"
)
Say = Callable[..., None]
Note = Callable[[str, dict[str, str]], None]


class Order:
    """`config`: as it is worked with. `turned`: it is another one than what is at work now was made with."""

    def __init__(
        self,
        config: Config,
        say: Say,
        note: Note,
        ask: Callable[[Config, bool, bool], Answer] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config, self.say, self.note, self.clock = config, say, note, clock
        self.open, self.turned = undecided(config), False
        self._ask, self._decided = ask, False
        self._again = False  # once there was an answer
        self._pause_s, self._due_s = AGAIN_S[0], 0.0
        self._look_s, self._looks = 0.0, False  # when it is due, and whether the question is no other than that
        self._asked: Future[Answer] | None = None

    def settled(self) -> Config:
        """The config to begin with. Raises LogDown where it takes a look at a broker and none answers."""
        if self.open:
            self._take(self._question()())
        elif (sides := self.config.topics.sides) and self.config.kafka.order == "auto" and not self._decided:
            self._decided = True
            why = "; ".join(f"{section} has a topic of its own, {topic}" for section, topic in sides.items())
            self._chosen(why)
        self.turned = False
        return self.config

    def after_step(self, pool: Executor) -> None:
        """Ask again when it is time, beside the loop; a broker that does not answer says nothing new."""
        if not self.open:
            return
        if self._asked is not None and self._asked.done():
            asked, self._asked = self._asked, None
            if not isinstance(asked.exception(), LogDown):
                self._take(asked.result())
        elif self._asked is None and self.clock() >= self._due_s:
            self._asked = pool.submit(self._question())

    def _chosen(self, why: str) -> None:
        self.say("info", "order_chosen", order="model", why=why, by_way_of=self.config.topics.ordered)

    def _question(self) -> Callable[[], Answer]:
        from streamer.kafka.order import ask

        self._looks = self._decided and self.clock() >= self._look_s
        return functools.partial(self._ask or ask, self.config, self._decided and not self._looks, self._again)

    def _take(self, answer: Answer) -> None:
        wanted, before = answer.order == "model", self._decided
        self._again = True
        if self._looks:
            self._due_s, self._look_s = self.clock() + FOLLOW_S, self.clock() + LOOK_S
            self.note("order", {"kafka.order": APART.format(answer)} if wanted else {})
            return
        if wanted and answer.lacking is None:
            self.open, self.turned, self.config = False, True, in_order_of_models(self.config)
            self._chosen(answer.why)
        elif answer.order == "topic" and not self._decided:
            self._decided, self._look_s = True, self.clock() + LOOK_S
            self.say("info", "order_chosen", order="topic", why=answer.why)
        if self.turned or not before:
            self.note("order", {"kafka.order": LACKS.format(answer)} if wanted and answer.lacking is not None else {})
        self._due_s = self.clock() + (FOLLOW_S if self._decided else self._pause_s)
        self._pause_s = min(2 * self._pause_s, AGAIN_S[1])
