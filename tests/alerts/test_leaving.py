"""Alerts of series that leave their table: over, and said to be so; those of the others go on."""

from __future__ import annotations

import numpy as np

from streamer.alerts.leaving import open_models, open_rows, retain
from streamer.alerts.lifecycle import FADED, GONE, Moment, Policy
from streamer.monitors.finding import BREACH, DRIFT
from tests.alerts.test_lifecycle import found, make, passes


def test_what_is_open_for_a_series_that_is_gone_ends_at_once_and_the_others_have_new_rows() -> None:
    book = make(level=Policy(2_000, 5_000, 0), edge=Policy(0, 9_000, 60_000))
    found(book, 0, BREACH, 0, row=0)  # firing by then
    passes(book, "fraud", 3)
    found(book, 0, BREACH, 3, row=1)  # pending
    found(book, 1, DRIFT, 3, row=2)  # fading
    found(book, 1, DRIFT, 3, row=3)
    assert open_rows(book, ["edge"]) == {2, 3}
    assert open_models(book) == {"fraud"}
    at = Moment(40, 4_000, 4_000)
    notices = retain(book, ["level"], np.zeros(0, np.int64), lambda model: at)
    assert [(n.status, n.row, n.at, n.ends_ms, n.how) for n in notices] == [("resolved", 0, at, 4_000, GONE)]
    assert open_rows(book, ["level"]) == set()
    [gone] = retain(book, ["edge"], np.array([0, 3]), lambda model: at)
    assert (gone.row, gone.ends_ms, gone.how) == (2, 4_000, GONE)
    assert repr(book) == "AlertBook(edge[1]=firing)"
    [late] = passes(book, "fraud", 13)
    assert (late.status, late.row, late.ends_ms, late.how) == ("resolved", 1, 12_000, FADED)
    assert retain(book, ["edge"], np.zeros(0, np.int64), lambda model: at) == []
    assert book.alerts == {}, "nothing is remembered of a cooldown either"
