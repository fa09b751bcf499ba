"""Whatever stands in a config: problems with a place and a kind, in one line each; never a crash."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import combinations, product
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streamer.config.load import build, check
from streamer.config.problems import KINDS, SHOWN_MAX, in_order
from streamer.config.yaml_source import PathKey, parse

EVERYTHING = (Path(__file__).resolve().parents[1] / "configs" / "everything.good.yaml").read_bytes()
PARSED = parse(EVERYTHING, "x", {})
WHOLE = PARSED.value
PLACES = sorted(filter(None, PARSED.places), key=str)

TEXTS = st.sampled_from(
    ["", "x", "1s", "0s", "7d", "1MiB", "adwin", "river", "fraction", "features.*", "/a~", "${", "${X}", "a\nb", "*"]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.text(max_size=80)
JUNK = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS | st.text(max_size=8), inner, max_size=3)
)
SIGNS = st.text("{}[]:,&*!|>'\"%@`-?# \n\t$<", max_size=8).map(str.encode)


def changed(value: Any, path: PathKey, junk: Any) -> Any:
    """A copy with `junk` at `path`, or the value itself where an earlier change took the path away."""
    if not path:
        return junk
    if isinstance(value, dict) and path[0] in value:
        return {k: changed(v, path[1:], junk) if k == path[0] else v for k, v in value.items()}
    if isinstance(value, list) and isinstance(path[0], int) and path[0] < len(value):
        return [changed(v, path[1:], junk) if i == path[0] else v for i, v in enumerate(value)]
    return value


def check_problems(data: bytes) -> list[str]:
    config, problems = check(data, "x.yaml", {})
    assert (config is None) == any(p.severity == "error" for p in problems)
    lines = len(data.splitlines()) + 1
    for problem in problems:
        assert problem.kind in KINDS
        assert 1 <= problem.line <= lines
        assert problem.column >= 1
        assert len(str(problem).splitlines()) == 1
        assert len(str(problem)) < 12 * SHOWN_MAX
    assert problems == sorted(problems, key=lambda p: (p.line, p.column, p.path, p.message))
    return [problem.path for problem in problems]


@given(st.lists(st.tuples(st.sampled_from(PLACES), JUNK), min_size=1, max_size=4))
def test_junk_in_any_place(changes: list[tuple[PathKey, Any]]) -> None:
    value = WHOLE
    for path, junk in changes:
        value = changed(value, path, junk)
    check_problems(json.dumps(value).replace("NaN", ".nan").replace("Infinity", ".inf").encode())


@given(st.integers(0, len(EVERYTHING)), st.integers(0, 40), st.binary(max_size=12) | SIGNS)
def test_bytes_cut_and_put_in(at: int, cut: int, put: bytes) -> None:
    check_problems(EVERYTHING[:at] + put + EVERYTHING[at + cut :])


def said_of(value: Any) -> set[str]:
    """What is wrong with values that stand where those of EVERYTHING do: nothing is parsed again."""
    source = parse(b"{}", "x.yaml", {})
    source.value, source.places, source.hidden = value, PARSED.places, PARSED.hidden
    build(source)
    return {problem.path for problem in in_order(source.problems)}


def lines(count: int) -> Iterator[list[int]]:
    """Numbers below `count`, few at a time, any two of them together once: the lines of the plane over a prime."""
    side = next(p for p in (2, 3, 5, 7, 11, 13) if p * p >= count)
    for slope, first in product(range(side), repeat=2):
        yield [n for n in (x * side + (slope * x + first) % side for x in range(side)) if n < count]
    for x in range(side):
        yield [n for n in range(x * side, (x + 1) * side) if n < count]


def within(path: PathKey, other: PathKey) -> bool:
    return path != other and path[: len(other)] == other


def test_a_mistake_never_hides_another() -> None:
    """Wrong places, each on its own, and then some together: everything that was said is said again. Any two are
    together somewhere, but for those of which one lies in the other.
    """
    places = [path for path in PLACES if not isinstance(path[-1], int) and len(path) > 1][::8]
    alone = {path: said_of(changed(WHOLE, path, [[]])) for path in places}
    assert len(places) > 30
    for path, said in alone.items():
        assert set(check_problems(json.dumps(changed(WHOLE, path, [[]])).encode())) == said != set(), path
    together = [[places[n] for n in line] for line in lines(len(places))]
    together = [[p for p in some if not any(within(p, other) for other in some)] for some in together]
    tried = {two for some in together for two in combinations(sorted(some, key=str), 2)}
    apart = [two for two in combinations(sorted(places, key=str), 2) if not within(*two) and not within(*two[::-1])]
    for some in [*together, *(two for two in apart if two not in tried)]:
        value = WHOLE
        for path in some:  # Changed in any order, the text is the same.
            value = changed(value, path, [[]])
        said = said_of(value)
        assert [path for path in some if not alone[path] <= said] == [], some
