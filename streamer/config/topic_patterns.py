"""Topics by pattern: which names one stands for. It begins with ^, as librdkafka wants it, which subscribes to it.

librdkafka reads POSIX extended expressions, we Python's. What both read alike is allowed, and nothing else: else lint,
`doctor` and the readiness would speak of other topics than those that are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

INTERNAL = "__"
"""How Kafka's own topics begin: no pattern means them."""
IGNORED = "^__.*"
LITERAL = r"[A-Za-z0-9_-]|\\\."
_ATOM = rf"(?:{LITERAL}|\.|\[\^?[A-Za-z0-9._]+(?:-[A-Za-z0-9._]+)*-?\])"
_TOKEN = re.compile(
    rf"(?P<atom>{_ATOM})|(?P<open>\()|(?P<close>\))|(?P<bar>\|)|(?P<end>\$)|(?P<times>[*+?]|\{{\d[^}}]*\}})"
)
_TIMES = re.compile(r"[*+?]|\{\d{1,3}(?:,\d{0,3})?\}")
AFTER = {
    # What stands here -> after what: an empty branch, or a count of nothing, means something else to each of the two.
    "atom": {"start", "atom", "open", "close", "bar", "times"},
    "open": {"start", "atom", "open", "close", "bar", "times"},
    "close": {"atom", "close", "times", "end"},
    "bar": {"atom", "close", "times", "end"},
    "end": {"atom", "close", "times", "end"},
    "times": {"atom", "close"},
}
ALLOWED = (
    "letters, digits, _ and -, \\. for a dot, . for any character, [a-z0-9], groups with ( and |, and * + ? {1,3} after"
    " one of them"
)


def is_topic_pattern(name: str) -> bool:
    """Whether an entry of topics.events is one; a name never begins so."""
    return name.startswith("^")


def check_pattern(text: str) -> str:
    """The text. ValueError where librdkafka and Python would not both read it, and alike."""
    last, at, depth = "start", 1, 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        kind = str(found.lastgroup) if found is not None else ""
        depth += (kind == "open") - (kind == "close")
        wrong = found is None or last not in AFTER[kind] or depth < 0
        if found is None or wrong or (kind == "times" and _TIMES.fullmatch(found.group()) is None):
            raise ValueError(f"no topic pattern from {text[at:]!r} on: use {ALLOWED}.")
        if kind == "bar" and depth == 0:
            raise ValueError("only the first branch begins at ^: write ^(one|other).")
        last, at = kind, found.end()
    if last in ("start", "bar", "open") or depth:
        raise ValueError("no topic pattern: it breaks off.")
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"no topic pattern: {error}.") from None
    return text


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def matches(pattern: str, name: str) -> bool:
    """As librdkafka sees it: from the beginning, and to the end only where the pattern ends with $."""
    return not name.startswith(INTERNAL) and _compiled(pattern).match(name) is not None


def stands_for(pattern: object, name: str) -> bool:
    """`matches` for whatever a file has there: what is no pattern matches nothing."""
    try:
        return isinstance(pattern, str) and is_topic_pattern(pattern) and matches(check_pattern(pattern), name)
    except ValueError:
        return False


def literal(pattern: str) -> str:
    """What every name begins with that a pattern stands for: `^inferences-.*` -> `inferences-`; may be empty."""
    found = re.match(rf"\^((?:(?:{LITERAL})(?![*?{{]))*)", pattern)
    return found.group(1).replace("\\", "") if found is not None else ""


def resolved_names(events: Iterable[str], there: Iterable[str]) -> list[str]:
    """The topics that are read: those by name, whether they exist or not, then those that a pattern matches."""
    names = [name for name in events if not is_topic_pattern(name)]
    patterns = [name for name in events if is_topic_pattern(name)]
    found = sorted(topic for topic in there if any(matches(pattern, topic) for pattern in patterns))
    return list(dict.fromkeys([*names, *found]))
