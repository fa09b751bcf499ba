"""Labels beside what was predicted."""

from __future__ import annotations

import numpy as np

from streamer.series.joined import joined_of
from streamer.series.predictions import CLASS, NUMBER, packed


def test_a_class_is_wrong_a_number_is_off_and_outside_of_what_was_stated() -> None:
    bits = int(np.array([5.0]).view(np.uint64).item())
    stated = packed(np.array([4.0]), np.array([6.0])).item()
    found = joined_of([
        (0, 0, CLASS, 7, 7, np.nan, 0.9, 1, 2),
        (1, 0, CLASS, 7, 8, np.nan, 0.9, 1, 2),
        (2, 0, NUMBER, bits, 9, 5.5, stated, 1, 2),
        (3, 0, NUMBER, bits, 9, 7.0, stated, 1, 2),
    ])  # fmt: skip
    assert found.wrong[:2].tolist() == [False, True]
    assert found.residual[2:].tolist() == [-0.5, -2.0]
    assert found.missed[2:].tolist() == [0.0, 1.0]
    assert np.isnan(found.missed[:2]).all()


def test_of_none_there_are_columns_all_the_same() -> None:
    assert [len(column) for column in joined_of([])] == [0] * 9
