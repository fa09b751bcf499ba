"""The campaign's config for what cannot be done where labels are waited for."""

from __future__ import annotations

ABOUT_LABELS = ("labels: {ttl", "  wrong: ", "  truths: ", "  sure-and-wrong: ")
"""How lines of the config begin that are about labels."""


def without_labels(text: str) -> str:
    """The same with nothing that is about labels."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(ABOUT_LABELS))
