"""Every rejected config is a fixture with its exact messages; and what the accepted ones mean."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from streamer.commands.cli import main
from streamer.commands.config import as_yaml, effective, json_schema
from streamer.config.load import check, load_text
from streamer.config.model import Config, Monitor
from streamer.config.problems import KINDS, ConfigError
from streamer.config.standard import STANDARD
from streamer.config.units import parse_duration, parse_size, show_duration, show_size
from streamer.config.yaml_source import parse, resolve

ROOT = Path(__file__).resolve().parents[2]
BAD = sorted((ROOT / "tests" / "configs").glob("*.bad.yaml"))
GOOD = sorted((ROOT / "tests" / "configs").glob("*.good.yaml"))
STANDARD_MONITORS = {name: Monitor.model_validate(monitor) for name, monitor in STANDARD.items()}
LEAST = 'version: 1\nkafka: {brokers: "localhost:9092"}\ntopics: {events: [inferences]}\n'


def test_there_are_enough_fixtures_of_every_kind() -> None:
    assert len(BAD) >= 45
    assert {p.stem for p in BAD} == {p.stem for p in (ROOT / "tests" / "configs").glob("*.bad.txt")}
    found = {p.kind for path in BAD for p in check(path.read_bytes(), path.name, {})[1]}
    assert found == set(KINDS) - {"never-fires"}  # It takes a sample, see test_cost.


@pytest.mark.parametrize("path", BAD, ids=lambda p: p.name.removesuffix(".bad.yaml"))
def test_a_broken_config_is_refused_with_exactly_these_words(path: Path) -> None:
    config, problems = check(path.read_bytes(), path.name, {})
    assert config is None
    said = str(ConfigError(problems)) + "\n"
    if os.environ.get("DRIFTLINE_REWRITE"):  # After a default or a sentence changed: rewrite, then read the diff.
        path.with_suffix(".txt").write_text(said)
    assert said == path.with_suffix(".txt").read_text()


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


def test_one_good_config_writes_every_key_there_is() -> None:
    """It is the reference by example, so a new key has to be in it."""
    written = parse((ROOT / "tests" / "configs" / "everything.good.yaml").read_bytes(), "x", {})
    keys = {path[-1] for path in written.places if path}
    made = json_schema()
    assert {key for model in [made, *made["$defs"].values()] for key in model["properties"]} <= keys


def test_every_key_is_described() -> None:
    made = json_schema()
    for model in [made, *made["$defs"].values()]:
        for key, field in model["properties"].items():
            reference = made["$defs"].get(field.get("$ref", "").rpartition("/")[2], {})
            assert field.get("description") or reference.get("description"), key


def test_the_least_config_has_the_standard_monitors() -> None:
    config = load_text(LEAST, "least.yaml", {})
    assert config.effective_monitors() == STANDARD_MONITORS
    assert {m.signal for m in STANDARD_MONITORS.values()} == {
        "features.*",
        "confidence",
        "label.*",
        "missing.*",
        "anomaly",
        "category.*",
        "events",
        "unseen.*",
        "distance",
        "traffic",
        "p95(latency_ms)",
    }
    assert (config.reference.warmup, config.commit.interval_ms, config.limits.message_bytes) == (500, 1000, 1 << 20)


def test_the_example_of_the_documentation_loads() -> None:
    text = (
        LEAST
        + """
monitors:
  amount-mean: {model: fraud, signal: features.amount, by: [version], detect: {kind: adwin, delta: 0.002}}
  latency-up:  {signal: latency_ms, detect: {kind: page_hinkley, direction: up, threshold: 50}, severity: critical}
  odd-events:  {signal: anomaly, window: {events: 1000}, detect: {kind: fraction, max: 0.05}, for: 2m, cooldown: 1h}
