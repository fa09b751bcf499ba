"""A module that is imported when it is first asked for something: every process of the suite collects all tests, and
`scipy.stats` alone takes two thirds of a second.
"""

from __future__ import annotations

import importlib
from typing import Any


class Later:
    def __init__(self, name: str) -> None:
        self.name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self.name), attribute)
