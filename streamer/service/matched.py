"""What the patterns of topics.events match, told in the log: at first, and whenever a topic comes or goes."""

from __future__ import annotations

from collections.abc import Callable

from streamer.config.topics import Topics
from streamer.port import Surroundings

NAMED_MAX = 20
Say = Callable[..., None]


def listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
    return ", ".join(names[:NAMED_MAX]) + more


class Matched:
    """`looked` after each look at the cluster."""

    def __init__(self, topics: Topics, say: Say) -> None:
        self.topics, self.say = topics, say
        self.known: dict[str, list[str]] = {}

    def looked(self, seen: Surroundings) -> None:
        if seen.down is not None or seen.topics is None:
            return
        for pattern in self.topics.patterns():
            now = self.topics.matched(pattern, seen.topics)
            before = self.known.get(pattern)
            self.known[pattern] = now
            if now and before is None:
                self.say("info", "topics_matched", pattern=pattern, topics=listed(now), count=len(now))
            if not now and before != []:
                why = "no topic that we may see matches it; `driftline doctor` looks at names and rights"
                self.say("warning", "pattern_matches_nothing", pattern=pattern, why=why)
            if before is None:
                continue
            for name in [name for name in now if name not in before]:
                self.say("info", "topic_appeared", topic=name, pattern=pattern, effect="read from its beginning")
            for name in [name for name in before if name not in now]:
                effect = "not read any more; what was found in it stays, its alerts that fire do not resolve"
                self.say("warning", "topic_gone", topic=name, pattern=pattern, effect=effect)
