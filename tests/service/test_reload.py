"""What becomes of a config file that is another one: taken, refused, or of no consequence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streamer.config.load import load_config
from streamer.service.metrics import Metrics
from streamer.service.reload import SERVER, Reload
from tests.engine.tasks import LEAST

POLLED = LEAST + 'server: {reload_every: 5s, listen: "127.0.0.1:1"}\n'


class World:
    """A file, a clock, and what was said."""

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.now_s, self.said, self.notes = path, 100.0, list[tuple[str, dict[str, Any]]](), dict[str, Any]()
        self.metrics = Metrics()
        path.write_text(text)
        self.reload = Reload(
            load_config(path, {}),
            path,
            lambda path: load_config(path, {}),
            lambda level, event, **more: self.said.append((event, more)),
            self.notes.__setitem__,
            self.metrics,
            lambda: self.now_s,
            lambda: 1000.0 + self.now_s,
        )

    def asked(self, text: str) -> Any:
        """What is wanted once the file has this text, and somebody asked."""
        self.path.write_text(text)
        self.reload.ask()
        self.reload.after_step()
        return self.reload.wanted

    def exposed(self, name: str) -> float:
        body, _ = self.metrics.expose("")
        [line] = [line for line in body.decode().splitlines() if line.startswith(f"driftline_{name} ")]
        return float(line.split()[1])


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "driftline.yaml", POLLED)


def test_a_good_one_is_wanted_until_it_is_taken(world: World) -> None:
    found = world.asked(POLLED + "reference: {warmup: 200}\n")
    assert found.reference.warmup == 200
    assert world.said == [
        ("config_reloading", {"config": found.config_hash, "before": world.reload.config.config_hash})
    ]
    assert world.reload.taken() is found is world.reload.config
    assert world.reload.wanted is None


def test_one_with_mistakes_changes_nothing_and_says_so_until_it_is_mended(world: World) -> None:
    before = world.reload.config
    assert world.asked(POLLED + "referense: {}\n") is None
    [(event, more)] = world.said
    assert event == "config_refused"
    assert "driftline.yaml:5:1: error[unknown-field] referense" in more["why"]
    assert "Nothing was started" not in more["why"], "something runs"
    assert "the config of before is at work" in world.notes["config"]
    assert world.exposed("config_last_reload_successful") == 0
    assert world.exposed("config_last_reload_success_timestamp_seconds") == 1100
    world.now_s += 1
    assert world.asked(POLLED) is None
    assert world.said[-1][0] == "config_unchanged"
    assert (world.notes["config"], world.reload.taken()) == (None, before)
    assert world.exposed("config_last_reload_successful") == 1
    assert world.exposed("config_last_reload_success_timestamp_seconds") == 1101


def test_a_file_that_is_gone_is_no_config(world: World) -> None:
    world.path.unlink()
    world.reload.ask()
    world.reload.after_step()
    assert [event for event, _ in world.said] == ["config_refused"]


@pytest.mark.parametrize("changed", ["group: other", "group: other, start: latest"])
def test_what_would_lose_state_needs_a_restart(world: World, changed: str) -> None:
    assert world.asked(POLLED.replace('brokers: "b:1"', f'brokers: "b:1", {changed}')) is None
    [(event, more)] = world.said
    assert event == "config_refused"
    assert "this needs a restart" in more["why"]
    assert "kafka.group" in more["why"]


def test_settings_of_the_server_are_of_the_next_start(world: World) -> None:
    assert world.asked(POLLED.replace("127.0.0.1:1", "127.0.0.1:2")) is None
    assert world.notes["config"] == SERVER
    assert world.asked(POLLED.replace("5s", "7s")) is not None, "but how often it is looked is not"
    assert world.notes["config"] is None


def test_it_looks_by_itself_where_it_is_told_to(world: World) -> None:
    world.path.write_text(POLLED + "reference: {warmup: 200}\n")
    world.reload.after_step()
    world.now_s += 4.9
    world.reload.after_step()
    assert world.reload.wanted is None
    world.now_s += 0.2
    world.reload.after_step()
    assert world.reload.wanted is not None
    world.reload.taken()
    world.now_s += 6
    world.path.touch()
    world.reload.after_step()
    assert (world.reload.wanted, len(world.said)) == (None, 1), "its bytes are what they were"


def test_by_default_only_whoever_asks_is_heard(tmp_path: Path) -> None:
    world = World(tmp_path / "c.yaml", LEAST)
    world.path.write_text(LEAST + "reference: {warmup: 200}\n")
    world.now_s += 1e9
    world.reload.after_step()
    assert world.reload.wanted is None
    world.reload.ask()
    world.reload.after_step()
    assert world.reload.wanted is not None


def test_without_a_file_nothing_is_looked_at() -> None:
    config = load_config(Path("deploy/driftline.yaml"), {"KAFKA_BROKERS": "b:1"})
    made = Reload(config, None, lambda path: config, lambda *_, **__: None, lambda *_: None, Metrics(), float, float)
    made.ask()
    made.after_step()
    assert made.wanted is None
