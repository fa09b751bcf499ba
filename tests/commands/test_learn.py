"""`driftline learn`: what is read back of it, and what an undo writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from streamer.commands.cli import main
from streamer.commands.learn import standing
from streamer.config.load import load_text
from streamer.kafka.one_record import send
from streamer.kafka.topic_range import TopicRange
from tests.kafka.mock_cluster import MockCluster

TEXT = 'version: 1\nkafka: {{brokers: "{}"}}\ntopics: {{events: [in]}}\ncontrol: {{topic: drift-control}}\n'


def lesson(status: str, version: int, after: float, second: int) -> dict[str, Any]:
    return {
        "status": status,
        "model": "fraud",
        "monitor": "mean",
        "version": version,
        "sentence": f"{status} {version}",
        "strength": {"before": 1.0, "after": 1.0 / after},
        "changed": {"time": f"2026-01-01T00:00:0{second}.000Z"},
    }


def test_what_holds_is_the_newest_change() -> None:
    found = [lesson("changed", 1, 0.25, 1), lesson("changed", 2, 1.0, 2), lesson("proposed", 2, 0.5, 3)]
    assert standing(found) == ["fraud: mean is told from 1 times its threshold on, version 2"]
    assert standing(found[2:]) == []


def test_show_reads_it_back_and_undo_writes_a_command(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    with MockCluster("drift-control", "drift-alerts") as cluster:
        path.write_text(TEXT.format(cluster.brokers))
        config = load_text(path.read_text(), "x", {})
        nothing = CliRunner().invoke(main, ["learn", "show", "-c", str(path)])
        for key, data in ((b"learn-2", lesson("changed", 1, 0.25, 2)), (b"learn-1", lesson("proposed", 0, 0.25, 1))):
            send(config, "drift-alerts", key, json.dumps({"data": data}).encode())
        shown = CliRunner().invoke(main, ["learn", "show", "-c", str(path)])
        whose = ["--model", "fraud", "--monitor", "mean", "--by", "ada", "--why", "right", "--timeout", "0"]
        undone = CliRunner().invoke(main, ["learn", "undo", "-c", str(path), *whose])
        [record] = [record for _, records in TopicRange(config, "drift-control") for record in records]
    assert nothing.stdout == "Nothing was learned yet.\n"
    assert [line.split()[1:3] for line in shown.stdout.splitlines()[:2]] == [["proposed", "v0"], ["changed", "v1"]]
    assert shown.stdout.splitlines()[2] == "fraud: mean is told from 4 times its threshold on, version 1"
    assert undone.exit_code == 0, undone.output
    command = json.loads(record.value or b"")
    assert (command["type"], command["data"]) == ("learn", {"monitor": "mean", "change": "undo"})
