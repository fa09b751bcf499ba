"""An alert in a snapshot: the same again, and nothing that no alert can be."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest

from streamer.alerts.alert import (
    ACCEPTED,
    FADED,
    FADING,
    FIRING,
    PENDING,
    QUIET,
    Alert,
    Opened,
    Policy,
    alert_of,
    is_quiet,
    plain,
)
from streamer.alerts.recovery import recovery_of
from streamer.monitors.evidence import Edge, Moved

OPENED = Opened(
    7, 7_000, 3, (1, 9.0, 1.0, (500, 100.0, 20.0, 0, 99, 0, 99), (40, 150.0, 20.0, 1, 2, 3, 4), None, (100, 5))
)
RECOVERY = recovery_of(Moved(100.0, 20.0, 500, (40, 150.0, 20.0, 1, 2, 3, 4)), 0.5)
ALERTS = [
    Alert("m", 0, "fraud", QUIET, quiet_until_ms=3, episode=2),
    Alert("m", 0, "fraud", PENDING, due_ms=5, opened=OPENED),
    Alert("m", 0, "fraud", FIRING, repeat_ms=9, accept_ms=11, opened=OPENED, edge=True, recovery=RECOVERY),
    Alert("m", 0, "fraud", FIRING, repeat_ms=9, due_ms=5, opened=OPENED, edge=True, how=FADED),
    Alert("m", 0, "fraud", FADING, repeat_ms=9, due_ms=5, opened=OPENED, told=4),
]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.state)
def test_it_is_the_same_again(alert: Alert) -> None:
    again = alert_of(msgpack.unpackb(msgpack.packb(plain(alert))))
    assert again == alert
    assert again.opened is None or hash(again.opened.evidence)


def began(second: int) -> Edge:
    """An edge whose after begins then."""
    after = (50, 150.0, 20.0, second, second + 9, second * 1000, second * 1000 + 9)
    return 1, 9.0, 5.0, (500, 100.0, 20.0, 0, 0, 0, 0), after, None, None, 0


def test_what_shows_a_fault_that_is_over_opens_nothing_for_a_day() -> None:
    """A long block that is full hours later has the fault in it. What began since is news."""
    alert, policy = (
        Alert("m", 0, "fraud", cleared_ms=150_000),
        Policy(0, 10_000, 0, accept_after_ms=300_000, blocks=True),
    )
    quiet = [
        is_quiet(alert, edge, 200_000, policy) for edge in (began(95), began(149), began(150), {"of": "a window"}, ())
    ]
    assert quiet == [True, True, False, False, False]
    assert not is_quiet(alert, began(95), 450_000, policy)
    assert not is_quiet(alert, began(95), 200_000, policy._replace(blocks=False)), "of others after is what came since"
    assert not is_quiet(Alert("m", 0, "fraud"), began(95), 200_000, policy)
    assert is_quiet(Alert("m", 0, "fraud", quiet_until_ms=200_001), began(150), 200_000, policy)


@pytest.mark.parametrize(
    ("number", "wrong"),
    [
        (0, {"state": "open"}),
        (0, {"how": "vanished"}),
        (0, {"repeat_ms": 4}),
        (1, {"due_ms": None}),
        (1, {"opened": None}),
        (2, {"repeat_ms": None}),
        (2, {"due_ms": 3}),
        (2, {"how": FADED}),
        (3, {"how": ACCEPTED}),
        (4, {"due_ms": None}),
    ],
)
def test_what_no_alert_can_be_is_refused(number: int, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="alert"):
        alert_of({**plain(ALERTS[number]), **wrong})
