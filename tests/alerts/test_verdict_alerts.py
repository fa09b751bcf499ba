"""Alerts that rest on verdicts: their life is tried by `test_audit_record.py`; here keys of more than one text."""

from __future__ import annotations

import json

from streamer.alerts.agreement_record import AgreementAlerts, Alarm
from streamer.alerts.verdict_alerts import MOST
from tests.alerts.test_audit_record import CONFIG, MINUTE_MS, TTL_MS, told


def test_who_has_two_names_is_one_and_its_state_goes_on_where_it_stood() -> None:
    emitted: dict[tuple[str, str], int] = {}
    alerts, again = (AgreementAlerts(CONFIG, ("log", 2), 0, TTL_MS, one) for one in (emitted, {}))
    for who in ("ann", "bob"):
        alerts.fire(("m", who), Alarm(1, 17, 5, 40, 18, 4, 2, 1e301, MINUTE_MS, 0.05), 90)
    again.load(json.loads(json.dumps(alerts.dump())))
    assert again.dump() == alerts.dump()
    outs, over = again.tick(200, MINUTE_MS + TTL_MS)
    assert (outs, over) == alerts.tick(200, MINUTE_MS + TTL_MS)
    assert over == [("m", "ann"), ("m", "bob")]
    assert len({told(out)["data"]["fingerprint"] for out in outs}) == 2
    assert told(outs[0])["data"]["statistic"] == MOST
    assert emitted == {("firing", "critical"): 2, ("resolved", "critical"): 2}
