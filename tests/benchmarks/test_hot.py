"""What a hot model is shared out over, as deploy/README.md says it."""

from __future__ import annotations

import pytest

from benchmarks import hot
from tests.docs import ROOT


def test_the_busiest_partition_has_what_the_documents_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hot, "EVENTS", 60_000)
    found = [round(100 * row["busiest"]) for row in hot.rows()]
    assert found == pytest.approx([81, 40, 24, 19], abs=1)
    assert "the busiest one has 81 % of all" in (ROOT / "deploy" / "README.md").read_text()
    assert "it has 40, 24 and 19 %" in (ROOT / "deploy" / "README.md").read_text()
