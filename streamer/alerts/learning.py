"""How often alerts are right, by what people say of them, and which share of the budget their monitor keeps for it.

A verdict waits until its alert is over, for only then it is known how strong that became; then what most reviewers say
counts, once. Everything is of one monitor of one model, which is where its verdicts come. The rule, and what it gives
up, is in `detectors/precision.py`. Of half a share alerts are told only from twice the threshold on. Where a detector
begins anew with each alarm (Page-Hinkley, the e-detector) its threshold is doubled, or it would never get there. All
others find what they found, and what is weaker is held (`holds.py`): there an undone change leaves no trace.

Who undoes a change is not overruled: from there on changes of that monitor are only proposed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from detectors.estimated_error import Share
from detectors.precision import WRONG, Proposal, Shares, Verdicts

TOLD_MAX = 4096
"""Alerts of a partition that a verdict is waited for, the newest; those of before are unknown."""
KEYS_MAX = 10_000
"""Monitors of models whose verdicts are counted, the newest."""
SAID_MAX = 8
"""Reviewers of an alert that are heard."""
COUNTED, CONFLICTING, REPLACED, LATE, UNKNOWN, UNUSABLE, FORGOTTEN = (
    "counted", "conflicting", "replaced", "late", "unknown", "unusable", "forgotten"
)  # fmt: skip
RESULTS = (COUNTED, CONFLICTING, REPLACED, LATE, UNKNOWN, UNUSABLE, FORGOTTEN)
"""What becomes of a verdict on an alert; those that are none of these wait."""
OFF, PROPOSE, APPLY = "off", "propose", "apply"
PROPOSED, CHANGED = "proposed", "changed"

Key = tuple[str, str]
"""Model and monitor."""


class Told(NamedTuple):
    """An alert that people were told of. `strength`: 0 while it is open; `said`: by reviewer whether it was of use."""

    model: str
    monitor: str
    strength: float
    said: dict[str, bool]
    over: bool = False  # and its verdicts are counted


class Lesson(NamedTuple):
    """What is proposed, or was changed. Shares are of what the config gives the monitor."""

    what: str
    key: Key
    version: int
    before: float
    after: float
    proposal: Proposal | None  # None of an undone change
    precision: Share | None  # as people say: mean and interval


class Learning:
    """State of a partition. `notify`: told of the factor that a monitor's alerts must reach."""

    def __init__(self, mode: str, notify: Callable[[Key, float], None]) -> None:
        self.mode, self.notify = mode, notify
        self.told: dict[str, Told] = {}  # by episode, oldest first
        self.verdicts: dict[Key, Verdicts] = {}
        self.shares = Shares()
        self.proposed: dict[Key, float] = {}  # the factor that was proposed last, while it stands
        self.overruled: dict[Key, None] = {}  # by a person who undid a change
        self.results: dict[str, int] = dict.fromkeys(RESULTS, 0)

    def fired(self, episode: str, key: Key) -> None:
        """People are told of an alert."""
        if episode in self.told:
            return
        self.told[episode] = Told(*key, 0.0, {})
        if len(self.told) > TOLD_MAX:
            gone = self.told.pop(next(iter(self.told)))
            self.results[FORGOTTEN] += 0 if gone.over else len(gone.said)

    def resolved(self, episode: str, strength: float) -> None:
        """It is over, and became so strong."""
        one = self.told.get(episode)
        if one is not None:
            self.told[episode] = one._replace(strength=max(strength, 1.0))

    def said(self, episodes: Sequence[str], model: str, reviewer: str, useful: bool | None) -> None:
        """A verdict on the alert of one of these names; None for one that cannot be used."""
        one = next((self.told[name] for name in episodes if name in self.told), None)
        if useful is None:
            self.results[UNUSABLE] += 1
        elif one is None or one.model != model:
            self.results[UNKNOWN] += 1
        elif one.over:
            self.results[LATE] += 1
        elif reviewer not in one.said and len(one.said) >= SAID_MAX:
            self.results[UNUSABLE] += 1
        else:
            self.results[REPLACED] += reviewer in one.said
            one.said[reviewer] = useful

    def settle(self) -> Iterator[Lesson]:
        """Count what is over and has verdicts; what follows from it."""
        fresh: dict[Key, None] = {}
        for episode, one in self.told.items():
            if one.over or not one.strength or not one.said:
                continue
            self.told[episode] = one._replace(over=True)
            right = 2 * sum(one.said.values()) - len(one.said)
            self.results[COUNTED if right else CONFLICTING] += len(one.said)
            if right:
                key = one.model, one.monitor
                own = self.verdicts.setdefault(key, Verdicts())
                if len(self.verdicts) > KEYS_MAX:
                    del self.verdicts[next(iter(self.verdicts))]
                own.add(np.array([one.strength]), np.array([right > 0]))
                fresh[key] = None
        for key in fresh:
            yield from self._lessons(key)

    def _lessons(self, key: Key) -> Iterator[Lesson]:
        proposal = self.proposal(key)
        if proposal is None:
            self.proposed.pop(key, None)
        elif self.mode == APPLY and key not in self.overruled:
            yield self._change(key, proposal)
        elif self.proposed.get(key) != proposal.factor:
            self.proposed[key] = proposal.factor
            share = self.share(key)
            precision = self.verdicts[key].precision()
            yield Lesson(PROPOSED, key, self.version(key), share, share * proposal.factor, proposal, precision)

    def proposal(self, key: Key) -> Proposal | None:
        """What would be changed by now."""
        if key not in self.verdicts:
            return None
        elsewhere = sum(one.found() for other, one in self.verdicts.items() if other != key and other[0] == key[0])
        return self.verdicts[key].proposal(WRONG, elsewhere)

    def share(self, key: Key) -> float:
        name = text_of(key)
        return self.shares.of(name) if name in self.shares.past else 1.0

    def version(self, key: Key) -> int:
        return self.shares.version.get(text_of(key), 0)

    def apply(self, key: Key) -> Lesson:
        """Change what is proposed, since a person says so. ValueError where nothing is."""
        proposal = self.proposal(key)
        if proposal is None:
            raise ValueError("nothing is proposed")
        self.overruled.pop(key, None)
        return self._change(key, proposal)

    def _change(self, key: Key, proposal: Proposal) -> Lesson:
        before, name = self.share(key), text_of(key)
        precision = self.verdicts[key].precision()
        if name not in self.shares.past:
            self.shares.set(name, 1.0)
        version = self.shares.apply(name, proposal)
        return self._changed(key, version, before, proposal, precision)

    def undo(self, key: Key) -> Lesson:
        """Back to the share before the newest change. ValueError where there is none."""
        name, before = text_of(key), self.share(key)
        if name not in self.shares.past:
            raise ValueError("there is no change")
        version = self.shares.undo(name)
        self.overruled[key] = None
        return self._changed(key, version, before, None, None)

    def _changed(
        self, key: Key, version: int, before: float, proposal: Proposal | None, precision: Share | None
    ) -> Lesson:
        """Strengths are of another threshold from here on: verdicts begin anew."""
        self.verdicts.pop(key, None)
        self.proposed.pop(key, None)
        self.notify(key, 1.0 / self.share(key))
        return Lesson(CHANGED, key, version, before, self.share(key), proposal, precision)

    @property
    def waiting(self) -> int:
        """Verdicts whose alert is not over."""
        return sum(len(one.said) for one in self.told.values() if not one.over)

    def dump(self) -> dict[str, Any]:
        """Plain values and arrays."""
        return {
            "told": [[episode, *one] for episode, one in self.told.items()],
            "verdicts": [[*key, one.n.copy(), one.right.copy()] for key, one in self.verdicts.items()],
            "shares": self.shares.dump(),
            "proposed": [[*key, factor] for key, factor in self.proposed.items()],
            "overruled": [list(key) for key in self.overruled],
            "results": list(self.results.items()),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Into a new one. Raises ValueError and the like."""
        for episode, model, monitor, strength, said, over in state["told"]:
            heard = {str(who): bool(useful) for who, useful in said.items()}
            self.told[str(episode)] = Told(str(model), str(monitor), float(strength), heard, bool(over))
        for model, monitor, n, right in state["verdicts"]:
            own = self.verdicts[str(model), str(monitor)] = Verdicts()
            own.load({"n": n, "right": right})
        self.shares.load(state["shares"])
        self.proposed = {(str(model), str(monitor)): float(factor) for model, monitor, factor in state["proposed"]}
        self.overruled = {(str(model), str(monitor)): None for model, monitor in state["overruled"]}
        self.results |= {str(name): int(count) for name, count in state["results"] if name in self.results}
        for text in self.shares.past:
            key = key_of(text)
            self.notify(key, 1.0 / self.share(key))


def text_of(key: Key) -> str:
    return "\t".join(key[::-1])


def key_of(text: str) -> Key:
    monitor, _, model = text.partition("\t")  # A monitor's name has none.
    return model, monitor


OF_MODELS = {"told": 1, "verdicts": 0, "proposed": 0, "overruled": 0}
"""Lists of the state whose items are of a model, each with where they name it."""


def models_learned(state: Mapping[str, Any]) -> set[str]:
    """The models of a state that something was learned of."""
    named = {item[at] for name, at in OF_MODELS.items() for item in state[name]}
    return {*named, *(key_of(text)[0] for text in state["shares"])}


def lessons_without(state: Mapping[str, Any], models: Collection[str]) -> dict[str, Any]:
    """A state that knows nothing of these models; counts stay."""
    left = {name: [item for item in state[name] if item[at] not in models] for name, at in OF_MODELS.items()}
    shares = {text: past for text, past in state["shares"].items() if key_of(text)[0] not in models}
    return {**state, **left, "shares": shares}


def lessons_joined(state: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """A state with what another one knows of its models."""
    both = {name: [*other[name], *state[name]] for name in OF_MODELS}
    return {**state, **both, "told": both["told"][-TOLD_MAX:], "shares": {**state["shares"], **other["shares"]}}
