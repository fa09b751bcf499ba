"""Why and how the process ends: signals, and threads that end by what they raise."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

import pytest

from streamer.service import stopper as under_test
from streamer.service.closing import LEAVE_SECONDS
from streamer.service.stopper import DRAIN_SECONDS, EXIT_INTERNAL, EXIT_NOT_DRAINED, Stopper, threads


@pytest.fixture
def armed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, int] | None]:
    """What would end this process, hard: (seconds, exit code), None once it is called off."""
    found: list[tuple[float, int] | None] = []

    def after(seconds: float, code: int) -> Callable[[], None]:
        found.append((seconds, code))
        return lambda: found.__setitem__(-1, None)

    monkeypatch.setattr(under_test, "end_after", after)
    return found


@pytest.mark.parametrize(("landed", "code"), [(None, EXIT_NOT_DRAINED), (False, EXIT_NOT_DRAINED), (True, 0)])
def test_the_first_signal_asks_and_the_second_ends_with_the_code_that_is_true_by_then(
    landed: bool | None, code: int, armed: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(under_test.os, "_exit", ended.append)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    stopper = Stopper()
    try:
        stopper.install()
        signal.raise_signal(signal.SIGTERM)
        assert (stopper.asked.is_set(), ended) == (True, [])
        assert armed == [(DRAIN_SECONDS, EXIT_NOT_DRAINED)]
        if landed is not None:
            stopper.drained(landed)
        assert armed == ([None] if landed else [(DRAIN_SECONDS, EXIT_NOT_DRAINED)])
        signal.raise_signal(signal.SIGINT)
        assert ended == [code]
        assert stopper.leave(stopper.code) == code
        assert armed[-1] == (LEAVE_SECONDS, code)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.parametrize("landed", [True, False])
def test_who_has_failed_drains_and_does_not_end_as_if_all_were_well(
    landed: bool, armed: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(under_test.os, "_exit", ended.append)
    stopper = Stopper()
    stopper.fail("the thread x has ended")
    stopper.fail("another one")
    assert (stopper.asked.is_set(), stopper.why) == (True, "the thread x has ended")
    assert armed == [(DRAIN_SECONDS, EXIT_NOT_DRAINED)]
    stopper._handle(signal.SIGTERM, None)
    assert ended == [], "the first signal only asks for what is under way"
    stopper.drained(landed)
    assert stopper.code == (EXIT_INTERNAL if landed else EXIT_NOT_DRAINED)
    stopper._handle(signal.SIGTERM, None)
    assert ended == [stopper.code]


def test_each_thread_that_ends_by_what_it_raises_is_told_and_no_other() -> None:
    told, before = list[tuple[str, str]](), threading.excepthook

    def ends(error: type[BaseException] | None) -> None:
        if error is not None:
            raise error

    with threads(lambda name, error: told.append((name, type(error).__name__))):
        for error in (None, SystemExit, KeyError):
            one = threading.Thread(target=ends, args=(error,), name=f"with {error}")
            one.start()
            one.join()
    assert told == [("with <class 'KeyError'>", "KeyError")]
    assert threading.excepthook is before
