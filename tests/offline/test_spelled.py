"""Numbers as people write them: what they stand for, and what is none."""

from __future__ import annotations

import pytest

from streamer.offline.spelled import Spelled, is_nothing, is_number, number, spelled

POINT = {
    "1,234.50": (1234.5, ""),
    "1'234'567": (1234567, ""),
    "12 000.25": (12000.25, ""),
    "$12.50": (12.5, "$"),
    "-$1,200": (-1200, "$"),
    "€-3": (-3, "€"),
    "12.50 EUR": (12.5, "EUR"),
    "(12.50)": (-12.5, ""),
    "−5": (-5, ""),
    "9.5%": (0.095, "%"),
    "12 %": (0.12, "%"),
    "1e3": (1000.0, ""),
    ".5": (0.5, ""),
    "1,23,456.5": (123456.5, ""),
    "US$5": (5, "US$"),
    "1\u2009234.5": (1234.5, ""),
}
COMMA = {"1.234,50": (1234.5, ""), "1 234,5 €": (1234.5, "€"), "0,125": (0.125, ""), "12%": (0.12, "%")}
NONE = [
    "",
    "%",
    "$",
    "01,234",
    "1,23",
    "1,23,45",
    "1,2345",
    "(5",
    "$5 EUR",
    "1,234 567",
    "SKU 12",
    "1_000",
    "0x1F",
    "12 ms",
    "1.2.3",
]


@pytest.mark.parametrize("how", ["point", "comma"])
def test_a_spelling_has_its_value_and_its_unit(how: str) -> None:
    wanted = POINT if how == "point" else COMMA
    assert {text: spelled(text, how) for text in wanted} == {text: Spelled(*value) for text, value in wanted.items()}


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_number_is_none(text: str) -> None:
    assert spelled(text, "point") is None


def test_what_programs_write_with_blanks_around() -> None:
    assert [number(text) for text in (" 12 ", "13.5\u00a0", "+4", "-INF")] == [12, 13.5, 4, float("-inf")]
    assert not any(map(is_number, ("01234", "1_000", "1,5", "x")))
    assert all(map(is_nothing, ("", " ", "NaN", "N.A.", "#DIV/0!", "\\N", "-", "none")))
    assert not any(map(is_nothing, ("0", "no", "NANCY")))
