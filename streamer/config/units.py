"""Durations and sizes as a config writes them: `250ms`, `10s`, `2m`, `1h`, `7d`; `1MiB`, `900KB`, `1048576`."""

from __future__ import annotations

import re
from typing import Any

from streamer.config.problems import quoted

DURATION = r"[0-9]{1,13}(ms|s|m|h|d)"
SIZE = r"[0-9]{1,12}(B|KB|MB|KiB|MiB)?"
MILLISECONDS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
BYTES = {"MiB": 1 << 20, "MB": 1_000_000, "KiB": 1 << 10, "KB": 1000, "B": 1}

DURATION_MAX = 36_500 * 86_400_000
"""A hundred years: what begins before 2200 ends in a year of four digits."""

WORDS = {
    word: MILLISECONDS[unit] * times
    for unit, times, words in (
        ("ms", 1, "ms msec millisecond milliseconds"),
        ("s", 1, "s sec secs second seconds"),
        ("m", 1, "m min mins minute minutes"),
        ("h", 1, "h hr hrs hour hours"),
        ("d", 1, "d day days"),
        ("d", 7, "w week weeks"),
    )
    for word in words.split()
}
"""Milliseconds of units as other tools and people write them; only to say what is meant."""
SECONDS_MAX = 1000
"""From here on a number without a unit is more likely one of milliseconds."""
_WORDS = re.compile(r"([0-9]{1,7}(?:\.[0-9]{1,3})?)? ?([a-z]+)")
_NUMBER = re.compile("[0-9]+")


def parse_duration(value: Any) -> int:
    """Milliseconds of a duration. Raises ValueError with one sentence.

    >>> parse_duration("2m")
    120000
    """
    if not isinstance(value, str) or not re.fullmatch(DURATION, value):
        raise ValueError(f"{quoted(value)} is not a duration such as 250ms, 10s, 2m, 1h or 7d.{_meant(value)}")
    milliseconds = _parse(value, MILLISECONDS)
    if milliseconds > DURATION_MAX:
        raise ValueError(f"{value} is over the limit of {show_duration(DURATION_MAX)}.")
    return milliseconds


def parse_size(value: Any) -> int:
    """Bytes of a size; a bare number is bytes. Raises ValueError with one sentence.

    >>> parse_size("1MiB"), parse_size(1000)
    (1048576, 1000)
    """
    if isinstance(value, bool) or not isinstance(value, str | int) or not re.fullmatch(SIZE, str(value)):
        raise ValueError(f"{quoted(value)} is not a size such as 1048576, 900KB or 1MiB.{_meant_size(value)}")
    return _parse(str(value), BYTES)


def _meant(value: Any) -> str:
    """The duration that is meant by one in other words, as a sentence.

    >>> _meant("5 minutes"), _meant("week"), _meant("1.5h"), _meant("soon")
    (" Did you mean '5m'?", " Did you mean '7d'?", " Did you mean '90m'?", '')
    >>> _meant("1h30m"), _meant(10), _meant(5000)
    (" Did you mean '90m'?", " It has no unit: '10s'?", " It has no unit: '5s'?")
    """
    if type(value) is int and 0 <= value < SECONDS_MAX * 1000:
        return f" It has no unit: {show_duration(value * 1000 if value < SECONDS_MAX else value)!r}?"
    parts = re.findall(r"([0-9]{1,7})(ms|[smhd])", str(value))
    if len(parts) > 1 and "".join(map("".join, parts)) == value:
        return f" Did you mean {show_duration(sum(int(count) * MILLISECONDS[unit] for count, unit in parts))!r}?"
    found = _WORDS.fullmatch(str(value).strip().lower())
    if found is None or found[2] not in WORDS:
        return ""
    milliseconds = round(float(found[1] or 1) * WORDS[found[2]])
    return f" Did you mean {show_duration(milliseconds)!r}?" if 0 < milliseconds <= DURATION_MAX else ""


def _meant_size(value: Any) -> str:
    """The same of a size: who writes M most often means MiB."""
    found = re.fullmatch(r"([0-9]{1,6}) ?([kKmM])([iI]?)[bB]?", str(value))
    unit = found and f"{found[2].upper()}{'' if found[3] == '' and str(value)[-1] in 'bB' else 'i'}B"
    return f" Did you mean '{found[1]}{unit}'?" if found else ""


def show_duration(milliseconds: int) -> str:
    """The shortest text that `parse_duration` reads back.

    >>> show_duration(600_000), show_duration(1500), show_duration(0)
    ('10m', '1500ms', '0s')
    """
    return _show(milliseconds, MILLISECONDS) if milliseconds else "0s"


def rough_duration(milliseconds: float) -> str:
    """As a person says it: the two largest units that are in it, rounded.

    >>> rough_duration(29_410 * 60_000), rough_duration(3_600_000), rough_duration(89_999.0), rough_duration(0)
    ('20d 10h', '1h', '1m 30s', '0s')
    """
    units = list(MILLISECONDS.items())
    size = max(milliseconds, 0.0)
    for place, (unit, factor) in enumerate(units[:-1]):
        finer, part = units[place + 1]
        parts = round(size / part)
        if parts * part >= factor:
            whole, rest = divmod(parts, factor // part)
            return f"{whole}{unit} {rest}{finer}" if rest else f"{whole}{unit}"
    return f"{round(size)}ms" if size else "0s"


def show_size(size: int) -> str:
    """The shortest text that `parse_size` reads back.

    >>> show_size(1 << 20), show_size(1001)
    ('1MiB', '1001B')
    """
    return _show(size, BYTES)


def _parse(text: str, units: dict[str, int]) -> int:
    number = _NUMBER.match(text)
    assert number is not None
    return int(number[0]) * units.get(text[number.end() :], 1)


def _show(value: int, units: dict[str, int]) -> str:
    unit, factor = next((unit, factor) for unit, factor in units.items() if value % factor == 0)
    return f"{value // factor}{unit}"
