"""From what the YAML says to what is watched, and back to what an alert calls it."""

from __future__ import annotations

import pytest

from streamer.signals.grammar import parse_signal, pointers_of


def test_pointers_of_a_ratio_are_decoded() -> None:
    assert pointers_of("ratio(/usage/out, /usage/in)") == ["/usage/out", "/usage/in"]
    assert pointers_of("/x") == ["/x"]
    assert pointers_of("features.*") == []
    for wrong in ("ratio(a)", "ratio(/a, missing.b)", "ratio(features.*, /a)", "invalid.", "status."):
        with pytest.raises(ValueError, match="ratio|unknown signal"):
            parse_signal(wrong)
