"""Alive and ready: which checks there are, what they say, since when, and what a person reads."""

from __future__ import annotations

import threading

import pytest

from streamer.service.health import CHECKS, WORDS_MAX, Health
from streamer.service.json_logs import Redactor
from tests.service.clock import Clock


def started(health: Health) -> Health:
    for check in CHECKS:
        health.wait(check, None)
    return health


@pytest.mark.parametrize(("silent_s", "alive"), [(0, True), (30, True), (30.1, False)])
def test_liveness_is_the_age_of_the_heartbeat(health: Health, clock: Clock, silent_s: float, alive: bool) -> None:
    clock.now_s += 100
    health.beat()
    clock.now_s += silent_s
    assert (health.live()["worker_loop"] is None) == alive
    assert health.page("livez")[0] == alive


def test_a_stuck_loop_says_for_how_long(health: Health, clock: Clock) -> None:
    clock.now_s += 75
    assert health.live() == {"worker_loop": "the worker's loop has not come round"}
    assert health.page("livez") == (False, "[-] worker_loop: the worker's loop has not come round (since 75 s)\n")


def test_a_thread_beside_the_loop_that_does_not_come_round_is_not_alive(health: Health, clock: Clock) -> None:
    """The watch was once stuck, or gone, with all well here; whoever waits for its looks then waits for ever."""
    health.beat("watch")
    for _ in range(5):
        clock.now_s += 30
        health.beat()
    assert health.live() == {"worker_loop": None, "watch": None}, "its rounds may take longer"
    clock.now_s += 1
    well, page = health.page("livez")
    assert not well
    assert page.startswith("[-] watch: the thread that looks at brokers, topics and groups has not come round (since ")
    health.rest("watch")
    assert health.page("livez")[0], "it is over, as it should be"


def test_liveness_does_not_depend_on_any_check(health: Health) -> None:
    for check in CHECKS:
        health.wait(check, "the broker is gone")
    assert health.live() == {"worker_loop": None}
    assert health.page("livez") == (True, "ok\n")


def test_what_a_new_process_waits_for(health: Health) -> None:
    waits = {check: why for check, why in health.ready().items() if why is not None}
    assert list(health.ready()) == list(CHECKS)
    assert waits == {
        "broker_seen": "connecting to the broker",
        "assigned": "the group has not assigned partitions yet",
        "restored": "partitions are restored once the group has assigned them",
    }


@pytest.mark.parametrize("check", CHECKS)
def test_readiness_needs_every_check(health: Health, check: str) -> None:
    started(health)
    assert health.page("readyz") == (True, "ok\n")
    health.wait(check, "something is wrong")
    assert health.ready() == {**dict.fromkeys(CHECKS), check: "something is wrong"}
    assert health.page("readyz") == (False, f"[-] {check}: something is wrong (since 0 s)\n")


def test_it_waits_since_it_was_last_fulfilled_whatever_the_words(health: Health, clock: Clock) -> None:
    started(health)
    clock.now_s += 100
    health.wait("broker_seen", "connecting to the broker")
    clock.now_s += 12
    health.wait("broker_seen", "connection refused by localhost:9092")
    assert health.page("readyz")[1] == "[-] broker_seen: connection refused by localhost:9092 (since 12 s)\n"
    health.wait("broker_seen", None)
    clock.now_s += 5
    health.wait("broker_seen", "connection refused by localhost:9092")
    clock.now_s += 1
    assert health.page("readyz")[1].endswith("(since 1 s)\n")


def test_the_order_is_fixed_whoever_reports_first(health: Health) -> None:
    for check in reversed(CHECKS):
        health.wait(check, None)
        health.wait(check, "no")
    assert list(health.ready()) == list(CHECKS)
    assert [line.split()[1] for line in health.page("readyz")[1].splitlines()] == [f"{check}:" for check in CHECKS]


def test_a_note_is_for_people_and_does_not_make_it_unready(health: Health) -> None:
    started(health)
    health.note("series", "9,000 of 10,000 series are taken")
    assert health.page("readyz") == (True, "ok\n")
    assert health.page("livez", verbose=True) == (True, "[+] worker_loop ok\nlivez: ok\n")
    well, text = health.page("readyz", verbose=True)
    assert well
    assert text.splitlines() == [
        *(f"[+] {check} ok" for check in CHECKS),
        "[i] series: 9,000 of 10,000 series are taken",
        "readyz: ok",
    ]
    assert health.notes() == {"series": "9,000 of 10,000 series are taken"}
    health.note("series", None)
    health.note("series", None)
    assert health.notes() == {}


def test_verbose_lists_the_checks_that_pass_beside_those_that_wait(health: Health) -> None:
    health.wait("broker_seen", None)
    lines = health.page("readyz", verbose=True)[1].splitlines()
    assert "[+] broker_seen ok" in lines
    assert "[-] assigned: the group has not assigned partitions yet (since 0 s)" in lines
    assert lines[-1] == "readyz: failed"


def test_a_check_nobody_knows_is_refused(health: Health) -> None:
    with pytest.raises(ValueError, match="no readiness check 'brokers_seen', only config_loaded, broker_seen"):
        health.wait("brokers_seen", None)
    assert list(health.ready()) == list(CHECKS)


def test_words_are_one_line_of_bounded_length(health: Health) -> None:
    health.wait("topics", "no such topic:\n[+] records ok\r\n" + "x" * 10_000)
    health.note("late", "a\nb")
    why = health.ready()["topics"]
    assert why is not None
    assert why.startswith("no such topic: [+] records ok xxx")
    assert len(why) == WORDS_MAX
    assert health.notes() == {"late": "a b"}


def test_a_secret_is_masked_before_words_are_cut(clock: Clock) -> None:
    """Or the half of it that is left would be no secret to the mask."""
    secret = "hunter2-" * 3
    health = Health(clock, masked=Redactor([secret]).text)
    health.wait("topics", "x" * (WORDS_MAX - 10) + secret)
    health.note("full", f"of {secret}")
    assert "hunter2" not in health.page("readyz", verbose=True)[1]
    assert health.notes() == {"full": "of ***"}


def test_readers_and_the_writer_do_not_disturb_each_other(health: Health) -> None:
    failed: list[Exception] = []
    over = threading.Event()

    def read() -> None:
        try:
            while not over.is_set():
                health.page("readyz", verbose=True)
                health.notes()
        except Exception as error:
            failed.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for i in range(3000):
        health.note(f"n{i % 50}", "words" if i % 3 else None)
        health.wait("commits", "no" if i % 2 else None)
    over.set()
    for reader in readers:
        reader.join()
    assert failed == []
