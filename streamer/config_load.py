"""From the text of a config to its model, or to every problem with its place."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from streamer import config as cfg
from streamer.problems import ConfigError, Problem, did_you_mean, in_order
from streamer.settings import SETTINGS, is_secret
from streamer.yaml_source import PathKey, Source, parse, show_path

KIND_OF = {
    "missing": "missing-field",
    "union_tag_not_found": "missing-field",
    "extra_forbidden": "unknown-field",
    "union_tag_invalid": "bad-value",
    "literal_error": "bad-value",
    "string_pattern_mismatch": "bad-value",
    "value_error": "bad-value",
}
RANGES = {
    "greater_than": ("gt", "must be > {}"),
    "greater_than_equal": ("ge", "must be >= {}"),
    "less_than": ("lt", "must be < {}"),
    "less_than_equal": ("le", "must be <= {}"),
    "too_short": ("min_length", "must have at least {}"),
    "string_too_short": ("min_length", "must have at least {} character"),
    "finite_number": ("", "must be a finite number"),
}
TYPES = {
    "int": "a whole number",
    "float": "a number",
    "string": "a text",
    "bool": "true or false",
    "list": "a list",
    "dict": "a mapping",
    "model": "a mapping",
}


def load_config(path: Path, env: Mapping[str, str]) -> cfg.Config:
    """Read and check a file. Raises ConfigError with every problem."""
    return load_text(path, str(path), env)


def load_text(text: str | Path, name: str, env: Mapping[str, str]) -> cfg.Config:
    """Check a text (or the file of a path). Raises ConfigError with every problem."""
    if isinstance(text, Path):
        try:
            data = text.read_bytes()
        except OSError as error:
            raise ConfigError([Problem(name, 1, 1, "unreadable", "", f"{error.strerror}.")]) from None
    else:
        data = text.encode()
    config, problems = check(data, name, env)
    errors = [problem for problem in problems if problem.severity == "error"]
    if config is None or errors:
        raise ConfigError(problems)
    return config


def check(
    data: bytes, name: str, env: Mapping[str, str], first_line: int = 1
) -> tuple[cfg.Config | None, list[Problem]]:
    """The config, None where it has errors, and every problem, warnings too."""
    source = parse(data, name, env, first_line)
    config = None
    if source.value is not None and source.complete:
        try:
            config = cfg.Config.model_validate(source.value)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                _report(source, detail)
        _settings(source)
    if any(problem.severity == "error" for problem in source.problems):
        return None, in_order(source.problems)
    assert config is not None
    secret = [v for k, v in config.kafka.client.items() if is_secret(k) and isinstance(v, str)]
    config._secrets = tuple(dict.fromkeys(text for text in [*source.secrets, *secret] if text))
    return config, in_order(source.problems)


def _report(source: Source, detail: ErrorDetails) -> None:
    """One problem of pydantic's in our words, at its place."""
    path, model = _locate(source.value, detail["loc"])
    kind_of_error, given = detail["type"], detail["input"]
    if any(p.path == show_path(path) and p.kind not in ("unknown-setting", "duplicate-key") for p in source.problems):
        return  # The value could not be filled in or read, or another member of a union was tried: said already.
    context = detail.get("ctx", {})
    if kind_of_error in RANGES:
        _, sentence = RANGES[kind_of_error]
        limit = next((context[k] for k in ("gt", "ge", "lt", "le", "min_length") if k in context), "")
        shown = f"{_shown(path, given)} " if isinstance(given, int | float) else ""
        source.report("out-of-range", path, f"{shown}{sentence.format(limit)}{_default(model, path)}.")
    elif kind_of_error == "missing":
        source.report("missing-field", path, "is needed and has no default.")
    elif kind_of_error == "union_tag_not_found":
        source.report("missing-field", (*path, "kind"), "is needed: adwin, page_hinkley, river or fraction.")
    elif kind_of_error == "extra_forbidden":
        source.report("unknown-field", path, f"unknown field.{did_you_mean(str(path[-1]), _names(model))}")
    elif kind_of_error == "union_tag_invalid":
        tags = [t.strip().strip("'") for t in str(context["expected_tags"]).split(",")]
        source.report(
            "bad-value", (*path, "kind"), f"{context['tag']!r} is no detector.{did_you_mean(context['tag'], tags)}"
        )
    elif kind_of_error == "literal_error":
        if str(given) in str(context["expected"]):
            source.report("wrong-type", path, f"must be {given} without quotes.")
            return
        known = [part.strip(" '") for part in str(context["expected"]).replace(" or ", ",").split(",")]
        source.report("bad-value", path, f"{_shown(path, given)} is not one of them.{did_you_mean(str(given), known)}")
    elif kind_of_error == "string_pattern_mismatch":
        name = path[-1] if detail["loc"][-1] == "[key]" else given
        source.report("bad-value", path, f"{_shown(path, name)} does not match {context['pattern']}.")
    elif kind_of_error == "value_error":
        _sentence(source, path, str(context["error"]))
    else:
        wanted = TYPES.get(kind_of_error.partition("_")[0], "another type")
        wanted = "a plain value" if detail["loc"][-1] in UNION_PARTS else wanted
        source.report("wrong-type", path, f"must be {wanted}, not {_shown(path, given)}.")


