"""Strict YAML with places: scalars as YAML 1.2 has them, no duplicate keys, no tags, `${...}` on parsed scalars.

PyYAML reads YAML 1.1, where `on` is true, `22:30` is 1350, `1e-3` is a text and a second key silently wins. So only
its parser is used; what a plain scalar means is decided here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from streamer.problems import Problem

BYTES_MAX = 1 << 20
"""A config is written by people; a megabyte of YAML is a mistake or an attack."""
NODES_MAX = 50_000
"""Values after aliases are followed: nine lines of nested aliases can stand for a billion."""
DEPTH_MAX = 40

PathKey = tuple[str | int, ...]

SCALARS: list[tuple[re.Pattern[str], Callable[[str], Any]]] = [
    (re.compile(r"|~|null|Null|NULL"), lambda text: None),
    (re.compile(r"true|True|TRUE"), lambda text: True),
    (re.compile(r"false|False|FALSE"), lambda text: False),
    (re.compile(r"[-+]?[0-9]{1,400}"), int),
    (re.compile(r"0o[0-7]{1,400}"), lambda text: int(text[2:], 8)),
    (re.compile(r"0x[0-9a-fA-F]{1,400}"), lambda text: int(text, 16)),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), float),
    (re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"), lambda text: float(text.replace(".", ""))),
]
"""YAML 1.2 core schema; a plain scalar that matches none is a text."""

VARIABLE = re.compile(r"\$(?P<escaped>\$)?\{(?P<body>[^{}]*)\}")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def resolve(text: str) -> Any:
    """What a plain scalar means."""
    for pattern, convert in SCALARS:
        if pattern.fullmatch(text):
            return convert(text)
    return text


@dataclass
class Source:
    """A parsed file: plain values, where each key and value stands, what was wrong, which texts are secret."""

    file: str
    env: Mapping[str, str]
    first_line: int = 1
    value: Any = None
    places: dict[PathKey, tuple[int, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    nodes: int = 0
    complete: bool = True  # False when reading was given up half-way: what is there means nothing

    def report(self, kind: str, path: PathKey, message: str, mark: Any = None) -> None:
        line, column = self.place(path) if mark is None else (mark.line + self.first_line, mark.column + 1)
        self.problems.append(Problem(self.file, line, column, kind, show_path(path), message))

    def place(self, path: PathKey) -> tuple[int, int]:
        """Of the nearest thing that exists: a missing key is reported where its mapping begins."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, (self.first_line, 1))


def show_path(path: PathKey) -> str:
    """`monitors.score-shift.by[0]`"""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def parse(data: bytes, file: str, env: Mapping[str, str], first_line: int = 1) -> Source:
    """Parse one document; whatever is wrong is in `problems`, and `value` is None when nothing could be read."""
    source = Source(file, env, first_line)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        source.report("bad-yaml", (), f"not UTF-8 (byte {error.start}).")
        return source
    if len(data) > BYTES_MAX:
        source.report("bad-yaml", (), f"{len(data)} bytes; a config has at most {BYTES_MAX}.")
        return source
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        hint = " An unquoted ${...} inside [ ] or { } must be quoted." if _unquoted(text, error) else ""
        message = f"{error.problem or error.context}.{hint}"
        source.report("bad-yaml", (), message[0].lower() + message[1:], error.problem_mark or error.context_mark)
        return source
    except yaml.YAMLError as error:  # A character YAML does not allow; its message has the place but no mark.
        source.report("bad-yaml", (), str(error).splitlines()[0] + ".")
        return source
    except RecursionError:
        source.report("bad-yaml", (), "nested too deeply.")
        return source
    if node is None:
        source.report("bad-yaml", (), "the file is empty; the least is version, kafka.brokers and topics.events.")
    elif not isinstance(node, yaml.MappingNode):
        source.report("bad-yaml", (), "a config is a mapping of keys to values.", node.start_mark)
    else:
        source.value = _build(source, node, ())
    return source


def _unquoted(text: str, error: yaml.MarkedYAMLError) -> bool:
    lines = text.splitlines()
    mark = error.problem_mark or error.context_mark
    return mark is not None and "${" in "\n".join(lines[max(mark.line - 1, 0) : mark.line + 1])


def _build(source: Source, node: yaml.Node, path: PathKey) -> Any:
    """Plain values of a node; records where everything stands."""
    source.nodes += 1
    if source.nodes > NODES_MAX or len(path) > DEPTH_MAX:
        if source.complete:
            source.report(
                "bad-yaml", (), "too many values once aliases are followed, or nested too deeply.", node.start_mark
            )
        source.complete = False
        return None
    source.places.setdefault(path, (node.start_mark.line + source.first_line, node.start_mark.column + 1))
    if not node.tag.startswith("tag:yaml.org,2002:") or node.tag.startswith("tag:yaml.org,2002:python"):
        source.report("bad-yaml", path, f"tag {node.tag!r} is not supported.", node.start_mark)
        return None
    if isinstance(node, yaml.SequenceNode):
        items = node.value if source.complete else []
        return [_build(source, item, (*path, i)) for i, item in enumerate(items)]
    if isinstance(node, yaml.MappingNode):
        return _mapping(source, node, path)
    assert isinstance(node, yaml.ScalarNode)
    return _interpolate(source, node, path)


def _mapping(source: Source, node: yaml.MappingNode, path: PathKey) -> dict[str, Any]:
    built: dict[str, Any] = {}
    for key_node, value_node in node.value if source.complete else ():
        if not isinstance(key_node, yaml.ScalarNode):
            source.report("bad-yaml", path, "a key must be a text.", key_node.start_mark)
            continue
        key = str(key_node.value)
        here = (*path, key)
        if key in built:
            first = source.places[here][0]
            source.report("duplicate-key", here, f"stands on line {first} already.", key_node.start_mark)
            continue
        source.places[here] = (key_node.start_mark.line + source.first_line, key_node.start_mark.column + 1)
        built[key] = _build(source, value_node, here)
    return built


def _interpolate(source: Source, node: yaml.ScalarNode, path: PathKey) -> Any:
    """A scalar with its `${...}` filled in; a plain one is then read as the scalar it has become."""
    text, plain = str(node.value), node.style is None

    def fill(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "${" + match["body"] + "}"
        return _variable(source, match["body"], path, node.start_mark)

    filled = VARIABLE.sub(fill, text)
    if "${" in text and not VARIABLE.search(text):
        source.report(
            "bad-value", path, "'${' is never closed; write '$${' for the characters themselves.", node.start_mark
        )
    return resolve(filled) if plain else filled


def _variable(source: Source, body: str, path: PathKey, mark: Any) -> str:
    if body.startswith("file:"):
        name = body.removeprefix("file:")
        try:
            secret = Path(name).read_text().strip()
        except (OSError, UnicodeDecodeError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8 text"
            source.report("unreadable", path, f"{name!r}: {reason}.", mark)
            return ""
        source.secrets.append(secret)
        return secret
    name, separator, default = body.partition(":-")
    if not NAME.fullmatch(name):
        source.report(
            "bad-value", path, f"'${{{body}}}' is not ${{NAME}}, ${{NAME:-default}} or ${{file:/path}}.", mark
        )
        return ""
    value = source.env.get(name, "")
    if value or (name in source.env and not separator):
        return value
    if separator:
        return default
    source.report("missing-env", path, f"{name} is not set; set it or write ${{{name}:-default}}.", mark)
    return ""
