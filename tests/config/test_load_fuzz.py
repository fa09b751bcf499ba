"""Whatever stands in a config: problems with a place and a kind, in one line each; never a crash."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

from hypothesis import given, settings
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


@settings(max_examples=150)
@given(st.lists(st.tuples(st.sampled_from(PLACES), JUNK), min_size=1, max_size=4))
def test_junk_in_any_place(changes: list[tuple[PathKey, Any]]) -> None:
    value = WHOLE
    for path, junk in changes:
        value = changed(value, path, junk)
    check_problems(json.dumps(value).replace("NaN", ".nan").replace("Infinity", ".inf").encode())


@settings(max_examples=150)
@given(st.integers(0, len(EVERYTHING)), st.integers(0, 40), st.binary(max_size=12) | SIGNS)
def test_bytes_cut_and_put_in(at: int, cut: int, put: bytes) -> None:
    check_problems(EVERYTHING[:at] + put + EVERYTHING[at + cut :])


def said_of(value: Any) -> set[str]:
    """What is wrong with values that stand where those of EVERYTHING do: nothing is parsed again."""
    source = parse(b"{}", "x.yaml", {})
    source.value, source.places, source.hidden = value, PARSED.places, PARSED.hidden
    build(source)
    return {problem.path for problem in in_order(source.problems)}


def test_a_mistake_never_hides_another() -> None:
    """Two wrong places, each on its own, and then together: everything that was said is said again."""
    places = [path for path in PLACES if not isinstance(path[-1], int) and len(path) > 1][::8]
    alone = {path: said_of(changed(WHOLE, path, [[]])) for path in places}
    assert len(places) > 30
    for path, said in alone.items():
        assert set(check_problems(json.dumps(changed(WHOLE, path, [[]])).encode())) == said != set(), path
    for one, other in combinations(places, 2):  # Changed in either order, the text is the same.
        if one[: len(other)] == other or other[: len(one)] == one:
            continue
        both = changed(changed(WHOLE, one, [[]]), other, [[]])
        assert alone[one] | alone[other] <= said_of(both), (one, other)
