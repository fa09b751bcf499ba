"""How wide a text is in a terminal, where a letter of Chinese, Japanese or Korean has two columns."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size


def cut(text: str, columns: int | None) -> str:
    """No wider than that."""
    return text if columns is None or cell_len(text) <= columns else set_cell_size(text, max(0, columns - 1)) + "…"


def padded(text: str, columns: int) -> str:
    """At least that wide, with blanks behind it."""
    return text + " " * (columns - cell_len(text))
