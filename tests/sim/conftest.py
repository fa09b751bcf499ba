"""All of the simulator writes its state in small parts."""

from __future__ import annotations

import pytest

from tests.sim.broker import in_small_parts


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    in_small_parts(monkeypatch)
