"""Cautions: what hardly anybody wants is a warning with its place; what is fine is not mentioned."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from detectors import DETECTORS
from detectors.reference import CLIP
from streamer.config.cautions import CAUTIONS, MONITOR_CAUTIONS
from streamer.config.cross_checks import Rule
from streamer.config.load import check
from streamer.config.problems import WARNINGS
from tests.config.samples import LEAST
from tests.config.test_cross_checks import BAD, GOOD, JUNK, MONITOR, monitors_of, raw

OUT = "kafka.example:9093"
HERE = "localhost:9092"


def warned(text: str, env: dict[str, str] | None = None) -> dict[str, str]:
    """Kinds by place."""
    _, problems = check(text.encode(), "x.yaml", env or {})
    assert {problem.severity for problem in problems} <= {"warning"}
    return {problem.path: problem.kind for problem in problems}


def kafka(brokers: str, client: str) -> str:
    return f'version: 1\nkafka: {{brokers: "{brokers}", client: {{{client}}}}}\ntopics: {{events: [inferences]}}\n'


VERIFY = "kafka.client.enable.ssl.certificate.verification"
IDENTIFY = "kafka.client.ssl.endpoint.identification.algorithm"
UNSIGNED = "kafka.client.enable.sasl.oauthbearer.unsecure.jwt"
LOGIN = "sasl.mechanisms: PLAIN, sasl.username: me, sasl.password: correct-horse"
PROTOCOL, PASSWORD = "kafka.client.security.protocol", "kafka.client.sasl.password"


@pytest.mark.parametrize("rule", [*CAUTIONS, *MONITOR_CAUTIONS], ids=lambda rule: rule.__name__)
def test_every_caution_has_a_config_that_needs_it_and_good_ones_need_none(rule: Rule) -> None:
    def found(path: Path) -> bool:
        config = raw(path.name)
        return any(list(rule(part)) for part in (monitors_of(config) if rule in MONITOR_CAUTIONS else [config]))

    assert any(map(found, BAD))
    assert not any(map(found, GOOD))


@given(MONITOR | JUNK)
def test_values_of_the_wrong_type_are_passed_over(monitor: object) -> None:
    kafka = {"brokers": monitor, "client": monitor}
    for config in ({"monitors": {"m": monitor}, "kafka": kafka, "server": {"listen": monitor}}, monitor):
        for path, kind, message, _ in (complaint for rule in CAUTIONS for complaint in rule(config)):
            assert all(isinstance(part, str | int) for part in path)
            assert (kind in WARNINGS, message[-1]) == (True, ".")


@pytest.mark.parametrize(
    ("brokers", "client", "places"),
    [
        (OUT, f"security.protocol: SASL_PLAINTEXT, {LOGIN}", {PROTOCOL}),
        (f"{HERE},{OUT}", f"security.protocol: sasl_plaintext, {LOGIN}", {PROTOCOL}),
        ("10.0.0.7:9092", f"security.protocol: SASL_PLAINTEXT, {LOGIN.replace('PLAIN', 'SCRAM-SHA-512')}", {PROTOCOL}),
        (HERE, f"security.protocol: SASL_PLAINTEXT, {LOGIN}", set()),
        ("127.0.0.2:9092, [::1]:9092,SASL_PLAINTEXT://localhost", f"security.protocol: SASL_PLAINTEXT, {LOGIN}", set()),
        (OUT, f"security.protocol: SASL_SSL, {LOGIN}", set()),
        (OUT, LOGIN, {"kafka.client.sasl.mechanisms"}),
        (OUT, f"security.protocol: SSL, {LOGIN}", {"kafka.client.sasl.mechanisms"}),
        (OUT, "ssl.ca.location: /ca.pem", {"kafka.client.ssl.ca.location"}),
        (OUT, "security.protocol: SSL, ssl.ca.location: /ca.pem", set()),
        (OUT, "security.protocol: SSL, enable.ssl.certificate.verification: false", {VERIFY}),
        (OUT, 'security.protocol: SSL, enable.ssl.certificate.verification: "False"', {VERIFY}),
        (OUT, "security.protocol: SSL, ssl.endpoint.identification.algorithm: none", {IDENTIFY}),
        (OUT, "security.protocol: SASL_SSL, enable.sasl.oauthbearer.unsecure.jwt: true", {UNSIGNED}),
        (OUT, "security.protocol: SSL, enable.ssl.certificate.verification: true", set()),
        (OUT, "security.protocol: SSL, ssl.endpoint.identification.algorithm: https", set()),
        (OUT, "", set()),
        (OUT, "debug: all", set()),
    ],
)  # fmt: skip
def test_what_others_can_read_or_pretend_is_warned_of(brokers: str, client: str, places: set[str]) -> None:
    assert warned(kafka(brokers, client)) == dict.fromkeys(places, "insecure")


@pytest.mark.parametrize(
    ("listen", "found"),
    [
        ("0.0.0.0:8080", True),
        ("[::]:8080", True),
        ("*:80", True),
        ("127.0.0.1:8080", False),
        ("localhost:0", False),
        ("10.1.2.3:8080", False),
        ("[::1]:8080", False),
    ],
)
def test_who_listens_everywhere_is_told_who_can_read(listen: str, found: bool) -> None:
    assert warned(f'{LEAST}server: {{listen: "{listen}"}}\n') == ({"server.listen": "insecure"} if found else {})
    in_a_pod = f'{LEAST}server: {{listen: "${{POD_IP}}:8080"}}\n'
    assert warned(in_a_pod, {"POD_IP": "10.1.2.3"}) == {}


@pytest.mark.parametrize("secret", ["kafka", "drift", "Password", "1234567", "driftline", "a1b", "x7-k2"])
def test_a_secret_that_is_short_or_a_word_is_warned_of_wherever_it_is_from(secret: str, tmp_path: Path) -> None:
    (tmp_path / "s").write_text(secret + "\n")
    for written in (secret, "${SECRET}", f"${{file:{tmp_path}/s}}"):
        client = f"security.protocol: SASL_SSL, sasl.username: '{secret}', sasl.password: '{written}'"
        config, problems = check(kafka(OUT, client).encode(), "x.yaml", {"SECRET": secret})
        assert config is not None
        assert [(p.path, p.kind) for p in problems] == [(PASSWORD, "weak-secret")]
        assert secret not in problems[0].message.split()
    topic = LEAST.replace("inferences", f'"${{file:{tmp_path}/s}}"')
    assert set(warned(topic).values()) == {"weak-secret"}


@pytest.mark.parametrize("secret", ["hunter2-hunter2", "p4ssw0rd", "correcthorsebatterystaple", "S3cr3t!x"])
def test_a_better_one_is_not(secret: str) -> None:
    assert warned(kafka(OUT, f"security.protocol: SASL_SSL, sasl.password: {secret}")) == {}


@pytest.mark.parametrize("text", ["$BROKERS", "a:1,$BROKER_B", "$(BROKERS)", "{{ .Values.brokers }}", "{{brokers}}"])
def test_a_variable_in_the_way_of_another_tool_is_told(text: str) -> None:
    config, [problem] = check(LEAST.replace("localhost:9092", text).encode(), "x.yaml", {})
    assert config is not None
    assert (problem.path, problem.kind) == ("kafka.brokers", "not-filled")
    assert problem.message.startswith("a variable that nobody fills in; here it is written ${BROKER")


@pytest.mark.parametrize(
    "more",
    [
        "fields: {model: /$type, caller: '/$'}\n",
        "monitors: {m: {signal: value, description: 'costs $USD', detect: {kind: adwin}}}\n",
        "checks: {label: {pattern: '^$X', allowed: [$A]}}\n",
    ],
)
def test_a_dollar_that_is_one_is_left_alone(more: str) -> None:
    assert warned(LEAST + more) == {}


def test_a_password_with_a_dollar_in_it_is_one_and_a_whole_variable_is_none() -> None:
    assert warned(kafka(OUT, "security.protocol: SASL_SSL, sasl.password: x1$ABCDEFG")) == {}
    assert warned(kafka(OUT, "security.protocol: SASL_SSL, sasl.password: $KAFKA_PASSWORD")) == {PASSWORD: "not-filled"}


def limits(signal: str, detect: str) -> dict[str, str]:
    return warned(f"{LEAST}monitors: {{m: {{signal: {signal}, detect: {{{detect}}}}}}}\n")


@pytest.mark.parametrize(
    ("signal", "detect", "key"),
    [
        ("value", f"kind: page_hinkley, delta: {CLIP}", "delta"),
        ("value", "kind: page_hinkley, delta: 2.9", ""),
        ("value", "kind: page_hinkley, delta: 40, raw: true", ""),
        ("error", "kind: page_hinkley, delta: 1", "delta"),
        ("error", "kind: page_hinkley, delta: 0.9", ""),
        ("value", "kind: page_hinkley, alpha: 0.9, threshold: 31", "threshold"),
        ("value", "kind: page_hinkley, alpha: 0.9, threshold: 29", ""),
        ("value", "kind: page_hinkley, threshold: 5000", ""),
        ("value", "kind: river, name: PageHinkley, params: {delta: 3.5}", "params.delta"),
        ("value", "kind: river, name: PageHinkley, params: {alpha: 0.99, threshold: 301}", "params.threshold"),
        ("value", "kind: river, name: KSWIN, params: {alpha: 0.001}", ""),
        ("value", "kind: distribution, distance: hellinger, max: 1", "max"),
        ("value", "kind: distribution, distance: wasserstein, max: 0.9", ""),
        ("value", "kind: distribution, max: 1.5", ""),
        ("error", "kind: share, change: 1, direction: down", "change"),
        ("error", "kind: share, change: 2, direction: up", ""),
    ],
)
def test_a_limit_that_nothing_can_reach_is_told(signal: str, detect: str, key: str) -> None:
    assert limits(signal, detect) == ({f"monitors.m.detect.{key}": "never-fires"} if key else {})


@pytest.mark.parametrize("kind", sorted(set(DETECTORS) - {"occurrence", "scan", "river"}))
def test_no_detector_is_warned_of_as_it_is_by_default(kind: str) -> None:
    assert limits("value", f"kind: {kind}") == limits("error", f"kind: {kind}") == {}


@pytest.mark.parametrize(
    "signal",
    ["features.age_[xy]", "features.{a,b}", "features.(a|b)", "features.^a", "features.a$", "features.a.+", "/a/*/b"],
)
def test_a_pattern_of_another_tool_is_no_name(signal: str) -> None:
    assert limits(f"'{signal}'", "kind: adwin") == {"monitors.m.signal": "never-fires"}


@pytest.mark.parametrize("signal", ["features.*", "features.age_*", "features.x[0]", "mean(value)", "ratio(/a, /b)"])
def test_a_star_and_a_place_in_a_list_are_fine(signal: str) -> None:
    assert limits(f"'{signal}'", "kind: level" if signal == "mean(value)" else "kind: adwin") == {}


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ("checks: {features.age_*: {min: 0}}\n", "checks.features.age_*"),
        ("exclude: [features.id, 'features.[a-z]']\n", "exclude[1]"),
        ("monitors: {m: {signal: value, by: ['segment.*'], detect: {kind: adwin}}}\n", "monitors.m.by[0]"),
        ("monitors: {m: {signal: value, model: 'a|b', detect: {kind: adwin}}}\n", "monitors.m.model"),
        ("monitors: {m: {signal: value, model: [a, 'b.+'], detect: {kind: adwin}}}\n", "monitors.m.model[1]"),
        ("calendar: {days: [{date: 2026-12-25, models: [a, '^b']}]}\n", "calendar.days[0].models[1]"),
    ],
)
def test_where_one_name_is_wanted_a_pattern_is_told(more: str, place: str) -> None:
    assert warned(LEAST + more) == {place: "never-fires"}


def test_models_may_have_stars() -> None:
    text = f"{LEAST}monitors: {{m: {{model: ['fraud-*', a], signal: value, detect: {{kind: adwin}}}}}}\n"
    assert warned(text) == {}
