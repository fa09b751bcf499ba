"""No secret in any message, repr or output, whatever is wrong with the config around it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from streamer.commands.cli import main
from streamer.config.effective import as_yaml, effective
from streamer.config.load import check, load_text
from streamer.config.problems import ConfigError
from streamer.config.secrets import is_weak, pattern_of
from streamer.config.yaml_source import FILE_MAX, Source
from tests.config.samples import LEAST

HEAD = 'version: 1\nkafka: {{brokers: "localhost:9092"{kafka}}}\ntopics: {{events: [inferences]}}\n'
BLOCK = "version: 1\nkafka:\n  brokers: a\n  client:\n    sasl.password: {text}\ntopics: {{events: [x]}}\n"
SECRET = "hunter2'\\\"x"
"""With characters that a repr writes differently."""
SHORT = "xy7"
"""Too short to be masked wherever it occurs: its place has to hide it."""


@pytest.fixture(params=[SECRET, SHORT])
def secret(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def named(tmp_path: Path, secret: str) -> str:
    """`${file:...}` of a file that holds the secret."""
    path = tmp_path / "s"
    path.write_text(secret + "\n")
    return f"${{file:{path}}}"


def monitor(text: str) -> str:
    return HEAD.format(kafka="") + f"monitors: {{a: {text}}}\n"


WRONG_PLACES = [
    # Configs with a secret (NAMED) where it is refused, for every kind of refusal.
    HEAD.format(kafka="") + 'reference: {warmup: "NAMED"}\n',
    HEAD.format(kafka="") + 'limits: {message_bytes: "NAMED", lateness: "NAMED"}\n',
    HEAD.format(kafka="") + 'server: {listen: "NAMED"}\n',
    HEAD.format(kafka="") + 'fields: {model: "NAMED", features: "xNAMED"}\n',
    HEAD.format(kafka="") + 'anomaly: {score: "NAMED", score_max: "NAMED"}\n',
    HEAD.format(kafka=', group: "NAMED:", start: "NAMED"'),
    HEAD.format(kafka=', client: {linger.ms: ["NAMED"], group.id: "NAMED"}'),
    HEAD.format(kafka="").replace("inferences", '"NAMED:", "NAMED:"'),
    HEAD.format(kafka="").replace("version: 1", 'version: "NAMED"'),
    monitor('{signal: "NAMED", detect: {kind: "NAMED"}, severity: "NAMED"}'),
    monitor('{signal: value, by: ["NAMED", "NAMED"], detect: {kind: river, name: "NAMED"}}'),
    monitor('{signal: value, detect: {kind: river, name: KSWIN, params: {seed: "NAMED"}}}'),
    monitor('{signal: "score.NAMED", detect: {kind: fraction, max: 0.1}}'),
    monitor('{signal: value, by: ["segment.NAMED", "segment.NAMED"], detect: {kind: adwin}}'),
]


@pytest.mark.parametrize("text", WRONG_PLACES)
def test_no_message_repeats_what_came_from_a_file(text: str, named: str, secret: str) -> None:
    config, problems = check(text.replace("NAMED", named).encode(), "f.yaml", {})
    assert config is None
    for problem in problems:
        assert secret not in problem.message
        assert secret not in repr(problem).encode().decode("unicode_escape")


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ("KSWINN", monitor('{signal: value, detect: {kind: river, name: "NAMED"}}')),
        ("adwinn", monitor('{signal: value, detect: {kind: "NAMED"}}')),
        ("confidense", monitor('{signal: "NAMED", detect: {kind: adwin}}')),
        ("lates", HEAD.format(kafka=', start: "NAMED"')),
    ],
)
def test_no_message_says_what_a_secret_is_near_to(text: str, named: str, secret: str) -> None:
    _, problems = check(text.replace("NAMED", named).encode(), "x.yaml", {})
    assert [p.message for p in problems if p.severity == "error"] == ["*** is not accepted here."]
    assert not any(secret in p.message for p in problems)


def test_the_second_line_of_defence_knows_the_forms_of_a_secret() -> None:
    source = Source("x", {}, secrets=[SECRET, "hunter2", SHORT])
    assert source.masked(f"{SECRET} {SECRET!r} hunter2s any7xy7") == "*** '***' ***s any7xy7"


@pytest.mark.parametrize(
    "text",
    ["*hunter2", "!hunter2", "!hunter2!x y", "&hunter2 [&hunter2 x]", "[hunter2]", "{hunter2: 1}", "${hunter2!}"],
)
def test_no_message_repeats_a_password_that_is_not_quoted_well(text: str) -> None:
    config, problems = check(BLOCK.format(text=text).encode(), "x.yaml", {})
    assert config is None
    assert problems
    assert "hunter2" not in str(ConfigError(problems))


def test_show_and_repr_hide_by_name_and_by_origin(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    named = f"${{file:{tmp_path}/secret}}"
    client = {"sasl.password": SECRET, "ssl.key.pem": "s3cr3t", "sasl.pasword": "0wn3d", "linger.ms": 5}
    text = HEAD.format(
        kafka=f', client: {{sasl.password: "{named}", ssl.key.pem: s3cr3t, sasl.pasword: 0wn3d, linger.ms: 5}}'
    )
    text += f'monitors: {{a: {{signal: value, description: "{named}", detect: {{kind: adwin}}}}}}\n'
    config = load_text(text, "x.yaml", {})
    assert config.kafka.client == client
    assert config.monitors["a"].description == SECRET
    shown = [repr(config), str(config), repr(config.kafka), repr(config.monitors), as_yaml(effective(config))]
    assert not any(word in text for word in ("hunter2", "s3cr3t", "0wn3d") for text in shown)
    assert effective(config)["kafka"]["client"]["linger.ms"] == 5
    assert set(config.secrets()) == {SECRET, "s3cr3t"}

    path = tmp_path / "drift.yaml"
    path.write_text(text)
    result = CliRunner().invoke(main, ["config", "show", "-c", str(path)])
    assert (result.exit_code, result.output.count("***")) == (0, 4)
    assert not any(word in result.output for word in ("hunter2", "s3cr3t", "0wn3d"))


@pytest.mark.parametrize("text", ["0123", "null", "true", "1e3", "~"])
def test_a_password_stays_the_text_it_is(text: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(text + "\r\n")
    for written in (text, "${PASSWORD}", f"${{file:{tmp_path}/secret}}"):
        loaded = load_text(BLOCK.format(text=written), "x.yaml", {"PASSWORD": text})
        assert loaded.kafka.client == {"sasl.password": text}


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "is empty"), (b"\n", "is empty"), (b"\xff", "not UTF-8 text"), (b"x" * (FILE_MAX + 1), "has more than")],
)
def test_a_secret_file_that_holds_no_secret_is_unreadable(content: bytes, why: str, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    _, problems = check(BLOCK.format(text=f"${{file:{path}}}").encode(), "x.yaml", {})
    assert [p.kind for p in problems] == ["unreadable"]
    assert why in problems[0].message


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
    ("text", "weak"),
    [
        ("drift", True),
        ("Password", True),
        ("driftline", True),
        ("12345678", True),
        ("a1-b", True),
        ("hunter2", False),
        ("drift-line", False),
        ("correcthorsebatterystaple", False),
        ("1234567890123456", False),
    ],
)
def test_what_may_occur_by_chance_is_weak(text: str, weak: bool) -> None:
    assert is_weak(text) is weak


def test_a_weak_secret_is_masked_where_it_stands_alone_and_a_strong_one_everywhere() -> None:
    found = pattern_of([("drift", True), ("hunter2", False), ("drift-hunter2", False), ("", True)])
    assert found is not None

    def masked(text: str) -> str:
        return found.sub("***", text)

    for text in ("driftline", "drift-alerts", "adrift", "kafka.drift", "drift_1", "drift.example:9092", "Drift"):
        assert masked(text) == text
    for text in (
        "drift",
        "user drift: refused",
        "'drift'",
        "said drift.",
        "user=drift",
        "/drift/",
        "\\ndrift",
        "(drift)",
    ):
        assert masked(text) == text.replace("drift", "***")
    assert masked("xhunter2y drift-hunter2 ahunter2") == "x***y *** a***"
    assert pattern_of([]) is None
