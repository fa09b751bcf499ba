"""Markdown as the generated parts of the READMEs write it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

CODE = re.compile(r"(`[^`]*`)")


def table(head: str, rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; `head` names its columns, separated by commas."""
    columns = head.split(", ")
    lines = [columns, ["---"] * len(columns), *([cell(text) for text in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(text: str) -> str:
    """One line, and nothing in it that Markdown would take for its own, but for code."""
    parts = CODE.split(" ".join(text.split()))
    plain = (re.sub(r"([*<])", r"\\\1", part) if i % 2 == 0 else part for i, part in enumerate(parts))
    return "".join(plain).replace("|", "\\|")


def code(value: Any) -> str:
    return f"`{value}`"
