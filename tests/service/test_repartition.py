"""The move of models, over the simulated broker: all of it lands, or all is as it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from streamer.engine import snapshot
from streamer.engine.by_key import where
from streamer.engine.ordering import part_of
from streamer.port import Committed, LogDown, Lost, Outcome, Partition, Parts, Snapshot, Staged
from streamer.service.repartition import Moved, Refused, keys_in, move, places
from tests.sim.broker import SimLog
from tests.sim.test_two_stages import PARTS, First

MORE = 5


class MovingLog(SimLog):
    """A log of one stage that knows how many partitions topics have, and can commit together with the other's."""

    fails_at = -1  # which part of a snapshot is not written

    def __init__(self, broker: Any, counts: dict[str, int]) -> None:
        super().__init__(broker, "move")
        self.counts, self.parts_written = counts, 0

    def stage(
        self, partition: Partition, made: Snapshot, staged: Staged, chunks: int, root: Committed
    ) -> tuple[Outcome, Staged]:
        self.parts_written += 1
        if self.parts_written == self.fails_at:
            return Outcome.ABORTED, staged
        return super().stage(partition, made, staged, chunks, root)

    def commit_with(
        self, offsets: Mapping[Partition, Committed], other: SimLog, theirs: Mapping[Partition, Committed]
    ) -> Outcome:
        if self.fails_at == 0:
            return Outcome.UNKNOWN
        self.broker.committed |= offsets
        other.broker.committed |= theirs
        return Outcome.DONE


class Setting:
    """Both stages after a life of theirs, when all have stopped; the ordered log has got more partitions since."""

    def __init__(self, life: type[First] = First, seed: int = 3) -> None:
        self.both = both = life(seed)
        both.run()
        both.second.finish()
        both.check()
        self.before = {p: o.task.dump() for w in both.second.workers.values() for p, o in w.owned.items()}
        for stage in (both, both.second):
            for instance in [*stage.workers]:
                assert stage.workers[instance].drain()
                stage.logs[instance].close()
            stage.workers.clear()
        more = [("drift-ordered", number) for number in range(PARTS, MORE)]
        both.second.broker.partitions += more
        both.second.broker.logs |= {partition: [] for partition in more}
        self.counts = {"drift-ordered": MORE, "inferences": len(both.partitions)}

    def move(self, parts: int, fails_at: int = -1) -> Moved:
        logs = [MovingLog(stage.broker, self.counts) for stage in (self.both, self.both.second)]
        logs[1].fails_at = fails_at
        try:
            return move(self.both.config, logs[0], logs[1], parts, lambda said: None)  # type: ignore[arg-type]
        finally:
            for log in logs:
                log.close()

    def roots(self) -> list[dict[Partition, Committed]]:
        """Where the inputs stand, and of the ordered log those that had something before."""
        known = dict(self.both.broker.committed), dict(self.both.second.broker.committed)
        return [known[0], {p: root for p, root in known[1].items() if p in self.before}]

    def states(self) -> list[bytes]:
        """What the offsets point at."""
        log = SimLog(self.both.second.broker, "looks")
        found = []
        for number in range(MORE):
            root = self.both.second.broker.committed["drift-ordered", number]
            stored = next(filter(None, log.read_state(("drift-ordered", number), root.pointer)))
            found.append(bytes(stored.blob))
        log.close()
        return found


class Keyed(First):
    """Models are shared out by their versions, too."""

    text = """
version: 1
kafka: {brokers: "b:1", order: model, order_by: [version]}
topics: {events: [inferences], windows: drift-windows}
reference: {warmup: 40}
limits: {lateness: 20s}
commit: {interval: 1s, snapshot_interval: 4s}
heartbeat: {interval: 2s}
monitors: {mean: {signal: features.*, by: [version], detect: {kind: adwin, delta: 0.002}, keep_firing_for: 5s}}
"""


@pytest.fixture
def setting() -> Setting:
    return Setting()


def positions(roots: Mapping[Partition, Committed]) -> dict[Partition, Any]:
    return {partition: root.offset for partition, root in roots.items()}


def test_what_is_known_of_models_is_where_their_events_will_be(setting: Setting) -> None:
    inputs, _ = setting.roots()
    assert {root.parts for root in inputs.values()} == {Parts(PARTS, PARTS)}
    done = setting.move(MORE)
    assert (done.before, done.parts) == (PARTS, MORE)
    states = setting.states()
    where = {model: number for number, blob in enumerate(states) for model in keys_in(setting.both.config, blob)}
    assert (
        where
        == {model: part_of([model], MORE) for model in where}
        != places(setting.both.config, [*setting.before.values()])
    )
    fresh = [snapshot.decode(blob)["position"] for blob in states[PARTS:]]
    assert fresh == [0] * (MORE - PARTS)
    after, _ = setting.roots()
    assert {root.parts for root in after.values()} == {Parts(MORE, MORE)}
    assert positions(after) == positions(inputs)
    assert setting.move(MORE).models == 0, "once more there is nothing to do"
    back = setting.move(PARTS)
    assert back.models == done.models
    assert {root.parts for root in setting.roots()[0].values()} == {Parts(PARTS, MORE)}


@pytest.mark.parametrize("fails_at", [1, 2, 0])
def test_whatever_comes_between_all_is_as_it_was_and_it_can_be_begun_again(setting: Setting, fails_at: int) -> None:
    before, config = setting.roots()[0], setting.both.config
    with pytest.raises(LogDown):
        setting.move(MORE, fails_at)
    assert setting.roots()[0] == before
    whole = [blob for _, blob in sorted(setting.before.items())]
    was = {model: part_of([model], PARTS) for model in places(config, whole)}
    assert places(config, setting.states()) == was
    again = setting.move(MORE)
    assert again.models == sum(part_of([model], MORE) != number for model, number in was.items())
    assert places(config, setting.states()) == {model: part_of([model], MORE) for model in was}


def test_who_joins_meanwhile_undoes_it(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    poll, polls = MovingLog.poll, 0

    def another(self: MovingLog, *given: Any) -> Any:
        nonlocal polls
        polls += 1
        return poll(self, *given) if polls < 6 else [Lost(("inferences", 0))]

    before = setting.roots()[0]
    monkeypatch.setattr(MovingLog, "poll", another)
    with pytest.raises(Refused, match="another process joined"):
        setting.move(MORE)
    assert setting.roots()[0] == before


def test_what_is_known_of_keys_is_where_their_events_will_be() -> None:
    setting = Setting(Keyed)
    config = setting.both.config
    done = setting.move(MORE)
    found = places(config, setting.states())
    assert found == {key: where(key, MORE) for key in found} != places(config, [*setting.before.values()])
    assert len(found) > len({key.partition("\0")[0] for key in found}) > 1
    assert setting.move(MORE).models == 0, "once more there is nothing to do"
    assert setting.move(PARTS).models == done.models > 0
