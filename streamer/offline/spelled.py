"""Numbers as people and spreadsheets write them: with groups of digits, a currency, a percent sign, in brackets.

One cell of them can mean two things, a whole column hardly ever. So a spelling is what all cells of a column share.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from schemas.events.codecs import NUMBER, number_of

BLANKS = " \u00a0\u2009\u202f"
UNITS = r"(?:US|R|A|C|NZ|HK)?\$|[€£¥₹₽₩₺₴₪]|(?:USD|EUR|GBP|CHF|JPY|CNY|INR|CAD|AUD|SEK|NOK|DKK|PLN|CZK|BRL|MXN|ZAR)"
NOTHING = frozenset(
    "|na|n/a|n.a.|nan|-nan|null|nil|none|#n/a|#na|<na>|nat|\\n|-|--|?|.|#div/0!|#value!|#ref!|#num!|#name?|#null!".split(
        "|"
    )
)
"""What stands for nothing among numbers, booleans and times; among texts only the empty cell does."""
INFINITE = {sign + word for sign in ("", "+", "-") for word in ("inf", "infinity")}


class Spelled(NamedTuple):
    """`unit`: a currency, "%" or nothing, the same in all cells of a column."""

    value: float | int
    unit: str


def _spelling(mark: str, groups: str) -> re.Pattern[str]:
    lakhs = r"|[1-9]\d?(?:,\d\d)+,\d{3}" if mark == "." else ""
    digits = rf"(?:[1-9]\d{{0,2}}(?P<group>[{groups}])\d{{3}}(?:(?P=group)\d{{3}})*{lakhs}|0|[1-9]\d*)"
    number = rf"(?P<whole>{digits})?(?:[{mark}](?P<part>\d+))?(?P<power>[eE][+-]?\d+)?"
    return re.compile(
        rf"(?P<open>\()?(?P<sign>[+\-−]?)(?:(?P<before>{UNITS})[{BLANKS}]?(?P<then>[\-−]?))?{number}"
        rf"(?:[{BLANKS}]?(?P<after>%|{UNITS}))?(?P<close>\))?"
    )


SPELLINGS = {"point": _spelling(".", f",'’{BLANKS}"), "comma": _spelling(",", f".'’{BLANKS}")}
"""By what the decimal mark is."""


def is_nothing(text: str) -> bool:
    """Whether a cell among numbers stands for no number."""
    return len(text) < 16 and text.strip().casefold() in NOTHING


def is_number(text: str) -> bool:
    """Whether it is one as programs write them, blanks around it or not."""
    text = text.strip()
    return NUMBER(text) is not None or text.casefold() in INFINITE


def number(text: str) -> float | int:
    """What such a text stands for."""
    return number_of(text.strip())


def spelled(text: str, how: str) -> Spelled | None:
    """A number as people write it, with a decimal point or comma; None for what is none.

    >>> spelled("$1,234.50", "point"), spelled("-1.234,5 €", "comma")
    (Spelled(value=1234.5, unit='$'), Spelled(value=-1234.5, unit='€'))
    >>> spelled("12%", "point"), spelled("(9)", "point"), spelled("01,234", "point")
    (Spelled(value=0.12, unit='%'), Spelled(value=-9, unit=''), None)
    """
    found = SPELLINGS[how].fullmatch(text.strip())
    if found is None or (found["open"] is None) != (found["close"] is None) or not (found["whole"] or found["part"]):
        return None
    if found["before"] and found["after"]:
        return None
    whole = "".join(filter(str.isdigit, found["whole"] or "0"))
    value = number_of(whole + (f".{found['part']}" if found["part"] else "") + (found["power"] or ""))
    less = (found["sign"] or "") + (found["then"] or "")
    if found["open"] or less in ("-", "−"):
        value = -value
    unit = found["before"] or found["after"] or ""
    return Spelled(float(f"{value}e-2") if unit == "%" else value, unit)
