"""Whether the process is alive and ready, as /livez and /readyz tell it: what it waits for, in words, and since when.

Written by the worker's thread and read by the server's. Every write is of one attribute or one entry of a dict, and
readers take a copy, so there is no lock to wait for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

STUCK_SECONDS = 60.0
"""Above the longest step of the worker's loop: a commit without an end, a new producer, a search for the reason."""
LOOPS = {
    # What turns as long as the process lives -> what to say when it does not, and after how many times as long.
    "worker_loop": ("the worker's loop has not come round", 1),
    "watch": ("the thread that looks at brokers, topics and groups has not come round", 5),
}
WORDS_MAX = 2000
"""Characters of a reason; longer ones are cut, so that whoever calls cannot make an answer grow."""

CHECKS: dict[str, str | None] = {
    # Every readiness check, in the order of a start -> what it waits for at first; None is fulfilled from the start.
    "config_loaded": None,  # The server's own address stands in the config.
    "broker_seen": "connecting to the broker",
    "rights": None,
    "assigned": "the group has not assigned partitions yet",
    "restored": "partitions are restored once the group has assigned them",
    "commits": None,
    "schemas": None,
    "topics": None,
    "records": None,
    "all_read": None,
    "not_draining": None,
}


class Waiting(NamedTuple):
    words: str
    since_s: float


class Health:
    """`clock` counts seconds. The loop may stand still for `stuck_s` before the process counts as dead. `masked` takes
    the secrets out of words: they may be a broker's or a client's. `checks`: what readiness waits for, as in CHECKS.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        stuck_s: float = STUCK_SECONDS,
        masked: Callable[[str], str] = str,
        checks: Mapping[str, str | None] = CHECKS,
    ) -> None:
        self._clock, self._stuck_s, self._masked = clock, stuck_s, masked
        self._beats = {"worker_loop": clock()}
        self._checks = {check: Waiting(why, clock()) if why is not None else None for check, why in checks.items()}
        self._notes: dict[str, str] = {}

    def beat(self, loop: str = "worker_loop") -> None:
        """One of LOOPS came round. From then on it is looked whether it does."""
        self._beats[loop] = self._clock()

    def rest(self, loop: str) -> None:
        """It is over, and for good reason."""
        self._beats.pop(loop, None)

    def wait(self, check: str, why: str | None) -> None:
        """A check is fulfilled (None), or waits: for what, or what is wrong, in words.

        The words may change as often as more is known; it waits since it was last fulfilled.
        """
        if check not in self._checks:
            raise ValueError(f"there is no readiness check {check!r}, only {', '.join(self._checks)}")
        before = self._checks[check]
        if why is None:
            self._checks[check] = None
        else:
            self._checks[check] = Waiting(self._one_line(why), self._clock() if before is None else before.since_s)

    def note(self, name: str, words: str | None) -> None:
        """A detail for people, which does not make the process unready; None takes it back."""
        if words is None:
            self._notes.pop(self._one_line(name), None)
        else:
            self._notes[self._one_line(name)] = self._one_line(words)

    def live(self) -> dict[str, str | None]:
        """Only that the loops turn. Never whether the broker answers: restarting the process would not mend that."""
        return {check: waiting and waiting.words for check, waiting in self._live().items()}

    def ready(self) -> dict[str, str | None]:
        """Every check in its order; None is ok."""
        return {check: waiting and waiting.words for check, waiting in dict(self._checks).items()}

    def notes(self) -> dict[str, str]:
        return dict(self._notes)

    def page(self, name: str, verbose: bool = False) -> tuple[bool, str]:
        """Whether all is well with `livez` or `readyz`, and the page that says so.

        `ok`, or a line for each check that waits; verbose: a line for each check and note.
        """
        checks = self._live() if name == "livez" else dict(self._checks)
        well = not any(checks.values())
        if well and not verbose:
            return True, "ok\n"
        lines = [self._line(check, waiting) for check, waiting in checks.items() if waiting or verbose]
        if verbose:
            lines += [f"[i] {about}: {words}" for about, words in self.notes().items() if name == "readyz"]
            lines.append(f"{name}: {'ok' if well else 'failed'}")
        return well, "\n".join(lines) + "\n"

    def _live(self) -> dict[str, Waiting | None]:
        now_s, beats = self._clock(), dict(self._beats)
        return {
            loop: Waiting(words, beats[loop]) if now_s - beats[loop] > times * self._stuck_s else None
            for loop, (words, times) in LOOPS.items()
            if loop in beats
        }

    def _line(self, check: str, waiting: Waiting | None) -> str:
        if waiting is None:
            return f"[+] {check} ok"
        return f"[-] {check}: {waiting.words} (since {self._clock() - waiting.since_s:.0f} s)"

    def _one_line(self, words: str) -> str:
        """Masked before it is cut, lest half of a secret remains."""
        text = " ".join(self._masked(words).split())
        return text if len(text) <= WORDS_MAX else text[: WORDS_MAX - 1] + "…"
