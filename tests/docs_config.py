"""The reference of the config as Markdown, from its models and from the code that reads them; see `docs.py`."""

from __future__ import annotations

import ast
import json
import types
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import yaml
from pydantic import BaseModel, PlainSerializer
from pydantic.fields import FieldInfo

from streamer.config import types as config_types
from streamer.config.model import Config
from streamer.config.standard import STANDARD
from tests.markdown import code, table

STREAMER = Path(__file__).parent.parent / "streamer"


class Place(NamedTuple):
    """A model of the config and where in the file it stands."""

    path: str
    model: type[BaseModel]
    whole: tuple[str, ...] = ()  # the files that read the mapping that it is of


def parts_of(hint: Any) -> Iterator[Any]:
    """A type and all that it is put together from."""
    yield hint
    for part in get_args(hint):
        yield from parts_of(part)


def models_of(hint: Any) -> list[type[BaseModel]]:
    return [part for part in parts_of(hint) if isinstance(part, type) and issubclass(part, BaseModel)]


def metadata_of(hint: Any) -> Iterator[Any]:
    """What `Annotated` says of a value: of alternatives that of each, but not of what a list or a mapping holds."""
    if get_origin(hint) is Annotated:
        for note in hint.__metadata__:
            yield from note.metadata if isinstance(note, FieldInfo) else [note]
        yield from metadata_of(hint.__origin__)
    elif get_origin(hint) in (Union, types.UnionType):
        for part in get_args(hint):
            yield from metadata_of(part)


WORDS = {bool: "true or false", int: "whole number", float: "number", str: "text", Any: "any value"}
NAMED = {
    # Types of `streamer/config/types.py` that say more than the text they are written as.
    "Duration": "duration",
    "Size": "size",
    "Pointer": "JSON Pointer",
    "SignalText": "signal",
    "ByText": "field",
    "Date": "date",
    "Listen": "HOST:PORT",
}


def named(hint: Any) -> str | None:
    """The word for a type that has one."""
    for name, word in NAMED.items():
        known = getattr(config_types, name)
        if get_origin(hint) is Annotated and hint.__metadata__[: len(known.__metadata__)] == known.__metadata__:
            return word
    return None


def words(hint: Any) -> str:
    """A type as a person would call it."""
    origin, args = get_origin(hint), get_args(hint)
    if word := named(hint):
        return word
    if origin is Annotated:
        return words(hint.__origin__)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(words(part) for part in args if part is not types.NoneType))
    if origin is Literal:
        return ", ".join(code(json.dumps(value) if isinstance(value, bool) else value) for value in args)
    if origin is list:
        return f"list of {words(args[0])}"
    return "mapping" if origin is dict or models_of(hint) else WORDS[hint]


def limits(hint: Any, field: FieldInfo) -> str:
    """The bounds of a value, in the unit it is written in."""
    notes = [*metadata_of(hint), *field.metadata]
    unit = next((note.func for note in notes if isinstance(note, PlainSerializer)), str)
    signs = (("gt", ">"), ("ge", ">="), ("lt", "<"), ("le", "<="))
    found = [(sign, getattr(note, name, None)) for name, sign in signs for note in notes]
    bounds = [code(f"{sign} {unit(value)}") for sign, value in found if value is not None]
    least = ["not empty" for note in notes if getattr(note, "min_length", None)]
    return ", ".join(dict.fromkeys([*bounds, *least]))


def default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return ""
    if isinstance(value, str):
        return code(value)
    return "none" if value is None else code(json.dumps(value))


def rows(place: Place, shown: bool) -> Iterator[tuple[str, ...]]:
    """The keys of a mapping; `shown` with the files that read them."""
    hints = get_type_hints(place.model, include_extras=True)
    for name, field in place.model.model_fields.items():
        if place.path == "detect" and name == "kind":
            continue
        key = code(".".join(filter(None, (place.path, field.alias or name))))
        row = key, words(hints[name]), default(field), limits(hints[name], field), field.description or ""
        yield (*row, ", ".join(map(code, readers(place, name)))) if shown else row


def config_reference() -> str:
    """Every key, a table per mapping; of `detect` one per kind."""
    hints = get_type_hints(Config, include_extras=True)
    top = [(row[0], *row[2:3], row[4]) for row in rows(Place("", Config), False)]
    parts = ["### The file", table("key, default, meaning", top)]
    for name, field in Config.model_fields.items():
        for model in models_of(hints[name]):
            path = f"{name}.NAME" if get_origin(strip(hints[name])) is dict else name
            parts += [f"### {name}", *below(Place(path, model), field.description or "")]
    return "\n\n".join(parts)


def strip(hint: Any) -> Any:
    return hint.__origin__ if get_origin(hint) is Annotated else hint


