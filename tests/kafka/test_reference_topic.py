"""`driftline reference build --topic` on a real broker: a topic of several partitions is learned from as a whole."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.events.batch import Record
from tests.engine.referenced import CONFIG, event, invoke
from tests.kafka.service import produce

pytestmark = pytest.mark.broker
PARTITIONS = 6
EVENTS = 3000


def test_all_partitions_of_a_topic_are_learned_from(
    broker: str, make_topics: Callable[..., list[str]], tmp_path: Path
) -> None:
    [topic] = make_topics("learn", partitions=PARTITIONS)
    rng = random.Random(1)
    records = [Record(i, 1_767_225_600_000 + i, None, json.dumps(event(rng, i)).encode()) for i in range(EVENTS)]
    produce(broker, topic, {n: records[n::PARTITIONS] for n in range(PARTITIONS)})
    config = tmp_path / "drift.yaml"
    config.write_text(CONFIG.replace("REFERENCE", "").replace("b:1", broker).replace("[inferences]", f"[{topic}]"))
    made = invoke("build", "-c", config, "--topic", topic, "-o", tmp_path / "ref.json")
    assert made.exit_code == 0, made.output
    each = EVENTS // PARTITIONS
    nothing = "0 late + 0 duplicate + 0 filtered + 0 rejected"
    assert made.stderr.splitlines()[: PARTITIONS + 1] == [
        f"{EVENTS:,} records of {PARTITIONS} partitions = {EVENTS:,} used + {nothing}",
        *(f"  {topic}[{n}]: {each} used + {nothing}" for n in range(PARTITIONS)),
    ]
    shown = invoke("show", tmp_path / "ref.json").stdout
    assert f"features.amount: {EVENTS:,} values" in shown
    assert f"features.country: {EVENTS:,} values, 2 categories" in shown
    two = invoke(
        "build", "-c", config, "--topic", topic, "--partition", 1, "--partition", 4, "-o", tmp_path / "two.json"
    )
    assert two.exit_code == 0, two.output
    assert f"features.amount: {2 * each:,} values" in invoke("show", tmp_path / "two.json").stdout
