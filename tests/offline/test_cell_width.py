"""Texts as wide as a terminal shows them."""

from __future__ import annotations

from streamer.offline.backtest_told import table
from streamer.offline.cell_width import cut, padded


def test_a_letter_may_have_two_columns_or_none() -> None:
    assert cut("欺诈欺诈", 8) == cut("欺诈欺诈", None) == "欺诈欺诈"
    assert cut("欺诈欺诈", 6) == "欺诈 …"
    assert cut("fraud", 4) == "fra…"
    assert padded("欺诈", 6) == "欺诈  "
    assert padded("e\u0301", 3) == "e\u0301  "
    assert padded("欺诈欺诈", 6) == "欺诈欺诈"


def test_columns_of_a_table_stand_below_each_other() -> None:
    assert list(table(("model", "n"), [("欺诈欺诈", "1"), ("fraud", "22")])) == [
        "model      n",
        "欺诈欺诈   1",
        "fraud     22",
    ]
