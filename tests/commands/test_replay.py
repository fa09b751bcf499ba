"""`driftline replay` over files: what it prints, where bad lines go, and that every line is accounted for."""

from __future__ import annotations

import gzip
import json
import random
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from schemas.events.batch import Record
from schemas.events.decoder import Decoder
from streamer.commands import replay as under_test
from streamer.commands.cli import main
from streamer.config.decoder_fields import fields_of
from streamer.config.load import load_config
from streamer.config.model import Config
from streamer.kafka.order import Answer
from streamer.offline.joined import in_turn
from streamer.offline.ticks import Ticks
from streamer.port import LogDown, LogGap, Partition, Tick
from tests.sim.campaign import CONFIG, make_log, oracle


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "driftline.yaml"
    path.write_text(CONFIG)
    return path


def write(path: Path, seed: int) -> bytes:
    """One event a line; the poison of the log that holds a line break is left out."""
    lines = [(r.value or b"") for r in make_log(random.Random(seed), 0, 400)]
    data = b"\n".join(lines) + b"\n"
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return data


def ticks_of(config: Config, records: list[Record]) -> list[Tick]:
    """The minutes of the events' own times."""
    at, batch = ("inferences", 0), Decoder(fields_of(config))(records, "inferences")
    return [
        tick
        for _, tick in Ticks(config.heartbeat.interval_ms, config.limits).cut(at, records, batch)
        if tick is not None
    ]


