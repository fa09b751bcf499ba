"""From the text of a config to its model, or to every problem with its place."""

from __future__ import annotations

import hashlib
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, BeforeValidator, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from streamer.config import model as cfg
from streamer.config.cautions import CAUTIONS
from streamer.config.client_rules import CLIENT_RULES
from streamer.config.codes import CODE_RULES, as_written
from streamer.config.cross_checks import RULES, check_rules
from streamer.config.detect import DETECTS
from streamer.config.embedding_rules import EMBEDDING_RULES
from streamer.config.foreign_words import KINDS, VALUES, instead_of, instead_of_key
from streamer.config.label_checks import LABEL_RULES
from streamer.config.librdkafka_settings import CLIENT, HIDDEN, Secret, is_secret, may_show
from streamer.config.mapping_rules import MAPPING_RULES
from streamer.config.monitor import Defaults, Monitor
from streamer.config.order import ORDER_CAUTIONS, ORDER_RULES
from streamer.config.peer_checks import PEER_RULES
from streamer.config.problems import ConfigError, Problem, did_you_mean, in_order, quoted
from streamer.config.reference_file import References
from streamer.config.right_form import MAPPINGS, WORDS, in_percent, instead_of_type
from streamer.config.server_rules import SERVER_RULES
from streamer.config.side_rules import SIDE_RULES
from streamer.config.standard import STANDARD, resolved
from streamer.config.units import parse_duration, parse_size, show_duration, show_size
from streamer.config.yaml_source import PASSWORDS, PathKey, Source, parse


class Wrong(NamedTuple):
    """One error of pydantic's: its key path, the model the last key is in, the value, and the value as text."""

    detail: ErrorDetails
    path: PathKey
    model: Any
    given: Any
    shown: str


Root = TypeVar("Root", bound=BaseModel)

Said = tuple[PathKey, str, str]
"""Path, kind, message."""

LIMITS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
TYPES = {
    "int": "a whole number",
    "float": "a number",
    "string": "a text",
    "bool": "true or false",
    "list": "a list",
    "dict": "a mapping",
    "model": "a mapping",
}
UNION_PARTS = {"str", "int", "float", "bool"}
"""pydantic names the members of a plain union in its locations; they are no keys."""


def load_config(path: Path, env: Mapping[str, str], warn: Callable[[Problem], None] = lambda _: None) -> cfg.Config:
    """Read and check a file. Raises ConfigError with every problem; warnings alone are told to `warn`."""
    return load_text(path, str(path), env, warn)


def load_text(
    text: str | Path, name: str, env: Mapping[str, str], warn: Callable[[Problem], None] = lambda _: None
) -> cfg.Config:
    """Check a text (or the file of a path). As `load_config`."""
    if isinstance(text, Path):
        try:
            data = text.read_bytes()
        except OSError as error:
            raise ConfigError([Problem(name, 1, 1, "unreadable", "", f"{error.strerror}.")]) from None
    else:
        data = text.encode()
    config, problems = check(data, name, env, folder=text.parent if isinstance(text, Path) else None)
    if config is None:
        raise ConfigError(problems)
    for problem in problems:
        warn(problem)
    return config


def check(
    data: bytes, name: str, env: Mapping[str, str], first_line: int = 1, indent: int = 0, folder: Path | None = None
) -> tuple[cfg.Config | None, list[Problem]]:
    """The config, None where it has errors, and every problem, warnings too.

    `first_line` and `indent` say where the text was cut out of `name`, so that places are those in the whole file.
    """
    source = parse(data, name, env, first_line, indent)
    source.folder = folder
    return build(source), in_order(source.problems)