def below(place: Place, said: str) -> Iterator[str]:
    """The table of one mapping, and those of the mappings in it."""
    yield said
    yield table("key, type, default, limits, meaning, read in `streamer/`", rows(place, True))
    for name, hint in get_type_hints(place.model, include_extras=True).items():
        models = models_of(hint) if name in place.model.model_fields else []
        for model in models:
            if len(models) == 1:
                yield from (f"#### {name}", (model.__doc__ or "").strip())
                yield table(
                    "key, type, default, limits, meaning, read in `streamer/`",
                    rows(Place(name, model, tuple(readers(place, name))), True),
                )
            else:
                kind = model.model_fields["kind"]
                yield f"#### `{name}: {{kind: {get_args(kind.annotation)[0]}}}`"
                yield f"{(model.__doc__ or '').strip()} {kind.description}"
                yield table("key, type, default, limits, meaning", rows(Place(name, model), False))


CONFIGS = ("config", "loaded", "c")
"""What a whole config is called where it is read; one of its monitors is a MONITORS."""
MONITORS = ("config", "monitor", "m")
HINTS = ("offline/absent.py", "config/continuity.py", "commands/")
"""Where a key is only spoken of, as long as others read it."""


def last(node: ast.AST | None) -> str:
    """`c` of `a.b.c`."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


@cache
def sections() -> dict[str, str]:
    """By the name of a model the mapping that it is of."""
    hints = get_type_hints(Config, include_extras=True)
    top = {model.__name__: name for name in Config.model_fields for model in models_of(hints[name])}
    inner = {
        model.__name__: name
        for place in [model for name in Config.model_fields for model in models_of(hints[name])]
        for name, hint in get_type_hints(place, include_extras=True).items()
        for model in models_of(hint)
    }
    return inner | top


@cache
def reads() -> dict[tuple[str, ...], set[str]]:
    """Key paths of the config as the code names them, and the files of the service that read them."""
    found: dict[tuple[str, ...], set[str]] = {}
    for path in sorted(STREAMER.rglob("*.py")):
        file = path.relative_to(STREAMER).as_posix()
        nodes = list(ast.walk(ast.parse(path.read_text())))
        own = dict(name for node in nodes for name in stand_ins(node))
        for node in nodes if not file.startswith("config/model") else ():
            for key in keys_of(node, own):
                found.setdefault(key, set()).add(file)
    return found


def stand_ins(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Names that stand for a section, and which: `names = self.config.topics`, or an argument that says it is one."""
    if isinstance(node, ast.Assign):
        targets, values = node.targets[0], node.value
        pairs = zip(targets.elts, values.elts, strict=False) if both_tuples(targets, values) else [(targets, values)]
        yield from ((last(target), last(value)) for target, value in pairs if last(value) in sections().values())
    if isinstance(node, ast.For | ast.comprehension) and last(node.iter) in sections().values():
        yield last(node.target), last(node.iter)
    if isinstance(node, ast.arg) and (section := sections().get(last(node.annotation))) is not None:
        yield node.arg, section


def both_tuples(one: Any, other: Any) -> bool:
    return isinstance(one, ast.Tuple) and isinstance(other, ast.Tuple)


def keys_of(node: ast.AST, own: dict[str, str]) -> Iterator[tuple[str, ...]]:
    """The key paths that an expression may read; `own` are names that stand for sections."""
    if isinstance(node, ast.Call) and last(node.func) == "get" and isinstance(node.args[0], ast.Constant):
        yield (str(node.args[0].value),)  # of a config that is no model yet
    if not isinstance(node, ast.Attribute):
        return
    owner = node.value
    if last(owner) in CONFIGS:
        yield (node.attr,)
    if last(owner) in MONITORS:
        yield "monitors", node.attr
    if last(owner) in own:
        yield own[last(owner)], node.attr
    if isinstance(owner, ast.Attribute):
        yield owner.attr, node.attr


def readers(place: Place, name: str) -> list[str]:
    """The files that read a key, also by a property or a method; where it goes with its whole mapping, those that read
    that.
    """
    section = place.path.partition(".")[0]
    members = [name, *(member for member, value in [*vars(place.model).items()] if uses(place.model, value, name))]
    found = set[str]().union(*(reads().get((section, member), set()) for member in members))
    for files in (found, reads().get((section,), set()), set(place.whole)):
        if acts := sorted(file for file in files if not file.startswith(HINTS)):
            return acts
    return sorted(found)


def uses(model: type[BaseModel], member: Any, name: str) -> bool:
    """Whether a property or method reads the key, or all keys, or leaves that to another one."""
    function = member.fget if isinstance(member, property) else member
    names: tuple[str, ...] = getattr(getattr(function, "__code__", None), "co_names", ())
    others = [vars(model)[other] for other in names if other in vars(model) and vars(model)[other] is not member]
    return name in names or "model_dump" in names or any(uses(model, other, name) for other in others)


def standard_set() -> str:
    """The standard monitors, as a config that says no more than the least does."""
    least = 'version: 1\nkafka: {brokers: "localhost:9092"}\ntopics: {events: [inferences]}\nmonitors:'
    lines = [f"  {name}: {yaml.safe_dump(monitor, default_flow_style=True, sort_keys=False, width=1000).strip()}"
             for name, monitor in STANDARD.items()]  # fmt: skip
    return "\n".join(["```yaml", least, *lines, "```"])
