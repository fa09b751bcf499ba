"""What records of audits and agreement say; their schemas are in tests/schemas/records."""

from __future__ import annotations

import numpy as np

from detectors.agreement import Agreement
from detectors.audit import AuditTest
from streamer.review.audits import Window
from streamer.review.figures import agreement_facts, audit_facts


def test_an_audit_has_an_error_of_all_only_where_both_parts_have_an_answer() -> None:
    window, test = Window((10, 90), (10, 5), [10, 0], [4, 0], 0.1), AuditTest()
    told = audit_facts(window, test)
    assert "error" not in told
    assert told["lowest"] == {"events": 10, "asked": 10, "answered": 10, "wrong": 4}
    window.answered[1] = 5
    assert audit_facts(window, test)["error"]["share"] == 0.04
    test.add(np.full(200, 0.01), np.ones(200, bool))
    assert audit_facts(window, test)["test"]["fired"] is True
    assert np.isfinite(audit_facts(window, test)["test"]["evidence"])


def test_agreement_is_of_pairs_and_of_all() -> None:
    table = Agreement(3)
    for item, verdicts in enumerate([(0, 0), (1, 1), (0, 1), (1, 1), (0, 0), (2, 0)]):
        table.add(item, [("ann", verdicts[0]), ("bob", verdicts[1])])
    table.add(9, [("cyd", 0)])
    told = agreement_facts(table)
    assert (told["items"], told["overlapping"], told["conflicting"]) == (7, 6, 2)
    [pair] = told["pairs"]
    assert (pair["reviewers"], pair["n"]) == (["ann", "bob"], 6)
    assert pair["kappa"]["value"] == table.kappa("ann", "bob").value  # type: ignore[union-attr]
    assert [one["reviewer"] for one in told["reviewers"]] == ["ann", "bob", "cyd"]
    assert agreement_facts(Agreement(3))["alpha"] is None