def build(source: Source) -> cfg.Config | None:
    """The config of a parsed text, None where it has errors; they are in the source."""
    config = None
    if source.value is not None and source.complete:
        as_written(source)
        source.value = resolved(source.value, filled=_fits(cfg.Defaults, source.value))
        config = validated(source, cfg.Config)
        rules = (*RULES, *CODE_RULES, *EMBEDDING_RULES, *LABEL_RULES, *MAPPING_RULES, *ORDER_RULES, *PEER_RULES)
        rules = (*rules, *CLIENT_RULES, *SERVER_RULES, *SIDE_RULES)
        check_rules(source, (*rules, *CAUTIONS, *ORDER_CAUTIONS))
    if config is not None and config.reference.file is not None:
        _read_references(source, config, config.reference.file)
    if config is None or any(problem.severity == "error" for problem in source.problems):
        return None
    _seal(config, source)
    return config


def _read_references(source: Source, config: cfg.Config, name: str) -> None:
    """The file of references, beside the config; its content belongs to the config from here on."""
    try:
        data = ((source.folder or Path(source.file).parent) / name).read_bytes()
        config._given = References.model_validate_json(data)
        config._given_hash = hashlib.sha256(data).hexdigest()[:16]
    except OSError as error:
        message = f"{quoted(name)}: {error.strerror}; it is looked for from the folder of the config on."
        source.report("unreadable", ("reference", "file"), message)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        message = f"is no file of `driftline reference build`: {place}: {first['msg']}."
        source.report("bad-value", ("reference", "file"), message)


def _fits(model: type[BaseModel], value: Any) -> bool:
    try:
        model.model_validate(value.get("defaults", {}) if isinstance(value, dict) else {})
    except ValidationError:
        return False
    return True


def validated(source: Source, root: type[Root]) -> Root | None:
    """What was parsed as a model; None, and every problem in the source, where it does not fit."""
    try:
        return root.model_validate(source.value)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            _report(source, detail, root)
    return None


def _seal(config: cfg.Config, source: Source) -> None:
    """Remember the file, and what must never be shown, and make every repr hide it: pydantic hands back plain texts."""
    config._file = source.file
    client = config.kafka.client
    passwords = [value for name, value in client.items() if is_secret(name) and isinstance(value, str)]
    config._secrets = tuple(dict.fromkeys(str(text) for text in [*source.secrets, *passwords] if text))
    config._hidden = tuple(sorted(source.hidden, key=str))
    paths = [(*CLIENT, name) for name in client if not may_show(name)] + list(source.hidden)
    for path in paths:
        owner: Any = config
        for part in path[:-1]:
            owner = getattr(owner, _name_of(type(owner), str(part))) if isinstance(owner, BaseModel) else owner[part]
        last: Any = path[-1]
        if isinstance(owner, BaseModel):
            owner, last = owner.__dict__, _name_of(type(owner), str(last))
        owner[last] = Secret(owner[last]) if isinstance(owner[last], str) else owner[last]


def _report(source: Source, detail: ErrorDetails, root: type[BaseModel]) -> None:
    """One problem of pydantic's in our words, at its place."""
    path, model = _locate(source.value, detail["loc"], root)
    given = detail["input"]
    shown = HIDDEN if source.is_hidden(path) and not isinstance(given, dict | list) else quoted(given)
    path, kind, message = SENTENCES.get(detail["type"], _type)(Wrong(detail, path, model, given, shown))
    if path in source.broken:
        return  # The value could not be filled in or read: said already.
    if kind == "bad-value" and source.is_hidden(path):
        field = _fields(model).get(_name_of(model, str(path[-1]))) if path in PASSWORDS else None
        wanted = f" It is: {field.description}" if field is not None else ""  # Not what the value is like.
        message = f"{HIDDEN} is not accepted here.{wanted}"
    source.report(kind, path, message)


def _missing(wrong: Wrong) -> Said:
    hint = MAPPINGS.get(str(wrong.path[-1]), "")
    return wrong.path, "missing-field", f"is needed and has no default.{hint and f' {hint}'}"


def _keys(model: type[BaseModel] | None) -> list[str]:
    return [field.alias or name for name, field in _fields(model).items()]