def _sentence(source: Source, path: PathKey, text: str) -> None:
    """A rule over several keys names the one it is about as `key: ...`, so the problem stands there."""
    head, colon, rest = text.partition(": ")
    if colon and head.replace("_", "").isalpha():
        setting = rest.split("'")[1] if head == "client" else None
        path, text = (*path, head, *([setting] if setting else [])), rest
    source.report(
        "reserved" if "the service's own" in text else "bad-value",
        path,
        text.rstrip(".") + "." if "?" not in text[-2:] else text,
    )


def _locate(value: Any, loc: tuple[int | str, ...]) -> tuple[PathKey, type[BaseModel] | None]:
    """The key path of a pydantic location, which also names union members, and the model the last key is in."""
    path: list[int | str] = []
    model: type[BaseModel] | None = cfg.Config
    owner: type[BaseModel] | None = cfg.Config
    for position, part in enumerate(loc):
        last = position == len(loc) - 1
        if isinstance(value, list) and isinstance(part, int):
            path.append(part)
            value = value[part] if part < len(value) else None
        elif part == "[key]" or part in UNION_PARTS or _member(model, str(part)) is not None:
            model = _member(model, str(part)) or model
        elif isinstance(value, dict) and (part in value or last):
            owner, model = model, _below(model, str(part))
            path.append(part)
            value = value.get(part)
    return tuple(path), owner


UNION_PARTS = {"str", "int", "float", "bool"}
"""pydantic names the members of a plain union in its locations; they are no keys."""


def _field(model: type[BaseModel] | None, key: str) -> Any:
    for name, field in (model.model_fields if model else {}).items():
        if (field.alias or name) == key:
            return field
    return None


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models an annotation can be, in order."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for part in typing.get_args(annotation) for m in _models(part)]


def _below(model: type[BaseModel] | None, key: str) -> Any:
    field = _field(model, key)
    if field is None:
        return model  # A name in a mapping of named things: the model of its values was taken already.
    found = _models(field.annotation)
    return found[0] if len(found) == 1 else _Union(found) if found else None


class _Union:
    """Stands for a tagged union until the location names its member."""

    model_fields: typing.ClassVar[dict[str, Any]] = {}

    def __init__(self, members: list[type[BaseModel]]) -> None:
        self.members = members


def _member(model: Any, tag: str) -> Any:
    if not isinstance(model, _Union):
        return None
    for member in model.members:
        if typing.get_args(member.model_fields["kind"].annotation) == (tag,):
            return member
    return None


def _names(model: Any) -> list[str]:
    return [field.alias or name for name, field in (model.model_fields if model else {}).items()]


def _default(model: Any, path: PathKey) -> str:
    field = _field(model, str(path[-1])) if path else None
    return "" if field is None or field.is_required() or field.default is None else f" (default {field.default})"


def _shown(path: PathKey, value: Any) -> str:
    """A value as an error may show it: short, and never one that may be a secret."""
    if path[:2] == ("kafka", "client"):
        return "***"
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _settings(source: Source) -> None:
    """Warn about librdkafka settings nobody has heard of: a misspelt one surfaces as something else at run time."""
    kafka = source.value.get("kafka")
    client = kafka.get("client") if isinstance(kafka, dict) else None
    for name in client if isinstance(client, dict) else ():
        if name not in SETTINGS and name not in cfg.RESERVED:
            message = f"not a librdkafka setting Driftline knows.{did_you_mean(name, SETTINGS)}"
            source.report("unknown-setting", ("kafka", "client", name), message)
