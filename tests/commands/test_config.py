"""`driftline config`: what `show` prints means the same, the schema for editors agrees, `diff` says what is kept."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from streamer.commands.cli import main
from streamer.commands.config import json_schema
from streamer.config.effective import as_yaml, effective
from streamer.config.load import check
from streamer.config.yaml_source import parse
from tests.config.samples import CONFIGS, LEAST, ROOT

GOOD = sorted(CONFIGS.glob("*.good.yaml"))


@pytest.mark.parametrize("path", GOOD, ids=lambda p: p.name.removesuffix(".good.yaml"))
def test_a_good_config_is_one_for_editors_too_and_shown_means_the_same(path: Path) -> None:
    config, problems = check(path.read_bytes(), path.name, {}, folder=path.parent)
    assert config is not None
    assert problems == []
    written = parse(path.read_bytes(), path.name, {}).value
    if written.get("monitors", {}) is not None:  # Editors may well point at a key with nothing below it.
        jsonschema.Draft202012Validator(json_schema()).validate(written)
    shown = effective(config)
    jsonschema.Draft202012Validator(json_schema()).validate(shown)
    again, _ = check(as_yaml(shown).encode(), "shown.yaml", {}, folder=path.parent)
    assert again is not None
    assert again.config_hash == config.config_hash
    assert again.kafka.model_copy(update={"client": {}}) == config.kafka.model_copy(update={"client": {}})
    assert again.effective_monitors() == config.effective_monitors()
    assert (again.commit, again.limits, again.topics) == (config.commit, config.limits, config.topics)


def test_the_schema_is_generated_and_committed_and_agrees() -> None:
    committed = json.loads((ROOT / "schemas" / "config.v1.json").read_text())
    assert committed == json_schema(), "run: driftline config schema > schemas/config.v1.json"
    jsonschema.Draft202012Validator.check_schema(committed)
    validator = jsonschema.Draft202012Validator(committed)
    assert validator.is_valid(yaml.safe_load(LEAST))
    assert not validator.is_valid(yaml.safe_load(LEAST + "monitor: {}\n"))


def test_diff_says_what_a_restart_keeps(tmp_path: Path) -> None:
    monitors = {
        "same": "{signal: confidence, detect: {kind: adwin}}",
        "louder": "{signal: confidence, detect: {kind: adwin}, severity: critical}",
        "finer": "{signal: confidence, detect: {kind: adwin, delta: 0.1}}",
        "split": "{signal: confidence, by: [version], detect: {kind: adwin}}",
    }
    plain = {"same", "louder", "finer", "split"}
    before, after = tmp_path / "before.yaml", tmp_path / "after.yaml"
    old = "".join(f"  {name}: {monitors['same']}\n" for name in (*sorted(plain), "old"))
    before.write_text(f"{LEAST}\nmonitors:\n{old}")
    new = "".join(f"  {name}: {text}\n" for name, text in monitors.items())
    after.write_text(f"{LEAST}\nmonitors:\n{new}  more: {monitors['same']}\n")
    result = CliRunner().invoke(main, ["config", "diff", str(before), str(after)], catch_exceptions=False)
    less, *lines, count = result.output.splitlines()
    assert count == "2 kept, 2 reset, 1 new, 1 gone."
    assert less.startswith("less  limits.series: each of 2 tables holds 10,000 series a partition, 20,000 before;")
    assert (result.exit_code, lines) == (
        0,
        [
            "kept  same",
            "kept  louder (severity)",
            "reset finer (detect)",
            "reset split (by)",
            "new   more",
            "gone  old",
        ],
    )
    after.write_text(f"{LEAST}\nreference: {{warmup: 60}}\nmonitors:\n{old}")
    result = CliRunner().invoke(main, ["config", "diff", str(before), str(after)], catch_exceptions=False)
    assert {line.partition(" (")[2] for line in result.output.splitlines()[:-1]} == {"reference, checks or the like)"}


def diffed(folder: Path, before: str, after: str) -> list[str]:
    (folder / "before.yaml").write_text(before)
    (folder / "after.yaml").write_text(after)
    arguments = ["config", "diff", str(folder / "before.yaml"), str(folder / "after.yaml")]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    *lines, count = result.output.splitlines()
    assert count.startswith(f"{sum(line.startswith('kept') for line in lines)} kept, ")
    return lines


def test_diff_keeps_nothing_where_nothing_is_found_again(tmp_path: Path) -> None:
    """0 series are there under another group, and the topic is read anew."""
    monitors = (
        "monitors:\n  a: {signal: confidence, detect: {kind: adwin}}\n  b: {signal: value, detect: {kind: adwin}}\n"
    )
    own = LEAST + monitors
    assert diffed(tmp_path, own, own) == ["kept  a", "kept  b"]
    group = diffed(tmp_path, own, own.replace("kafka: {", "kafka: {group: other, "))
    assert group[0].startswith(
        "lost  kafka.group: group 'other' has no offsets: 0 series are kept, every topic is read a"
    )
    assert group[1:] == ["reset a (kafka.group)", "reset b (kafka.group)"]
    state = diffed(tmp_path, own, own.replace("topics: {", "topics: {state: s2, "))
    assert state[0].startswith("lost  topics.state: the snapshots are in 'drift-state'")
    assert state[1:] == ["reset a (topics.state)", "reset b (topics.state)"]
    events = diffed(tmp_path, own, own.replace("[inferences]", "[inferences, more]"))
    assert events[0].startswith("other topics.events: more: new, read from its oldest record")
    assert events[1:] == ["kept  a", "kept  b"]
    instance = diffed(tmp_path, own, own.replace("kafka: {", "kafka: {instance: i2, "))
    assert instance[0].startswith("other kafka.instance: the transactional id is driftline-driftline-i2 now")
    assert instance[1:] == ["kept  a", "kept  b"]


def test_diff_says_that_a_monitor_more_leaves_less_room(tmp_path: Path) -> None:
    own = f"{LEAST}limits: {{series: 300}}\nmonitors:\n  a: {{signal: confidence, detect: {{kind: adwin}}}}\n"
    more = diffed(tmp_path, own, own + "  b: {signal: value, detect: {kind: adwin}}\n")
    assert more[0].startswith(
        "less  limits.series: each of 2 tables holds 150 series a partition, 300 before; those there"
    )
    assert more[1:] == ["kept  a", "new   b"]
    assert diffed(tmp_path, own, own.replace("adwin}}", "adwin}, severity: info}"))[0] == "kept  a (severity)"


def test_diff_says_that_a_candidate_keeps_what_it_learned_when_it_is_promoted(tmp_path: Path) -> None:
    live = f"{LEAST}monitors:\n  a: {{signal: confidence, detect: {{kind: adwin}}}}\n"
    shadow = live.replace("adwin}}", "adwin}, shadow: true}")
    end = "with all that it has learned; its alerts go to"
    assert diffed(tmp_path, shadow, live)[-1] == (
        f"kept  a (shadow: promoted, {end} 'drift-alerts', also the end of what fires now)"
    )
    topic, line = diffed(tmp_path, live, shadow)
    assert topic == "other topics.shadow: records go to 'drift-shadow' from now on."
    assert line == f"kept  a (shadow: a candidate from now on, {end} 'drift-shadow', also the end of what fires now)"
