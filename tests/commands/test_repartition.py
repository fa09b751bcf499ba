"""`driftline topics repartition`: what it says; what it does is shown in tests/kafka/test_ordered_moves.py."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from confluent_kafka import KafkaError

from streamer.commands import repartition
from streamer.commands.cli import main
from streamer.service.repartition import Refused


def test_a_plan_names_some_of_those_that_move_and_counts_the_others() -> None:
    ways = {f"m{number:02d}": (0, number % 2) for number in range(60)}
    text = repartition.plan_text(1, 2, ways)
    assert text.splitlines()[0] == "1 -> 2 partitions: 30 of 60 models move"
    assert text.splitlines()[1] == "  m01: 0 -> 1"
    assert "and 10 more" in text
    assert "account of records" in text
    assert repartition.plan_text(2, 2, {"a": (1, 1)}) == "2 -> 2 partitions: 0 of 1 models move"


def test_while_somebody_is_at_work_it_says_how_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    members, codes = {"g": 2, "g-ordered": 0}, {"g-ordered": KafkaError.GROUP_ID_NOT_FOUND}
    admin: Any = SimpleNamespace(group=lambda name: SimpleNamespace(number=members[name], code=codes.get(name, 0)))
    monkeypatch.setattr(repartition, "LEAVING_S", 0.0)
    with pytest.raises(Refused, match="group g has 2 members: stop every process of it, as `systemctl stop"):
        repartition.await_nobody(admin, "g")
    members["g"] = 0
    repartition.await_nobody(admin, "g")
    codes["g-ordered"] = KafkaError.GROUP_AUTHORIZATION_FAILED
    with pytest.raises(Refused, match="whether group g-ordered has members cannot be seen: "):
        repartition.await_nobody(admin, "g")


def test_its_help_has_examples() -> None:
    shown = CliRunner().invoke(main, ["topics", "repartition", "--help"]).output
    assert shown.count("driftline topics repartition -c driftline.yaml") == 3


def test_without_a_broker_it_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text('version: 1\nkafka: {brokers: "127.0.0.1:1", order: model}\ntopics: {events: [in]}\n')
    told = CliRunner().invoke(main, ["topics", "repartition", "-c", str(path), "--partitions", "2", "--timeout", "0.5"])
    assert told.exit_code == 69