commit: {interval: 1s, snapshot_interval: 10s}
limits: {series: 20000, message_bytes: 1MiB}
server: {listen: "127.0.0.1:8080"}
"""
    )
    config = load_text(text, "x.yaml", {})
    assert config.monitors["odd-events"].for_ms == 120_000
    assert config.monitors["amount-mean"].detect.params().delta == 0.002  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 0.001), ("on", "on"), ("NO", "NO"), ("yes", "yes"), ("010", 10), ("0o10", 8), ("0x1F", 31),
     ("22:30", "22:30"), ("2026-01-01", "2026-01-01"), ("true", True), ("~", None), ("", None), (".5", 0.5),
     ("1_000", "1_000"), ("-7", -7)],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    found = resolve(text)
    assert (found, type(found)) == (value, type(value))


def test_variables_are_filled_into_scalars_not_into_text() -> None:
    env = {"GROUP": "a: b # c", "WARMUP": "77", "EMPTY": ""}
    text = LEAST.replace("brokers:", 'group: "g-${NAME:-x}", brokers:') + 'reference: {warmup: "${WARMUP}"}\n'
    with pytest.raises(ConfigError, match="must be a whole number"):
        load_text(text, "quoted.yaml", env)
    source = parse(b"a: ${WARMUP}\nb: ${GROUP}\nc: $${GROUP}\nd: ${EMPTY:-7}\ne: '${WARMUP}'\nf: ${EMPTY}\n", "x", env)
    assert source.value == {"a": 77, "b": "a: b # c", "c": "${GROUP}", "d": 7, "e": "77", "f": None}
    assert source.problems == []


def test_secrets_never_show(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("hunter2\n")
    client = f'client: {{sasl.password: "${{file:{secret}}}", ssl.key.pem: s3cr3t, sasl.mechanisms: PLAIN}}'
    config = load_text(LEAST.replace("brokers:", f"{client}, brokers:"), "x.yaml", {})
    assert config.kafka.client["sasl.password"] == "hunter2"
    shown = yaml.safe_dump(effective(config))
    assert "hunter2" not in shown
    assert "s3cr3t" not in shown
    assert shown.count("***") == 2
    assert set(config.secrets()) == {"hunter2", "s3cr3t"}
    _, problems = check(
        LEAST.replace("brokers:", "client: {sasl.password: [hunter2], group.id: s3cr3t}, brokers:").encode(), "x", {}
    )
    assert problems
    assert not any(word in str(problem) for problem in problems for word in ("hunter2", "s3cr3t"))


@pytest.mark.parametrize(
    "text", ["1e3", "0o17", "010", "null", "on", "${HOME}", "$${x}", "a: b #c", "", " x", "\u00e9", "1:30"]
)
def test_what_show_prints_reads_back_as_the_same_text(text: str) -> None:
    assert parse(as_yaml({"a": text}).encode(), "x", {}).value == {"a": text}


@pytest.mark.parametrize(
    ("text", "value"), [("250ms", 250), ("10s", 10_000), ("2m", 120_000), ("1h", 3_600_000), ("7d", 604_800_000)]
)
def test_durations(text: str, value: int) -> None:
    assert (parse_duration(text), show_duration(value)) == (value, text)


@pytest.mark.parametrize(
    ("text", "value"), [("7B", 7), ("900KB", 900_000), ("3MB", 3_000_000), ("3KiB", 3072), ("1MiB", 1 << 20)]
)
def test_sizes(text: str, value: int) -> None:
    assert (parse_size(text), show_size(value)) == (value, text)
    assert (parse_size(str(value)), parse_size(value)) == (value, value)


def test_the_hash_is_of_what_affects_detection() -> None:
    def digest(text: str) -> str:
        return load_text(text, "x", {}).config_hash

    assert digest(LEAST) == digest(LEAST.replace("localhost", "elsewhere") + "server: {listen: 'a:1'}\n")
    assert digest(LEAST) != digest(LEAST + "reference: {warmup: 600}\n")


def test_the_schema_is_generated_and_committed_and_agrees() -> None:
    committed = json.loads((ROOT / "schemas" / "config.v1.json").read_text())
    assert committed == json_schema(), "run: driftline config schema > schemas/config.v1.json"
    jsonschema.Draft202012Validator.check_schema(committed)
    validator = jsonschema.Draft202012Validator(committed)
    assert validator.is_valid(yaml.safe_load(LEAST))
    assert not validator.is_valid(yaml.safe_load(LEAST + "monitor: {}\n"))


def test_lint_reads_folders_and_markdown_and_says_how_many(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(LEAST)
    (tmp_path / "b.md").write_text(f"# Doc\n\n```yaml\n{LEAST}limit: 1\n```\n\n```yaml\nother: 1\n```\n")
    runner = CliRunner()
    assert runner.invoke(main, ["lint", str(tmp_path / "a.yaml")]).exit_code == 0
    whole = runner.invoke(main, ["lint", str(tmp_path)])
    assert (whole.exit_code, whole.output.splitlines()[-1]) == (1, "1 error, 0 warnings in 2 files.")
    result = runner.invoke(main, ["lint", str(tmp_path / "b.md")])
    assert result.exit_code == 1
    assert "b.md:7:1: error[unknown-field] limit: unknown field. Did you mean 'limits'?" in result.output
    result = runner.invoke(main, ["lint", "--format", "json", str(tmp_path / "b.md")])
    assert json.loads(result.output)[0]["kind"] == "unknown-field"


def test_markdown_places_are_those_in_the_file_even_within_a_list(tmp_path: Path) -> None:
    block = "".join(f"   {line}\n" for line in ["```yaml title=x", *LEAST.splitlines(), "limit: 1", "```"])
    path = tmp_path / "b.md"
    path.write_bytes(f"# Doc\n\n1. So:\n\n{block}\n~~~yml\n{LEAST}server: 1\n~~~\n".replace("\n", "\r\n").encode())
    output = CliRunner().invoke(main, ["lint", str(path)]).output
    assert "b.md:9:4: error[unknown-field] limit:" in output
    assert "b.md:16:1: error[wrong-type] server:" in output


def test_annotations_of_github_are_escaped(tmp_path: Path) -> None:
    path = tmp_path / "a,b.yaml"
    path.write_text(LEAST + "monitors: {a: {signal: 50%, detect: {kind: adwin}}}\n")
    output = CliRunner().invoke(main, ["lint", "--format", "github", str(path)]).output
    assert output.startswith("::error file=")
    assert "a%2Cb.yaml,line=4,col=16,title=bad-value::monitors.a.signal: '50%25' is not a signal." in output


def test_a_setting_nobody_knows_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(LEAST.replace("brokers:", "client: {sasl.pasword: x}, brokers:"))
    runner = CliRunner()
    result = runner.invoke(main, ["lint", str(path)])
    assert (result.exit_code, "Did you mean 'sasl.password'?" in result.output) == (0, True)
    assert runner.invoke(main, ["lint", "--deny-warnings", str(path)]).exit_code == 3


def test_run_refuses_with_78_and_starts_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("version: 2\n")
    result = CliRunner().invoke(main, ["run", "-c", str(path)])
    assert result.exit_code == 78
    assert "Nothing was started." in result.output
    missing = CliRunner().invoke(main, ["run", "-c", str(tmp_path / "none.yaml")])
    assert missing.exit_code == 78
    assert "error[unreadable]" in missing.output


@pytest.mark.parametrize("arguments", [["--help"], ["lint", "LEAST"], ["config", "schema"], ["version"]])
def test_small_verbs_import_nothing_large(arguments: list[str], tmp_path: Path) -> None:
    path = tmp_path / "least.yaml"
    path.write_text(LEAST)
    run = "try: main(sys.argv[1:])\nfinally: print(*sys.modules, file=sys.stderr)"
    code = f"import sys; from streamer.commands.cli import main\n{run}"
    chosen = [str(path) if a == "LEAST" else a for a in arguments]
    done = subprocess.run([sys.executable, "-c", code, *chosen], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(done.stderr.split())
    assert not loaded & {"river", "scipy", "confluent_kafka", "pandas"}
    if arguments == ["--help"]:
        assert not loaded & {"numpy", "pydantic", "yaml"}


def test_help_is_there_at_once() -> None:
    taken = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "streamer", "--help"], capture_output=True, check=True, cwd=ROOT)
        taken.append(time.perf_counter() - began)
    assert min(taken) < 0.3


def test_a_misspelt_verb_is_suggested() -> None:
    result = CliRunner().invoke(main, ["replya"])
    assert result.exit_code == 2
    assert "Did you mean 'replay'?" in result.output


def test_config_is_frozen() -> None:
    config = load_text(LEAST, "x", {})
    assert isinstance(config, Config)
    with pytest.raises(ValueError, match="frozen"):
        config.limits.series = 5


def test_the_standard_set_is_changed_by_name_and_defaults_are_shared() -> None:
    config = load_text(ROOT / "tests" / "configs" / "standard-changed.good.yaml", "x", {})
    found = config.effective_monitors()
    assert set(found) == set(STANDARD_MONITORS) - {"anomaly-drift"} | {"score"}
    assert found["feature-mean"].detect.shown()["delta"] == 0.0001
    assert found["feature-mean"].signal == "features.*"
    assert (found["feature-mean"].severity, found["missing"].severity) == ("info", "critical")
    assert found["latency"].detect.kind == "trend"
    assert (found["latency"].for_ms, found["anomaly-fraction"].for_ms, found["score"].for_ms) == (120_000, 180_000, 0)
    assert {m.cooldown_ms for m in found.values()} == {3_600_000}


@pytest.mark.parametrize(
    ("more", "standard"),
    [
        ("monitors: {traffic: {signal: traffic, detect: {kind: level}}}", False),
        ("standard: true\nmonitors: {traffic: {signal: traffic, detect: {kind: trend}}}", True),
        ("standard: true\nmonitors: {mine: {signal: value, detect: {kind: adwin}}}", True),
        ("monitors: {traffic: false}", True),
        ("standard: false\nmonitors: {mine: {signal: value, detect: {kind: adwin}}}", False),
        ("monitors: {}", True),
    ],
)
def test_when_the_standard_set_is_there(more: str, standard: bool) -> None:
    found = load_text(LEAST + more + "\n", "x", {}).effective_monitors()
    assert ("feature-mean" in found) is standard
    if "kind: trend" in more:
        assert found["traffic"].detect.kind == "trend"


def test_warnings_are_told_and_stop_nothing() -> None:
    told: list[str] = []
    text = LEAST.replace("}\ntopics", ", client: {fetch.wait.max.mz: 5}}\ntopics")
    assert "client" in text
    load_text(text, "x", {}, lambda problem: told.append(problem.kind))
    assert told == ["unknown-setting"]


def test_the_readme_names_the_standard_set_and_nothing_else() -> None:
    table = (ROOT / "README.md").read_text().partition("| standard monitor |")[2].partition("\n\n")[0]
    named = re.findall(r"`([a-z-]+)`", "".join(line.split("|")[1] for line in table.splitlines()[2:]))
    assert named == sorted(named, key=list(STANDARD_MONITORS).index)
    assert set(named) == set(STANDARD_MONITORS)


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
    assert (result.exit_code, result.output.splitlines()) == (
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
    assert {line.partition(" (")[2] for line in result.output.splitlines()} == {"reference, checks or the like)"}
