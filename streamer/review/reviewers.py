"""Reviewers of whom some may agree with the others less and less: what each says of an item is compared with what most
of the others say, once, when the item is decided; and a test of each looks for a fall. See `detectors/falling.py`.

Who is told of is nobody to compare others with until that alert is over, and what it did to the tests of the others is
taken back: so one who changes does not make others look bad. Of two who fall at one item it is the one with the most
evidence, and of equals the first by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from detectors.agreement import REVIEWERS_MAX
from detectors.falling import Falling
from streamer.signals.verdicts import name_hash

Key = tuple[str, str]
"""Model and reviewer."""


class Fallen(NamedTuple):
    """Where a test fired, and with how many others the reviewer was compared there."""

    offset: int
    time_ms: int
    others: int
    home: int | None = None  # the partition of the offset, where the model has moved to another since


class Reviewers:
    """Those of one partition. `most`: models whose reviewers are looked at."""

    def __init__(self, alpha: float, most: int) -> None:
        self.alpha, self.most = alpha, most
        self.tests: dict[str, dict[str, Falling]] = {}  # by model
        self.fallen: dict[Key, Fallen] = {}
        self.beyond = 0  # comparisons of whom there was no room for

    def decided(self, model: str, said: Mapping[str, str], at: tuple[int, int], home: int | None = None) -> None:
        """An item is: what each said of it, offset and time of its event, and the partition of these, see `Fallen`."""
        known = {who: what for who, what in said.items() if (model, who) not in self.fallen}
        compared = {who: self._agrees(who, known) for who in known}
        found = dict[str, float]()
        for who, agrees in compared.items():
            test = None if agrees is None else self._test(model, who)
            if test is None or agrees is None:
                continue
            test.add([agrees])
            if test.told_at:
                found[who] = test.evidence
        if found:
            who = min(found, key=lambda one: (-found[one], one))
            self.fallen[model, who] = Fallen(*at, len(known) - 1, home)
            for other, test in self.tests[model].items():
                if other != who:
                    test.forget()

    def _agrees(self, who: str, said: Mapping[str, str]) -> bool | None:
        """With most of the others; None where there are none, or they are of two minds."""
        others = Counter(what for other, what in said.items() if other != who).most_common(2)
        if not others or (len(others) > 1 and others[0][1] == others[1][1]):
            return None
        return others[0][0] == said[who]

    def _test(self, model: str, who: str) -> Falling | None:
        own = self.tests.get(model)
        if own is None and len(self.tests) < self.most:
            own = self.tests[model] = {}
        if own is None or (who not in own and len(own) >= REVIEWERS_MAX):
            self.beyond += 1
            return None
        return own.setdefault(who, Falling(self.alpha))

    def restart(self, key: Key) -> None:
        """A new test of one whose last one has fired: it learns anew what is usual."""
        self.fallen.pop(key, None)
        self.tests.get(key[0], {}).pop(key[1], None)

    def dump(self) -> dict[str, Any]:
        return {
            "alpha": self.alpha,
            "tests": [[model, who, one.dump()] for model, own in self.tests.items() for who, one in own.items()],
            "fallen": [[*key, *at] for key, at in self.fallen.items()],
            "beyond": self.beyond,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Into a new one. With another alpha all tests begin anew, and what is open ends as it would have."""
        self.beyond = int(state["beyond"])
        if state["alpha"] != self.alpha:
            return
        self.fallen = {
            (str(model), str(who)): Fallen(*map(int, at[:3]), *at[3:]) for model, who, *at in state["fallen"]
        }
        for model, who, dumped in state["tests"]:
            test = self.tests.setdefault(str(model), {})[str(who)] = Falling(self.alpha)
            test.load(dumped)


def without_names(state: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of people (`Reviewing.dump`), with hashes for the names of reviewers. An alert that is open keeps
    its own to its end: under another one it would never be over.
    """
    asked, tests, alerts = state["asked"], state.get("reviewers"), state.get("fallen")
    items = [
        [*item[:6], [[name_hash(who), said] for who, said in item[6]], *item[7:]] for item in asked["items"]
    ]  # fmt: skip
    agreements = [
        [model, version, {**one, "reviewers": [name_hash(who) for who in one["reviewers"]]}]
        for model, version, one in asked["agreements"]
    ]
    found = {**state, "asked": {**asked, "items": items, "agreements": agreements}}
    told = [key for key, _ in alerts["open"]] if alerts is not None else []
    if tests is not None:
        hashed = [[model, name_hash(who), one] for model, who, one in tests["tests"] if [model, who] not in told]
        gone = [[model, name_hash(who), *at] for model, who, *at in tests["fallen"] if [model, who] not in told]
        found["reviewers"] = {**tests, "tests": hashed, "fallen": gone}
    if alerts is not None:
        found["fallen"] = {**alerts, "numbers": [one for one in alerts["numbers"] if one[0] in told]}
    return found
