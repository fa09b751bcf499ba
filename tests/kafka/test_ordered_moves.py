"""Models move to another number of partitions of the ordered log, on a real broker, and what is known goes along."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined]

from schemas.events.batch import Record
from schemas.events.packed import unpack
from streamer.commands import repartition
from streamer.commands.doctor import doctor
from streamer.config.load import load_config
from streamer.config.stages import stage_configs
from streamer.engine.ordering import part_of
from streamer.engine.snapshot import decode
from streamer.kafka.log import KafkaLog
from streamer.kafka.offsets import parts_of
from streamer.kafka.state_topic import newest_snapshots
from streamer.port import LogDown, Outcome, Parts
from tests.kafka.service import Service, committed, produce, read_all, wait_committed
from tests.kafka.test_ordered import CONFIG, about, data_of
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.broker

INPUTS, BEFORE, AFTER = 3, 2, 5
MODELS = "abcdefgh"
EVENTS = 6000


def events(begin: int, end: int) -> list[tuple[str, int, Record]]:
    """Model, partition and record: of any model anywhere; all of them shift early in the first half."""
    found = []
    for number in range(begin, end):
        rng = random.Random(number)
        model = rng.choice(MODELS)
        values = {"a": rng.gauss(5 if number > EVENTS * 0.4 else 0, 1)}
        event = {"model": model, "event_id": f"{number}", "time": 1_700_000_000 + number, "features": values}
        event["prediction"] = {"label": "ok"}
        record = Record(0, 1_700_000_000_000 + number * 1000, None, json.dumps(event).encode())
        found.append((model, rng.randrange(INPUTS), record))
    return found


def labels_of(numbers: range) -> dict[int, list[Record]]:
    """What was true of these events, by partition."""
    part: dict[int, list[Record]] = {}
    for model, partition, record in (one for number in numbers for one in events(number, number + 1)):
        event = json.loads(record.value or b"")
        said = {"model": model, "time": event["time"], "label": {"event_id": event["event_id"], "value": "ok"}}
        part.setdefault(partition, []).append(record._replace(value=json.dumps(said).encode()))
    return part


def event_of(model: str) -> bytes:
    return json.dumps({"model": model, "time": 1_700_002_000, "features": {"a": 0.0}}).encode()


class Setting:
    """Topics, a config, and what is sent."""

    def __init__(self, broker: str, make_topics: Callable[..., list[str]], folder: Path) -> None:
        self.broker, self.folder, self.path = broker, folder, folder / "driftline.yaml"
        [self.inputs] = make_topics("in", partitions=INPUTS)
        [self.ordered] = make_topics("or", partitions=BEFORE)
        self.alerts, state, dead, self.beats = make_topics("al", "st", "dl", "hb", partitions=INPUTS)
        self.group, self.ends, self.sent = f"g-{self.inputs}", Counter[int](), list[tuple[str, int, Record]]()
        names = {"ordered": self.ordered, "alerts": self.alerts, "state": state, "dead": dead, "beats": self.beats}
        # A member with a name gets back what it had, without what was added since, until somebody else joins or leaves.
        text = CONFIG.replace("instance: w0, ", "").replace(
            "\nheartbeat", "\nlabels: {{}}\nlimits: {{lateness: 3h}}\nheartbeat"
        )
        self.path.write_text(text.format(broker=broker, group=self.group, events=self.inputs, **names))

    def send(self, begin: int, end: int) -> None:
        part: dict[int, list[Record]] = {}
        for one in events(begin, end):
            self.sent.append(one)
            part.setdefault(one[1], []).append(one[2])
        produce(self.broker, self.inputs, part)
        self.ends.update({partition: len(records) for partition, records in part.items()})

    def label(self, numbers: range) -> None:
        part = labels_of(numbers)
        produce(self.broker, self.inputs, part)
        self.ends.update({partition: len(records) for partition, records in part.items()})

    def matched(self) -> tuple[int, int]:
        """Labels in the snapshots that met their inference, and those that wait."""
        config = load_config(self.path, {})
        wanted = [(self.ordered, number) for number in range(AFTER)]
        found = [decode(blob)["labels"] for blob in newest_snapshots(stage_configs(config)[1], wanted) if blob]
        matched = sum(dict(labels["results"])["matched"] for labels in found)
        return matched, sum(labels["received"] + labels["moved"] for labels in found) - matched

    def call(self, *more: str) -> Result:
        return CliRunner().invoke(repartition.topics, ["repartition", "-c", str(self.path), *more])

    def service(self) -> Service:
        return Service(self.path, self.folder / "service.log")

    def beating(self) -> dict[str, dict[str, Any]]:
        """Of each model its newest sign of life."""
        found: dict[str, tuple[tuple[str, int], dict[str, Any]]] = {}
        for message in read_all(self.broker, self.beats, INPUTS):
            data = data_of(message)
            if data.get("model") and about(message)[0] == self.ordered:
                when = data["tick"]["time_ms"]
                if data["model"] not in found or when >= found[data["model"]][0][0]:
                    found[data["model"]] = (when, about(message)[1]), data
        return {model: {**data, "partition": place[1]} for model, (place, data) in found.items()}


@pytest.fixture
def setting(broker: str, make_topics: Callable[..., list[str]], tmp_path: Path) -> Setting:
    return Setting(broker, make_topics, tmp_path)


def wait_beats(setting: Setting, done: Callable[[dict[str, dict[str, Any]]], bool]) -> dict[str, dict[str, Any]]:
    sent = Counter(model for model, *_ in setting.sent)

    def told() -> object:
        return {m: (one["events"], sent[m], one["partition"]) for m, one in setting.beating().items()}

    def all_done() -> list[dict[str, dict[str, Any]]]:
        return [found for found in [setting.beating()] if found.keys() >= sent.keys() and done(found)]

    return until(all_done, told)[0]


def test_what_is_known_of_models_goes_where_their_events_will(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_config(setting.path, {})
    with setting.service() as service:
        wait_committed(setting.broker, setting.group, setting.inputs, dict.fromkeys(range(INPUTS), 0))
        setting.send(0, EVENTS // 2)
        wait_committed(setting.broker, setting.group, setting.inputs, setting.ends)
        with monkeypatch.context() as patched:
            patched.setattr(repartition, "LEAVING_S", 3.0)  # Meanwhile snapshots are written, which a dry run looks at.
            refused = setting.call("--partitions", str(AFTER))
        assert refused.exit_code == 1
        assert "members: stop every process" in refused.stderr
        setting.send(EVENTS // 2, EVENTS // 2 + 400)
        setting.label(range(EVENTS // 2 + 400, EVENTS // 2 + 500))
        wait_committed(setting.broker, setting.group, setting.inputs, setting.ends)
        service.kill()  # Of what it wrote last not all was read, most times.
    planned = setting.call("--partitions", str(AFTER), "--dry-run")
    assert planned.exit_code == 0, planned.output
    moving = {m for m in MODELS if part_of([m], BEFORE) != part_of([m], AFTER)}
    assert f"{len(moving)} of {len(MODELS)} models move" in planned.stdout
    assert parts_of(config) == Parts(BEFORE, BEFORE)

    check_crashes(setting, monkeypatch)
    assert parts_of(config) == Parts(BEFORE, BEFORE)
    done = setting.call("--partitions", str(AFTER))
    assert done.exit_code == 0, done.output
    assert f"{len(moving)} models have moved: {BEFORE} -> {AFTER}" in done.stdout
    assert parts_of(config) == Parts(AFTER, AFTER)
    assert "already" in setting.call("--partitions", str(AFTER)).stdout

    with setting.service() as service:
        setting.send(EVENTS // 2 + 400, EVENTS)
        setting.label(range(EVENTS // 2, EVENTS // 2 + 400))
        wait_committed(setting.broker, setting.group, setting.inputs, setting.ends)
        sent = Counter(model for model, *_ in setting.sent)
        beating = wait_beats(setting, lambda found: all(found[m]["events"] == sent[m] for m in MODELS))
        assert service.stop() == 0
        assert not service.lines("state_lost")
    assert {m: one["partition"] for m, one in beating.items()} == {m: part_of([m], AFTER) for m in MODELS}
    assert {(one["series"]["ready"], one["series"]["warming"]) for one in beating.values()} == {(1, 0)}, (
        "no new warm-up"
    )
    assert setting.matched() == (500, 0), "labels before the move of inferences behind it, and the other way round"
    check_log(setting)
    told = [one for one in map(data_of, read_all(setting.broker, setting.alerts, INPUTS)) if "alert" in one]
    fired = [one for one in told if one["status"] == "firing" and one["episode"]["detections"] == 1]
    assert sorted(one["alert"]["labels"]["model"] for one in fired) == sorted(MODELS), "one shift, one alert"
    back = setting.call("--partitions", str(BEFORE))
    assert f"{len(moving)} models have moved: {AFTER} -> {BEFORE}" in back.stdout, back.output
    assert parts_of(config) == Parts(BEFORE, AFTER)


def check_crashes(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it ends before its last transaction all is as it was."""
    before = committed(setting.broker, setting.group, setting.inputs, INPUTS)
    staged = KafkaLog.stage
    calls = 0

    def fails(self: KafkaLog, *given: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise LogDown("the test ends it here")
        return staged(self, *given)

    with monkeypatch.context() as patched:
        patched.setattr(KafkaLog, "stage", fails)
        assert setting.call("--partitions", str(AFTER)).exit_code == 69
    with monkeypatch.context() as patched:
        patched.setattr(KafkaLog, "commit_with", lambda *given: Outcome.ABORTED)
        assert setting.call("--partitions", str(AFTER)).exit_code == 69
    assert committed(setting.broker, setting.group, setting.inputs, INPUTS) == before


def check_log(setting: Setting) -> None:
    """Every event is in the ordered log once."""
    messages = read_all(setting.broker, setting.ordered, AFTER)
    packed = [unpack(message.value() or b"") for message in messages]
    written = Counter((topic, number, o) for topic, number, _, batch in packed for o in batch.offsets.tolist())
    assert set(written.values()) == {1}
    assert len(written) == setting.ends.total()


def test_partitions_that_somebody_adds_are_not_used_and_said(setting: Setting) -> None:
    with setting.service() as service:
        wait_committed(setting.broker, setting.group, setting.inputs, dict.fromkeys(range(INPUTS), 0))
        setting.send(0, 800)
        wait_committed(setting.broker, setting.group, setting.inputs, setting.ends)
        assert service.stop() == 0
    admin = AdminClient({"bootstrap.servers": setting.broker})
    admin.create_partitions([NewPartitions(setting.ordered, AFTER)])[setting.ordered].result(PATIENCE_S)
    with setting.service() as service:
        admin.create_partitions([NewPartitions(setting.inputs, INPUTS + 1)])[setting.inputs].result(PATIENCE_S)
        setting.send(800, 1600)
        one = Record(0, 1_700_002_000_000, None, None)
        produce(setting.broker, setting.inputs, {INPUTS: [one._replace(value=event_of(model)) for model in MODELS]})
        setting.ends[INPUTS] = len(MODELS)
        wait_committed(setting.broker, setting.group, setting.inputs, setting.ends)
        sent = Counter(model for model, *_ in setting.sent)
        wait_beats(setting, lambda found: all(found[m]["events"] == sent[m] + 1 for m in MODELS))
        said = until(lambda: service.lines("ordered_partitions_changed"))[0]["what"]
        assert "topics repartition" in said
        assert service.stop() == 0
    used = {m.partition() for m in read_all(setting.broker, setting.ordered, AFTER)}
    assert used <= set(range(BEFORE))
    said = CliRunner().invoke(doctor, ["-c", str(setting.path)]).stdout
    assert f"{setting.ordered}: {AFTER} partitions, models are in {BEFORE} and stay there" in said
