"""The models of the config: every key is described and written somewhere, and what is in the hash."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel, Field

from streamer.commands.config import json_schema
from streamer.config.load import load_text
from streamer.config.model import HARMLESS, Config, Defaults, Reference
from streamer.config.types import Model
from streamer.config.yaml_source import parse
from streamer.signals.roles import ACTION, GOLDEN, OPT_OUT, REFERENCE
from tests.config.samples import CONFIGS, LEAST


def test_one_good_config_writes_every_key_there_is() -> None:
    """It is the reference by example, so a new key has to be in it."""
    written = parse((CONFIGS / "everything.good.yaml").read_bytes(), "x", {})
    keys = {path[-1] for path in written.places if path}
    made = json_schema()
    assert {key for model in [made, *made["$defs"].values()] for key in model["properties"]} <= keys


def test_every_key_is_described() -> None:
    made = json_schema()
    for model in [made, *made["$defs"].values()]:
        for key, field in model["properties"].items():
            reference = made["$defs"].get(field.get("$ref", "").rpartition("/")[2], {})
            assert field.get("description") or reference.get("description"), key


def test_config_is_frozen() -> None:
    config = load_text(LEAST, "x", {})
    assert isinstance(config, Config)
    with pytest.raises(ValueError, match="frozen"):
        config.limits.series = 5


def test_the_hash_is_of_what_affects_detection() -> None:
    def digest(text: str) -> str:
        return load_text(text, "x", {}).config_hash

    assert digest(LEAST) == digest(LEAST.replace("localhost", "elsewhere") + "server: {listen: 'a:1'}\n")
    assert digest(LEAST) != digest(LEAST + "reference: {warmup: 600}\n")


SECTIONS = [name for name in Config.model_fields if name not in HARMLESS]
WHOLE = LEAST + "monitors: {m: {signal: value, detect: {kind: adwin}}}\n"


def base(root: type[Config] = Config) -> Config:
    """A fresh one: a copy of one whose hash was asked for would remember it."""
    return root.model_validate(yaml.safe_load(WHOLE))


def least_of(model: type[BaseModel]) -> BaseModel:
    """One with its defaults; what has none is a number, or a text that fits any pointer."""
    fields = model.model_fields.items()
    needed = {name: 7 if field.annotation is int else "/x" for name, field in fields if field.is_required()}
    if needed == {"topic": "/x"}:
        return model.model_validate({"topic": "x"})
    return model.model_construct(None, **needed) if needed else model()


def types_in(annotation: Any) -> list[Any]:
    """All types that stand somewhere in an annotation."""
    return [annotation, *(found for part in get_args(annotation) for found in types_in(part))]


def any_value(annotation: Any) -> Any:
    """One that is not None: a model where the annotation has one, else a text or a number."""
    types = types_in(annotation)
    models = [found for found in types if isinstance(found, type) and issubclass(found, BaseModel)]
    if not models and any(get_origin(found) is list for found in types):
        return ["x"]
    return least_of(models[0]) if models else "x" if str in types else True if bool in types else 7


def others(value: Any, annotation: Any) -> Iterator[Any]:
    """Other values of a section or of a key in it, one for each key that can be another."""
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            for other in others(getattr(value, name), field.annotation):
                yield value.model_copy(update={name: other})
    elif isinstance(value, dict):
        yield {} if value else {"features.a": any_value(get_args(annotation)[1])}
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield value + 1
    elif isinstance(value, str):
        yield value + "x"
    elif isinstance(value, list):
        models = [found for found in types_in(annotation) if isinstance(found, type) and issubclass(found, BaseModel)]
        yield [*value, least_of(models[0]) if models else "version"]
    else:
        assert value is None
        yield any_value(annotation)


def hashes(name: str, root: type[Config] = Config) -> list[tuple[Any, str]]:
    """Each change of a section, and the hash with it."""
    changes = list(others(getattr(base(root), name), root.model_fields[name].annotation))
    return [(change, base(root).model_copy(update={name: change}).config_hash) for change in changes]


@pytest.mark.parametrize("name", SECTIONS)
def test_a_change_of_any_key_of_a_section_changes_the_hash(name: str) -> None:
    """By exclusion: a section that is not named as harmless is in it, whether anybody thought of it or not."""
    found = [(change, made) for change, made in hashes(name) if name != "reference" or change.file is None]
    assert found
    assert base().config_hash not in [made for _, made in found], "this changes detections under an equal hash"
    assert len({made for _, made in found}) == len(found), "two different configs have one hash"


@pytest.mark.parametrize("name", HARMLESS)
def test_a_change_of_a_harmless_section_does_not(name: str) -> None:
    found = [(change, made) for change, made in hashes(name) if name != "defaults" or of_records(change) == OF_RECORDS]
    assert found
    assert {made for _, made in found} == {base().config_hash}


def of_records(defaults: Defaults) -> tuple[str, int]:
    """What alerts take of them that no monitor raises."""
    return base().model_copy(update={"defaults": defaults}).alerts_of_records


OF_RECORDS = of_records(Defaults())


def test_what_alerts_of_records_take_of_the_defaults_is_in_the_hash() -> None:
    made = [made for change, made in hashes("defaults") if of_records(change) != OF_RECORDS]
    assert len({*made, base().config_hash}) == 3
    assert OF_RECORDS == ("warning", 3_600_000)
    monitor = load_text(LEAST + "monitors: {m: {signal: value, detect: {kind: adwin}}}\n", "x", {}).monitors["m"]
    assert (monitor.severity, monitor.repeat_interval_ms) == OF_RECORDS, "those that a monitor has by itself"


def test_the_name_of_a_file_of_references_is_not_in_the_hash_and_its_content_is() -> None:
    named = base().model_copy(update={"reference": Reference(file="ref.json")})
    assert named.config_hash == base().config_hash
    given = base()
    given._given_hash = "0123456789abcdef"
    assert given.config_hash != base().config_hash


class Toy(Model):
    """A section that nobody has thought of yet."""

    strength: int = Field(3, description="How much.")


class Wider(Config):
    toy: Toy = Field(Toy(), description="A section to come.")


def test_a_section_to_come_is_in_the_hash_by_itself() -> None:
    [(change, made)] = hashes("toy", Wider)
    assert change.strength == 4
    assert made != base(Wider).config_hash
    assert "toy" not in HARMLESS


def test_the_harmless_sections_are_sections() -> None:
    assert set(HARMLESS) < set(Config.model_fields)
    assert not set(HARMLESS) & {"monitors", "fields", "reference", "limits", "privacy", "probes", "feedback"}


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("", {}),
        ("feedback: {event_id: /e}\n", {ACTION: "/feedback/action", REFERENCE: "/e"}),
        ("privacy: {opt_out: /p}\nprobes: {golden: /p}\n", {OPT_OUT: "/p", GOLDEN: "/p"}),
    ],
)
def test_each_role_has_its_pointer(text: str, roles: dict[str, str]) -> None:
    found = load_text(LEAST + text, "x", {}).roles()
    assert {name: found[name] for name in found if name in (ACTION, REFERENCE, OPT_OUT, GOLDEN)} == roles


def test_topics_of_our_own_by_role() -> None:
    plain = load_text(LEAST, "x", {}).topics
    assert set(plain.own()) == {"alerts", "state", "heartbeats", "dead_letter"}
    windows = load_text(LEAST.replace("inferences]", "inferences], windows: w"), "x", {}).topics
    assert windows.own() == {**plain.own(), "windows": "w"}
    assert plain.published()["incidents"] == plain.alerts, "beside the alerts, where nothing else is said"
    assert "state" not in plain.published()
    apart = load_text(LEAST.replace("inferences]", "inferences], incidents: i"), "x", {}).topics
    own = {role: name for role, name in apart.own().items() if role != "state"}
    assert apart.published() == {**own, "control": apart.alerts}, "what became of commands is beside the alerts"
    assert apart.own()["incidents"] == "i"


def test_what_the_state_of_a_monitor_means() -> None:
    def spec(text: str) -> str:
        return load_text(f"{LEAST}monitors: {{m: {{signal: value, {text}}}}}\n", "x", {}).monitors["m"].state_spec()

    plain = spec("detect: {kind: adwin}")
    assert spec("detect: {kind: adwin, delta: 0.00002}, severity: critical, cooldown: 1h") == plain
    assert spec("detect: {kind: adwin, delta: 0.1}") != plain
    windows = [f"window: {{events: {n}}}, detect: {{kind: distribution}}" for n in (1000, 500)]
    assert spec(windows[0]) == spec("detect: {kind: distribution}") != spec(windows[1])


def test_windows_where_the_file_says_nothing() -> None:
    text = "monitors: {a: {signal: traffic, detect: {kind: level}}, b: {signal: error, detect: {kind: share}}}\n"
    found = load_text(LEAST + text, "x", {}).monitors
    assert (found["a"].aggregate_ms, found["b"].windows.events, found["b"].windows.time_ms) == (60_000, 1000, None)
