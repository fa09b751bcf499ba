"""Changes of version: against the same said one event after the other, however the log is cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.series.version_change import VersionChange
from tests.series.tables import Value, grouped, plain, table_of
from tests.signals.events import batch_of

TOLD = st.lists(st.tuples(st.sampled_from("xy"), st.sampled_from(["1", "2", None])), max_size=25)


@settings(max_examples=60)
@given(TOLD, st.integers(1, 9))
def test_an_event_is_a_change_when_the_one_before_had_another_version(
    told: list[tuple[str, str | None]], size: int
) -> None:
    last: dict[str, str] = {}
    expected: list[Value] = []
    for number, (caller, version) in enumerate(told):
        if version is None:
            continue
        if caller in last:  # The first of its group has nothing to be compared with.
            expected.append((("m", caller), "version_change", number, float(version != last[caller])))
        last[caller] = version
    source, table = VersionChange(), table_of("version_change", ("caller",))
    found: list[Value] = []
    for begin in range(0, len(told), size):
        part = told[begin : begin + size]
        batch = batch_of([{"caller": caller, "model_version": version} for caller, version in part])
        found += plain(table, source.column(batch, grouped(table, batch), table, {}), begin)
        again = VersionChange()
        again.load(source.dump())
        source = again
    assert found == expected
    assert {key[1]: version for key, version in source.last.items()} == last


@pytest.mark.parametrize(("rows", "dropped"), [(1, 2), (2, 0)])
def test_a_group_that_a_full_table_has_no_row_for_is_counted(rows: int, dropped: int) -> None:
    source, table = VersionChange(), table_of("version_change", ("caller",), rows=rows)
    events = [{"caller": caller, "model_version": version} for caller, version in ("a1", "b1", "a2", "b2")]
    batch = batch_of(events)
    found = plain(table, source.column(batch, grouped(table, batch), table, {}))
    assert [event for _, _, event, _ in found] == [2, 3][:rows]
    assert table.dropped == dropped
    assert table.since == 0
