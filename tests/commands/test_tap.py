"""`driftline tap`: of files, of a topic as records come, sampled, and never a value that is not named."""

from __future__ import annotations

import itertools
import json
import threading
from pathlib import Path

from click.testing import CliRunner, Result
from confluent_kafka import Producer

from schemas.events.batch import Record
from streamer.commands.tap import Sampled, tap
from tests.kafka.mock_cluster import MockCluster
from tests.waiting import PATIENCE_S

EVENTS = [{"model": f"m{n % 2}", "features": {"amount": 31.25 + n}, "prediction": {"label": "yes"}} for n in range(10)]


def written(folder: Path, brokers: str = "b:1") -> list[str]:
    (folder / "c.yaml").write_text(f'version: 1\nkafka: {{brokers: "{brokers}"}}\ntopics: {{events: [in]}}\n')
    (folder / "e.jsonl").write_text("".join(json.dumps(one) + "\n" for one in EVENTS))
    return ["-c", str(folder / "c.yaml")]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(tap, arguments)


def test_events_of_a_file(tmp_path: Path) -> None:
    config, file = written(tmp_path), str(tmp_path / "e.jsonl")
    all_of = run(*config, "--input", file)
    assert all_of.exit_code == 0
    assert len(all_of.stdout.splitlines()) == 10
    assert all_of.stderr == "10 shown, of 10 records that were read.\n"
    assert "31.25" not in all_of.stdout
    some = run(*config, "--input", file, "--every", "3", "--format", "json", "--show", "features.*")
    found = [json.loads(line) for line in some.stdout.splitlines()]
    assert [one["values"]["features.amount"] for one in found] == [31.25, 34.25, 37.25, 40.25]
    assert "4 shown, of 10" in some.stderr
    assert len(run(*config, "--input", file, "--model", "m1").stdout.splitlines()) == 5
    assert len(run(*config, "--input", file, "--limit", "2").stdout.splitlines()) == 2


def test_nothing_is_shown_of_who_opted_out(tmp_path: Path) -> None:
    config = written(tmp_path)
    with (tmp_path / "c.yaml").open("a") as file:
        file.write("privacy: {opt_out: /private}\n")
    (tmp_path / "p.jsonl").write_text(json.dumps(EVENTS[0] | {"private": True}) + "\n" + json.dumps(EVENTS[1]) + "\n")
    first, second = run(*config, "--input", str(tmp_path / "p.jsonl"), "--show", "*").stdout.splitlines()
    assert first == "in[0]@0  filtered: it opted out"
    assert "features.amount=32.25" in second


def test_no_more_a_second_than_wanted() -> None:
    source = [(("in", 0), [Record(n, -1, None, b"{}") for n in range(100)])]
    ticks = itertools.count()  # A tenth of a second for each look at the clock.
    sampled = Sampled(source, 1, 2.0, lambda: next(ticks) / 10)
    assert [record.offset for _, [record] in sampled] == list(range(0, 100, 5))
    assert sampled.read == 100


def test_of_the_past_the_seconds_are_those_of_its_records() -> None:
    source = [(("in", p), [Record(n, 100 * n, None, b"{}") for n in range(20)]) for p in (0, 1)]
    found = [(p, record.offset) for (_, p), [record] in Sampled(source, 1, 1.0, lambda: 1e6)]
    assert found == [(0, 0), (0, 10), (1, 0), (1, 10)]


def test_what_comes_to_a_topic(tmp_path: Path) -> None:
    with MockCluster("in") as cluster:
        config, over = written(tmp_path, cluster.brokers), threading.Event()

        def produce() -> None:
            producer = Producer({"bootstrap.servers": cluster.brokers})
            while not over.wait(0.1):
                producer.produce("in", json.dumps(EVENTS[0]).encode())
                producer.flush(PATIENCE_S)

        thread = threading.Thread(target=produce)
        thread.start()
        try:
            done = run(*config, "--limit", "1", "--topic", "in", "--topic", "lacking")
            lost = run(*config, "--topic", "in-other")
        finally:
            over.set()
            thread.join()
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("in[0]@")
    assert "m0  features.amount: number, prediction.label: text of 3" in done.stdout
    assert "lacking: there is no such topic" in done.stderr
    assert (lost.exit_code, "topic in-other does not exist." in lost.stderr) == (1, True)


def test_either_files_or_topics_and_a_broker_that_is_not_there(tmp_path: Path) -> None:
    config = written(tmp_path, "127.0.0.1:1")
    assert run(*config, "--input", "x.jsonl", "--topic", "in").exit_code == 2
    assert run(*config, "--past", "soon").exit_code == 2
    down = run(*config)
    assert (down.exit_code, "connection_refused" in down.stderr) == (69, True)
