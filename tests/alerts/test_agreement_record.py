"""The alert of a reviewer whose agreement fell, as the schema of all alerts has it."""

from __future__ import annotations

from streamer.alerts.agreement_record import AgreementAlerts, Alarm
from tests.alerts.test_audit_record import CONFIG, MINUTE_MS, TTL_MS, told


def test_it_says_how_often_one_agreed_and_how_often_at_first() -> None:
    alerts = AgreementAlerts(CONFIG, ("log", 2), 0, TTL_MS, {})
    made = told(alerts.fire(("m", "ann"), Alarm(1, 17, 5, 40, 18, 4, 2, 90.0, MINUTE_MS, 0.05), 90))
    assert made["data"]["sentence"] == (
        "m: ann agreed with others on 22 of 40 items, at first on 56 of 60; found by review.agreement at log[2]@17."
    )
    assert (made["data"]["statistic"], made["data"]["threshold"]) == (90.0, 40.0)
    assert made["data"]["alert"]["labels"]["reviewer"] == "ann"


def test_of_two_it_says_that_it_may_be_the_other_one() -> None:
    alerts = AgreementAlerts(CONFIG, ("log", 2), 0, TTL_MS, {})
    made = told(alerts.fire(("m", "ann"), Alarm(1, 17, 5, 40, 18, 4, 1, 90.0, MINUTE_MS, 0.05), 90))
    assert "(one other reviewer, so it may be that one who changed); found" in made["data"]["sentence"]