def _unknown(wrong: Wrong) -> Said:
    names = _keys(wrong.model)
    owner, key = str(wrong.path[-2]) if len(wrong.path) > 1 else "", str(wrong.path[-1])
    told = instead_of_key(owner, key, names)
    if not owner and key in _keys(Monitor) and (key in _keys(Defaults) or not told.startswith(" Here")):
        every = f", or for all of them to defaults: {{{key}: ...}}" if key in _keys(Defaults) else ""
        told = f" It belongs to a monitor{every}."
    if wrong.model is Monitor and not told.startswith(" Here") and any(key in m.model_fields for m in DETECTS.values()):
        within = "kind: ..." if key == "kind" else f"kind: ..., {key}: ..."
        told = f" It belongs to detect: {{{within}}}."
    return wrong.path, "unknown-field", f"unknown field.{told}"


def _no_kind(wrong: Wrong) -> Said:
    given = wrong.given if isinstance(wrong.given, dict) else {}
    named = next((name for name in given if name in DETECTS), None)  # As in detect: {adwin: {delta: 0.1}}.
    keys = "".join(f", {key}: ..." for key in given[named]) if named and isinstance(given[named], dict) else ""
    told = f" Write detect: {{kind: {named}{keys}}}." if named else did_you_mean("", DETECTS)
    return (*wrong.path, "kind"), "missing-field", f"is needed.{told}"


def _bad_kind(wrong: Wrong) -> Said:
    path, kind = (*wrong.path, "kind"), wrong.given["kind"]
    if not isinstance(kind, str):
        return path, "wrong-type", f"must be a text, not {quoted(kind)}."
    told, near, known = instead_of(KINDS, kind), did_you_mean(kind, DETECTS), did_you_mean("", DETECTS)
    near = f" Here it is {told}." if told else f"{near}{known if near != known else ''}"
    return path, "bad-value", f"{quoted(kind)} is no detector.{near}"


def _literal(wrong: Wrong) -> Said:
    expected = wrong.detail["ctx"]["expected"].replace(" or ", ",").split(",")
    known = [part.strip(" '") for part in expected]
    told = instead_of(VALUES, str(wrong.given))
    near = f" Did you mean {told!r}?" if told in known else did_you_mean(str(wrong.given), known)
    every = did_you_mean("", known)
    return wrong.path, "bad-value", f"{wrong.shown} is not one of them.{near}{every if near != every else ''}"


def _pattern(wrong: Wrong) -> Said:
    shown = quoted(wrong.path[-1]) if wrong.detail["loc"][-1] == "[key]" else wrong.shown
    pattern = wrong.detail["ctx"]["pattern"]
    return wrong.path, "bad-value", f"{shown} {WORDS.get(pattern) or f'does not match {pattern}'}."


def _refused(wrong: Wrong) -> Said:
    text = str(wrong.detail["ctx"]["error"])
    return wrong.path, "bad-value", text if text.endswith((".", "?")) else f"{text}."


def _empty(wrong: Wrong) -> Said:
    return wrong.path, "bad-value", "must not be empty."


def _range(wrong: Wrong) -> Said:
    """`2.0 must be > 0 and < 1 (default 0.002).`"""
    field = _fields(wrong.model).get(_name_of(wrong.model, str(wrong.path[-1])))
    metadata = list(_metadata(field))
    converters = [part.func for part in metadata if isinstance(part, BeforeValidator)]
    show = next((UNITS[convert] for convert in converters if convert in UNITS), _number)
    limits = [f"{sign} {show(getattr(part, n))}" for n, sign in LIMITS.items() for part in metadata if hasattr(part, n)]
    limits += ["finite"] if wrong.detail["type"] == "finite_number" else []
    default = "" if field is None or field.is_required() or field.default is None else f" (default {field.default})"
    given = wrong.shown
    if show is not _number and given != HIDDEN:  # Some limits see the text of the file, some what it was made into.
        given = wrong.given if isinstance(wrong.given, str) else show(wrong.given)
    percent = "" if given == HIDDEN else in_percent(str(wrong.path[-1]), wrong.given)
    return wrong.path, "out-of-range", f"{given} must be {' and '.join(limits)}{default}.{percent}"