def test_it_prints_what_run_would_publish_and_accounts_for_every_line(config: Path, tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", 3)
    write(tmp_path / "b.jsonl.gz", 4)
    letters = tmp_path / "letters.jsonl"
    inputs = ["--input", str(tmp_path / "a.jsonl"), "--input", f"2={tmp_path / 'b.jsonl.gz'}"]
    result = CliRunner().invoke(main, ["replay", "-c", str(config), *inputs, "--dead-letter", str(letters)])
    assert result.exit_code == 0
    expected, bad = [], 0
    loaded = load_config(config, {})
    for number, seed in ((0, 3), (2, 4)):
        records = [
            r._replace(time_ms=-1, key=None, value=r.value or b"") for r in make_log(random.Random(seed), 0, 400)
        ]
        outs = oracle(loaded, ("inferences", number), records, ticks_of(loaded, records)).outbox
        expected += [(o.value or b"").decode() for o in outs if o.topic in ("alerts", "shadow", "incidents")]
        bad += sum(o.topic == "dead_letter" for o in outs)
    assert result.stdout.splitlines() == expected
    assert len(expected) > 5
    command = shlex.split(json.loads(expected[0])["data"]["replay"]["command"])
    assert command[:6] == ["driftline", "replay", "-c", str(config), "--topic", "inferences"]
    assert result.stderr.startswith("800 records = ")
    assert f"{bad} dead-lettered" in result.stderr
    found = [json.loads(line) for line in letters.read_text().splitlines()]
    assert len(found) == bad
    assert {"driftline.error.reason", "driftline.error.offset", "driftline.error.partition"} <= set(found[0])
    assert any("value_base64" in line for line in found)


def test_of_a_topic_that_was_made_anew_it_prints_the_ids_that_run_gave(config: Path, tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", 3)
    letters = tmp_path / "letters.jsonl"
    given = ["-c", str(config), "--input", str(tmp_path / "a.jsonl"), "--dead-letter", str(letters)]

    def replayed(*more: str) -> list[dict[str, Any]]:
        result = CliRunner().invoke(main, ["replay", *given, *more])
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]

    records = [r._replace(time_ms=-1, key=None, value=r.value or b"") for r in make_log(random.Random(3), 0, 400)]
    loaded = load_config(config, {})
    outs = oracle(loaded, ("inferences", 0), records, ticks_of(loaded, records), generation=2).outbox
    found = replayed("--generation", "2")
    assert found == [json.loads(o.value or b"") for o in outs if o.topic in ("alerts", "shadow", "incidents")]
    assert {json.loads(line)["driftline.error.generation"] for line in letters.read_text().splitlines()} == {"2"}
    command = shlex.split(found[0]["data"]["replay"]["command"])
    assert command[-2:] == ["--generation", "2"], "the alert says it itself"
    first = replayed()
    assert replayed("--generation", "0") == first
    assert not {record["id"] for record in first} & {record["id"] for record in found}


def test_what_was_there_before_the_first_start_is_told_low_again(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the very command of each alert."""
    records = make_log(random.Random(3), 0, 400)

    def chosen(config: Any, topic: str, partitions: tuple[int, ...], begin: str, end: str) -> Any:
        yield (topic, partitions[0]), [r for r in records if int(begin) <= r.offset < int(end)]

    monkeypatch.setattr("streamer.kafka.topic_range.TopicRange", chosen)
    loaded = load_config(config, {})
    outs = [o for o in oracle(loaded, ("inferences", 0), records, first_end=250).outbox if o.topic == "alerts"]
    told = [(out, json.loads(out.value or b"")["data"]) for out in outs]
    holds = [out for out in told if out[1]["resolution"] == {"how": "current"}]
    news = [out for out in told if "retained" not in out[1]]
    for out, data in holds[-1], news[0], news[-1]:
        command = shlex.split(data["replay"]["command"])
        assert command[-2:] == ["--first-end", "250"]
        result = CliRunner().invoke(main, command[1:])
        assert (out.value or b"").decode() in result.stdout.splitlines()


def test_without_a_file_bad_lines_are_counted_by_reason(config: Path, tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"model":"m"}\nnonsense\n\n{"model":true}\n')
    result = CliRunner().invoke(main, ["replay", "-c", str(config), "--input", str(tmp_path / "x.jsonl")])
    assert (result.exit_code, result.stdout) == (0, "")
    assert "4 records = 1 used + 0 late + 0 duplicate + 0 filtered + 3 dead-lettered" in result.stderr
    assert "(bad_json 1, empty 1, wrong_type 1)" in result.stderr
    assert "--dead-letter FILE keeps it" in result.stderr


def test_where_nothing_is_used_it_says_who_knows_why(config: Path, tmp_path: Path) -> None:
    sample = tmp_path / "x.jsonl"
    sample.write_text("nonsense\n")
    found = CliRunner().invoke(main, ["replay", "-c", str(config), "--input", f"3={sample}"])
    assert found.stderr.startswith("1 record = 0 used + ")
    assert found.stderr.endswith(f"None of them is used: driftline lint {config} --sample {sample} says why.\n")


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ([], 2, "Give either --input FILE (repeatable) or --topic T."),
        (["--input", "a", "--topic", "t"], 2, "Give either"),
        (["--input", "no/such/file"], 1, "no/such/file: No such file or directory"),
        (["--input", "1=a", "--input", "1=b"], 1, "same partition"),
        (["--input", "a", "--first-end", "5"], 2, "--first-end goes with --topic T and one --partition"),
        (["--topic", "t", "--first-end", "5"], 2, "each has an end of its own"),
    ],
)
def test_mistakes_get_one_sentence(config: Path, arguments: list[str], code: int, text: str) -> None:
    result = CliRunner().invoke(main, ["replay", "-c", str(config), *arguments])
    assert result.exit_code == code
    assert text in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (
            LogDown("nobody there", "unknown_host", "ask DNS"),
            69,
            "driftline: unknown_host: nobody there\n  fix: ask DNS",
        ),
        (LogGap("gone by now"), 1, "gone by now"),
    ],
)
def test_a_topic_that_cannot_be_read_is_said(
    error: Exception, code: int, text: str, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def records(*given: Any) -> Any:
        asked.append(given[1:])
        yield ("inferences", 3), make_log(random.Random(1), 0, 20)
        raise error

    monkeypatch.setattr("streamer.kafka.topic_range.TopicRange", records)
    arguments = ["-c", str(config), "--topic", "inferences", "--partition", "3", "--from", "5"]
    done = CliRunner().invoke(under_test.replay, arguments)
    assert (done.exit_code, asked) == (code, [("inferences", (3,), "5", None)])
    assert text in done.stderr
    assert "Traceback" not in done.output


def test_who_is_not_there_is_told_once_and_not_in_librdkafkas_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a handler Python prints what a logger says as it is: it was 44 lines of `FAIL [driftline#consumer-1]`."""
    path = tmp_path / "c.yaml"
    path.write_text('version: 1\nkafka: {brokers: "127.0.0.1:1"}\ntopics: {events: [inferences]}\n')
    done = CliRunner().invoke(main, ["replay", "-c", str(path), "--topic", "inferences"])
    assert done.exit_code == 69
    assert [line.split()[0] for line in done.stderr.splitlines()] == ["driftline:", "fix:"]
    assert caplog.records == []


def test_what_shadows_would_have_told_is_printed_and_marked(tmp_path: Path) -> None:
    path, events = tmp_path / "c.yaml", tmp_path / "events.jsonl"
    least = 'version: 1\nkafka: {brokers: "b:1"}\ntopics: {events: [inferences]}\n'
    path.write_text(least + "monitors: {a: {signal: features.a, shadow: true, detect: {kind: adwin}}}\n")
    rng = random.Random(1)
    values = [rng.gauss(0 if i < 700 else 5, 1) for i in range(900)]
    lines = [json.dumps({"model": "m", "time": 1_700_000_000 + i, "features": {"a": v}}) for i, v in enumerate(values)]
    events.write_text("\n".join(lines))
    done = CliRunner().invoke(main, ["replay", "-c", str(path), "--input", str(events)])
    [record] = map(json.loads, done.stdout.splitlines())
    assert record["data"]["shadow"] is True
    assert "0 alert records, 1 shadow alert record and 0 incident records" in done.stderr


def test_files_of_two_topics_are_read_in_the_order_of_their_times_and_meet(tmp_path: Path) -> None:
    path = tmp_path / "driftline.yaml"
    path.write_text(
        "version: 1\nkafka: {brokers: 'b:1'}\ntopics: {events: [in]}\nfeedback: {topic: clicks, event_id: /about}\n"
        "monitors: {m: {signal: action.*, window: {events: 50}, detect: {kind: fraction, max: 0.9}}}\n"
    )
    events = [{"model": "m", "event_id": f"e{n}", "time": 1_700_000_000 + n, "features": {"a": 1}} for n in range(60)]
    clicks = [
        {"model": "m", "about": f"e{n}", "time": 1_700_000_000 + n, "feedback": {"action": "x"}} for n in range(60)
    ]
    for name, lines in (("in", events), ("clicks", clicks)):
        (tmp_path / name).write_text("\n".join(map(json.dumps, lines)))
    given = ["--input", f"clicks:0={tmp_path / 'clicks'}", "--input", f"in:0={tmp_path / 'in'}"]
    result = CliRunner().invoke(main, ["replay", "-c", str(path), *given])
    assert result.exit_code == 0, result.output
    told = [json.loads(line)["data"] for line in result.stdout.splitlines()]
    [alert] = [one for one in told if "alert" in one]
    assert (alert["trigger"]["topic"], alert["trigger"]["offset"]) == ("clicks", 49)
    assert "120 records = 120 used" in result.stderr
    alone = CliRunner().invoke(main, ["replay", "-c", str(path), "--topic", "clicks"])
    assert (alone.exit_code, "replay --topic drift-ordered" in alone.stderr) == (2, True)


ONE_OF_TWO = """version: 1
kafka: {{brokers: "b:1", order: {order}}}
topics: {{events: [in]}}
reference: {{warmup: 50}}
monitors: {{a: {{signal: features.a, by: [segment.c], detect: {{kind: adwin}}}}}}
"""


class TwoPartitions:
    """A topic of a model that has no key: see `streamer.kafka.topic_range.TopicRange`."""

    def __init__(self, *given: Any) -> None:
        events = [
            {"model": "m", "time": 1_790_000_000 + i, "features": {"a": i % 7 + 90 * (i > 800)}, "segment": {"c": "x"}}
            for i in range(1200)
        ]
        self.partitions = {
            ("in", number): [
                Record(offset, 1000 * one["time"], None, json.dumps(one).encode())
                for offset, one in enumerate(events[number::2])
            ]
            for number in range(2)
        }

    def total(self) -> int:
        return 1200

    def __iter__(self) -> Iterator[tuple[Partition, list[Record]]]:
        return iter(self.partitions.items())

    def in_order(self) -> Iterator[tuple[Partition, list[Record]]]:
        return in_turn({at: iter([records]) for at, records in self.partitions.items()})


@pytest.mark.parametrize(("order", "alerts"), [("topic", 2), ("model", 1), ("auto", 1)])
@pytest.mark.parametrize("verb", ["replay", "backtest", "explain"])
@pytest.mark.parametrize("source", ["files", "a topic"])
def test_partitions_of_a_model_are_one_log_where_its_order_is_asked_for(
    order: str, alerts: int, verb: str, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "c.yaml").write_text(ONE_OF_TWO.format(order=order))
    given = ["--topic", "in"]
    if source == "files":
        given = []
        for (_, number), records in TwoPartitions():
            path = tmp_path / f"{number}.jsonl"
            path.write_bytes(b"\n".join(record.value or b"" for record in records))
            given += ["--input", f"{number}={path}"]
    answer = Answer("model", "m is in 2 partitions of in", "a topic drift-ordered")
    monkeypatch.setattr("streamer.kafka.topic_range.TopicRange", TwoPartitions)
    monkeypatch.setattr("streamer.kafka.order.ask", lambda config: answer)
    result = CliRunner().invoke(main, [verb, "-c", str(tmp_path / "c.yaml"), *given])
    assert result.exit_code == 0, result.output
    assert ("m is in 2 partitions of in: read in the order of models" in result.output) == (order == "auto")
    another = "in: partitions are read in the order of record times; the service may have taken some in another one:"
    assert (f"{another} --topic drift-ordered has what it took." in result.stderr) == (
        source == "a topic" and order != "topic"
    )
    if verb == "backtest":
        assert re.search(rf"\nm +c\.yaml +0\.0 +{alerts} +- +{alerts} ", result.output), result.output
        return
    if verb == "explain":
        assert len([line for line in result.stdout.splitlines() if line.startswith("m a: adwin of ")]) == alerts
        return
    firing = [json.loads(line) for line in result.stdout.splitlines() if "alert.firing" in line]
    told = [one["data"] for one in firing if one["data"]["episode"]["detections"] == 1]
    assert len(told) == alerts
    assert [one.get("ordered") is not None for one in told] == [order != "topic"] * alerts
    assert {one["trigger"]["topic"] for one in told} == {"in"}, "the place it was sent to"


def test_of_one_partition_nobody_asks_in_which_order_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "c.yaml").write_text(ONE_OF_TWO.format(order="auto"))
    monkeypatch.setattr("streamer.kafka.topic_range.TopicRange", TwoPartitions)
    monkeypatch.setattr("streamer.kafka.order.ask", lambda config: pytest.fail("it was asked"))
    given = ["--topic", "in", "--partition", "1"]
    assert CliRunner().invoke(main, ["replay", "-c", str(tmp_path / "c.yaml"), *given]).exit_code == 0


def test_with_labels_and_verdicts_it_tells_what_became_of_them_and_prints_windows_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(
        'version: 1\nkafka: {brokers: "b:1"}\ntopics: {events: [in], windows: win}\nlabels: {topic: truth}\n'
        "control: {topic: ctl}\nmonitors: {error: {signal: realised_error, detect: {kind: adwin}}}\n"
    )
    begin_s = 1_700_006_400
    given: dict[str, list[dict[str, Any]]] = {"in": [], "truth": [], "ctl": []}
    for number in range(200):
        at = {"model": "m", "event_id": f"e{number}", "time": begin_s + 60 * number}
        given["in"].append(at | {"prediction": {"label": "a", "confidence": 0.5}})
        given["truth"].append(at | {"label": "ab"[number % 2], "time": begin_s + 60 * number + 90})
    given["ctl"].append({"model": "m", "id": "c", "type": "mute", "by": "ada", "why": "x", "time": begin_s + 9000})
    files = []
    for topic, said in given.items():
        (tmp_path / topic).write_text("".join(json.dumps(one) + "\n" for one in said))
        files += ["--input", f"{topic}:0={tmp_path / topic}"]
    plain = CliRunner().invoke(main, ["replay", "-c", str(path), *files])
    [answer] = plain.stdout.splitlines()
    assert json.loads(answer)["type"] == "io.driftline.control.refused.v1"
    assert "0 alert records, 1 answer and 0 incident records" in plain.stderr
    assert "200 labels = 199 matched + 1 that wait for their inference" in plain.stderr or "200 matched" in plain.stderr
    more = CliRunner().invoke(main, ["replay", "-c", str(path), *files, "--also", "windows"])
    windows = [json.loads(line) for line in more.stdout.splitlines() if line != answer]
    assert {one["type"] for one in windows} == {"io.driftline.performance.v1"}
    assert [one["data"]["error"]["share"] for one in windows][-1] == 0.5
    assert f"{len(windows)} window records" in more.stderr
