"""Page-Hinkley on any values. See also test_river_equality.py."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import PageHinkley
from detectors.params import DIRECTIONS
from tests.detectors.test_river_equality import check_page_hinkley, finite


@settings(max_examples=200, deadline=None, database=None)
@given(st.lists(finite, max_size=120), st.sampled_from(DIRECTIONS))
def test_page_hinkley_on_any_values(values: list[float], mode: str) -> None:
    check_page_hinkley(PageHinkley(3, 0.005, 2.0, 0.99, mode), values)