def _type(wrong: Wrong) -> Said:
    wanted = TYPES.get(wrong.detail["type"].partition("_")[0], "another type")
    if wrong.detail["loc"][-1] in UNION_PARTS:
        return wrong.path, "wrong-type", f"must be a text, a number, true or false, not {wrong.shown}."
    hint = "" if wrong.shown == HIDDEN else _right_form(wrong)
    return wrong.path, "wrong-type", f"must be {wanted}, not {wrong.shown}.{hint}"


def _right_form(wrong: Wrong) -> str:
    """What to write instead."""
    if wrong.path[:1] == ("monitors",) and len(wrong.path) == 2 and wrong.given is False:
        return f" Only one of the standard set is taken away so.{did_you_mean(str(wrong.path[1]), STANDARD)}"
    wanted = wrong.detail["type"].partition("_")[0]
    below = _below(wrong.model, str(wrong.path[-1])) if wrong.path else None
    below = Monitor if wrong.path[:-1] == ("monitors",) else below
    return instead_of_type(wanted, wrong.path, wrong.given, _keys(below))


def _not_finite(wrong: Wrong) -> Said:
    return _type(wrong) if wrong.detail["loc"][-1] in UNION_PARTS else _range(wrong)


SENTENCES: dict[str, Callable[[Wrong], Said]] = {
    "missing": _missing,
    "extra_forbidden": _unknown,
    "union_tag_not_found": _no_kind,
    "union_tag_invalid": _bad_kind,
    "literal_error": _literal,
    "string_pattern_mismatch": _pattern,
    "value_error": _refused,
    "too_short": _empty,
    "string_too_short": _empty,
    "greater_than": _range,
    "greater_than_equal": _range,
    "less_than": _range,
    "less_than_equal": _range,
    "finite_number": _not_finite,
}
"""By pydantic's name of the error; what is not here is a wrong type."""
UNITS: dict[Any, Callable[[Any], str]] = {parse_duration: show_duration, parse_size: show_size}


def _number(value: Any) -> str:
    """`100000`, not `100000.0` nor `1e+05`."""
    return str(int(value)) if value == int(value) else str(value)


def _metadata(annotation: Any) -> Iterator[Any]:
    """The constraints of a field, also those within `X | None`."""
    if isinstance(annotation, FieldInfo):
        yield from annotation.metadata
        yield from _metadata(annotation.annotation)
    elif hasattr(annotation, "__metadata__"):
        for part in annotation.__metadata__:
            yield from _metadata(part) if isinstance(part, FieldInfo) else (part,)
    for part in typing.get_args(annotation):
        if hasattr(part, "__metadata__"):
            yield from _metadata(part)


def _locate(value: Any, loc: tuple[int | str, ...], root: type[BaseModel]) -> tuple[PathKey, type[BaseModel] | None]:
    """The key path of a pydantic location, which also names union members, and the model the last key is in."""
    path: list[int | str] = []
    model: type[BaseModel] | None = root
    owner: type[BaseModel] | None = root
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


def _fields(model: Any) -> dict[str, FieldInfo]:
    return model.model_fields if model else {}


def _name_of(model: Any, key: str) -> str:
    """The attribute a key of the file becomes; empty when the model has no such key."""
    return next((name for name, field in _fields(model).items() if (field.alias or name) == key), "")


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models an annotation can be, in order."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for part in typing.get_args(annotation) for m in _models(part)]


def _below(model: type[BaseModel] | None, key: str) -> Any:
    field = _fields(model).get(_name_of(model, key))
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
