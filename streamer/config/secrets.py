"""Which texts are masked where: a secret wherever it occurs, a weak one only where it stands alone.

A short secret, or one that is a word, occurs in texts that have nothing to do with it. Masked there, `drift` would make
`***line-alerts` of `driftline-alerts`: a line that says nothing any more, and by its gaps what the secret is. It is
masked where it stands between blanks, quotes or signs, as in a broker's answer; `password=...` hides whatever follows.
From six characters on that are not all of one kind nothing is a part of a word by chance.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MIXED_MIN = 6
"""Shorter secrets are weak whatever they are made of."""
WORD_MAX = 12
"""Letters alone are a word up to here, digits alone a number; longer ones stand in no text by chance."""
GOOD_MIN = 8
"""A password below this length is guessed."""

BEFORE = r"(?:(?<![\w.\-])|(?<=\\[nrt]))"
AFTER = r"(?![\w\-]|\.\w)"
"""Where a text stands alone: no part of a word, of a name such as `driftline-alerts`, of a setting or a host."""


def is_weak(secret: str) -> bool:
    """Whether a text may well occur where it is no secret."""
    one_kind = secret.isalpha() or secret.isdecimal()
    return len(secret) < MIXED_MIN or (one_kind and len(secret) <= WORD_MAX)


def pattern_of(forms: Iterable[tuple[str, bool]]) -> re.Pattern[str] | None:
    """Finds the texts, each with whether it is weak; the longest first, or a secret that holds another would be masked
    in part. None without any.
    """
    ordered = sorted({form for form in forms if form[0]}, key=lambda form: (-len(form[0]), form))
    parts = [f"{BEFORE}{re.escape(text)}{AFTER}" if weak else re.escape(text) for text, weak in ordered]
    return re.compile("|".join(parts)) if parts else None
