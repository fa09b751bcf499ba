"""What patterns match, told in the log: those of topics.events at first, and whenever a topic comes or goes; those of
signals for each model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from streamer.config.topics import Topics
from streamer.engine.matching import listed, matching
from streamer.engine.stage import Stage
from streamer.port import Surroundings

AGAIN_S = 3600.0
SIGNALS_MAX = 200
"""Of all models, that are told of."""
Say = Callable[..., None]


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


class MatchedSignals:
    """`look` now and then: told as soon as a model has any members of a signal, and hourly where there are more."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self.known: dict[tuple[str, str], tuple[int, float]] = {}  # how many were told of, and when

    def look(self, stages: Iterable[Stage], now_s: float) -> None:
        for stage in stages:
            for (model, signal), members in matching(stage.monitors.values()).items():
                count, told_s = self.known.get((model, signal), (0, -AGAIN_S))
                room = (model, signal) in self.known or len(self.known) < SIGNALS_MAX
                if len(members) > count and now_s - told_s >= AGAIN_S and room:
                    self.known[model, signal] = len(members), now_s
                    told = {"model": model, "signal": signal, "members": listed(members), "count": len(members)}
                    self.say("info", "signal_matched", **told)
