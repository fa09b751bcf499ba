"""From no broker to a log that works: tried for as long as it takes, said in words, given up if the config says so.

What does not get on is told in one place, whether while connecting or at work: at once on /readyz, in the log when it
has lasted for some seconds and then once a minute, and once more when it is over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor
from typing import Any

from streamer.port import LogDown, LogRefused
from streamer.service.health import Health

PAUSES_S = 0.25, 2.0
"""Between two tries to connect: at first, and at most."""
SAID_AFTER_S = {"broker_seen": 0.0, "rights": 0.0, "assigned": 15.0, "restored": 15.0, "all_read": 0.0}
"""By check, how long it has to last before the log tells it: a group takes its time to form."""
SAID_AFTER_ELSE_S = 3.0
SAID_EVERY_S = 60.0
NOTED_EVERY_S = 3600.0
TRY_S = 240.0
"""For one try, each of whose waits ends by itself. With one that does not the loop counts as stuck, and /livez says so:
nothing else would.
"""
LOOK_S = 0.05
"""How soon a stop signal is seen while a try to connect is under way."""

Say = Callable[..., None]
"""`say(level, event, **fields)`"""


def words(down: LogDown) -> str:
    """Why, and what somebody can do about it."""
    return f"{down}; {down.fix}" if down.fix else str(down)


class Outages:
    """What does not get on, by readiness check: on /readyz at once, in the log in good time and seldom."""

    def __init__(self, health: Health, say: Say, clock: Callable[[], float] = time.monotonic) -> None:
        self.health, self.say, self.clock = health, say, clock
        self.since_s: dict[str, float] = {}
        self._said_s: dict[str, float] = {}
        self._notes: dict[str, set[str]] = {}

    def tell(self, check: str, why: str | None, event: str = "waiting", **more: str) -> None:
        """`check` waits, and why; None: it does not, or no longer. The log tells it as `event`, with `more`: what is a
        `fix` there belongs to the words of /readyz, too.
        """
        now_s = self.clock()
        self.health.wait(check, f"{why}; {more['fix']}" if why is not None and more.get("fix") else why)
        if why is None:
            since_s = self.since_s.pop(check, now_s)
            if self._said_s.pop(check, None) is not None:
                self.say("info", "works_again", check=check, after_seconds=round(now_s - since_s, 1))
            return
        since_s = self.since_s.setdefault(check, now_s)
        after_s = SAID_AFTER_S.get(check, SAID_AFTER_ELSE_S)
        if now_s - since_s >= after_s and now_s - self._said_s.get(check, -SAID_EVERY_S) >= SAID_EVERY_S:
            self._said_s[check] = now_s
            lasts = round(now_s - since_s, 1)
            self.say("warning", event, check=check, why=why, **more, since_seconds=lasts)

    def last(self, checks: Collection[str], seconds: float) -> bool:
        """Whether one of the checks waits that long already. For any thread."""
        now_s = self.clock()
        return any(now_s - since_s >= seconds for check, since_s in dict(self.since_s).items() if check in checks)

    def note(self, about: str, said: Mapping[str, str]) -> None:
        """Details that make nothing unready, all there are of a kind, by name: on /readyz?verbose, and in the log
        when one is new and then once an hour.
        """
        now_s = self.clock()
        for name in self._notes.get(about, set()) - set(said):
            self.health.note(name, None)
            self._said_s.pop(name, None)
        self._notes[about] = set(said)
        for name, what in said.items():
            self.health.note(name, what)
            if now_s - self._said_s.get(name, -NOTED_EVERY_S) >= NOTED_EVERY_S:
                self._said_s[name] = now_s
                self.say("warning", about, of=name, what=what)


def connected(
    connect: Callable[[], Any],
    pool: Executor,
    outages: Outages,
    stopping: Callable[[], bool],
    give_up_s: float | None = None,
    meanwhile: Callable[[], object] | None = None,
    pause: Callable[[float], object] = time.sleep,
) -> Any:
    """The log, however long it takes; None when asked to stop before. LogRefused where waiting does not help, LogDown
    after `give_up_s` without a broker. `meanwhile` is called once while the first try is under way.
    """
    pause_s = PAUSES_S[0]
    begin_s = outages.clock()
    while not stopping():
        trying = pool.submit(connect)
        if meanwhile is not None:
            meanwhile()
            meanwhile = None
        try_end_s = outages.clock() + TRY_S
        while not trying.done():
            if outages.clock() < try_end_s:
                outages.health.beat()
            if stopping():
                return None
            pause(LOOK_S)
        try:
            log = trying.result()
        except LogRefused:
            raise
        except LogDown as down:
            if give_up_s is not None and outages.clock() - begin_s >= give_up_s:
                raise
            outages.tell("broker_seen", str(down), down.event, fix=down.fix)
        else:
            outages.tell("broker_seen", None)
            return log
        end_s = outages.clock() + pause_s
        while outages.clock() < end_s and not stopping():
            outages.health.beat()
            pause(LOOK_S)
        pause_s = min(2 * pause_s, PAUSES_S[1])
    return None
