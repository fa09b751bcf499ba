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

from streamer.config import bridges, server
from streamer.config.librdkafka_settings import CLIENT, HIDDEN, Secret, is_secret
from streamer.config.problems import SHOWN_MAX, Problem
from streamer.config.secrets import is_weak, pattern_of

BYTES_MAX = 1 << 20
"""A config is written by people; a megabyte of YAML is a mistake or an attack."""
NODES_MAX = 50_000
"""Values after aliases are followed: nine lines of nested aliases can stand for a billion."""
DEPTH_MAX = 40
FILE_MAX = 1 << 16
"""Bytes of a file that `${file:}` names: a password or a certificate chain."""

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

VARIABLE = re.compile(r"(?P<escaped>\$\$\{)|\$\{(?P<body>[^{}]*)\}|(?P<open>\$\{)")
PASSWORDS = {("schema_registry", "password"), *bridges.SECRETS, *server.SECRETS}
"""Never shown, wherever they come from."""
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

IN_OTHER_WORDS = [
    # PyYAML quotes what it could not read, and that may be a password somebody forgot to quote.
    ("found duplicate anchor", "an anchor of this name is there already; quote a text that begins with '&'."),
    ("while scanning an anchor", "an anchor's name is letters and digits; quote a text that begins with '&'."),
    ("found undefined alias", "an alias to an anchor that is not there; quote a text that begins with '*'."),
    ("while scanning an alias", "an alias's name is letters and digits; quote a text that begins with '*'."),
    ("found undefined tag handle", "tags are not supported; quote a text that begins with '!'."),
    ("while scanning a tag", "tags are not supported; quote a text that begins with '!'."),
    ("but found another document", "a config is one document; '---' begins another."),
    ("found character '\\t'", "a tab; indent with blanks."),
    (
        "mapping values are not allowed here",
        "a ':' where none can be: the line is indented too far, a ':' before it lacks the blank behind it, or a text "
        "with ': ' lacks quotes.",
    ),
    ("could not find expected ':'", "no key with ': ' behind it, and no item of a list, which is written '- item'."),
]


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
    indent: int = 0  # columns that were cut off every line
    folder: Path | None = None  # where files named in it are looked for; default beside it
    value: Any = None
    places: dict[PathKey, tuple[int, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    hidden: set[PathKey] = field(default_factory=set)  # values with something of a `${file:}` in them
    broken: set[PathKey] = field(default_factory=set)  # values that could not be read: no more is said of them
    written: dict[PathKey, str] = field(default_factory=dict)  # numbers and booleans that are written without quotes
    nodes: int = 0
    complete: bool = True  # False when reading was given up half-way: what is there means nothing

    def report(self, kind: str, path: PathKey, message: str, mark: Any = None) -> None:
        line, column = self.place(path) if mark is None else self.at(mark)
        self.problems.append(Problem(self.file, line, column, kind, show_path(path), self.masked(message)))

    def at(self, mark: Any) -> tuple[int, int]:
        return mark.line + self.first_line, mark.column + 1 + self.indent

    def is_hidden(self, path: PathKey) -> bool:
        """Whether an error must not repeat the value: librdkafka settings never are, whatever they are called."""
        return path in self.hidden or path[: len(CLIENT)] == CLIENT

    def masked(self, message: str) -> str:
        """The second line of defence, after `is_hidden`: no text that came from a file is in any message."""
        forms = [(form, is_weak(secret)) for secret in self.secrets for form in (secret, repr(str(secret))[1:-1])]
        found = pattern_of(forms)
        return message if found is None else found.sub(HIDDEN, message)

    def place(self, path: PathKey) -> tuple[int, int]:
        """Of the nearest thing that exists: a missing key is reported where its mapping begins."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, (self.first_line, 1 + self.indent))


def show_path(path: PathKey) -> str:
    """`monitors.score-shift.by[0]`"""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        shown = part if part.isprintable() else repr(part)[1:-1]
        shown = shown if len(shown) <= SHOWN_MAX else shown[: SHOWN_MAX - 3] + "..."
        text += f".{shown}" if text else shown
    return text


def parse(data: bytes, file: str, env: Mapping[str, str], first_line: int = 1, indent: int = 0) -> Source:
    """Parse one document; whatever is wrong is in `problems`, and `value` is None when nothing could be read."""
    source = Source(file, env, first_line, indent)
    if len(data) > BYTES_MAX:
        source.report("bad-yaml", (), f"{len(data)} bytes; a config has at most {BYTES_MAX}.")
        return source
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(errors="replace")
        source.report("bad-yaml", (), f"not UTF-8 (byte {error.start}).", _mark(before))
        return source
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        source.report("bad-yaml", (), _sentence(text, error), error.problem_mark or error.context_mark)
        return source
    except yaml.reader.ReaderError as error:
        message = f"the character U+{error.character:04X} is not allowed."
        source.report("bad-yaml", (), message, _mark(text[: error.position]))
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


def _mark(before: str) -> yaml.Mark:
    """The place after `before`."""
    return yaml.Mark("", len(before), before.count("\n"), len(before) - before.rfind("\n") - 1, None, 0)


def _sentence(text: str, error: yaml.MarkedYAMLError) -> str:
    if re.search(r"^(<{7}|={7}|>{7})( |$)", text, re.MULTILINE):
        return "the marks of a merge conflict; take one side of it."
    said = (error.problem or "", error.context or "")
    known = (words for start, words in IN_OTHER_WORDS if any(part.startswith(start) for part in said))
    message = next(known, None) or _of_two_places(text, error) or f"{said[0] or said[1]}."
    hint = " An unquoted ${...} inside [ ] or { } must be quoted." if _unquoted(text, error) else ""
    return message[0].lower() + message[1:] + hint


def _of_two_places(text: str, error: yaml.MarkedYAMLError) -> str:
    """What is wrong between where something began and where it went wrong; no word of the file is repeated."""
    problem, began, mark = error.problem or "", error.context_mark, error.problem_mark
    if "that cannot start any token" in problem:
        return f"{problem}; a text that begins so needs quotes."
    if mark is None or began is None:
        return ""
    if problem == "found unexpected end of stream" and "quoted" in (error.context or ""):
        return f"the quote that opens on line {began.line + 1} is never closed."
    if problem.startswith("expected ',' or"):
        bracket = {"}": "{", "]": "["}.get(problem[17:18], "")
        if began.line < mark.line:
            return f"the {bracket!r} of line {began.line + 1} is not closed before this."
        return f"{problem}. A text with ': ' in it needs quotes." if problem.endswith("':'") else ""
    if problem.startswith("expected <block end>"):
        before = "".join(text.splitlines()[mark.line : mark.line + 1])[: mark.column]
        if before.strip(" -"):
            return "more stands behind a value that is over; a comment begins with ' #', and a text may need quotes."
        return "indented otherwise than the lines that it belongs to."
    return ""


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
    source.places.setdefault(path, source.at(node.start_mark))
    if not node.tag.startswith("tag:yaml.org,2002:") or node.tag.startswith("tag:yaml.org,2002:python"):
        # Not named: it may be a password that begins with '!'.
        source.report("bad-yaml", path, "tags are not supported; quote a text that begins with '!'.", node.start_mark)
        source.broken.add(path)
        return None
    if isinstance(node, yaml.SequenceNode):
        items = node.value if source.complete else []
        return [_build(source, item, (*path, i)) for i, item in enumerate(items)]
    if isinstance(node, yaml.MappingNode):
        return _mapping(source, node, path)
    assert isinstance(node, yaml.ScalarNode)
    return _interpolate(source, node, path)


BY_BEING_THERE = {("labels",), ("feedback",)}
"""Sections that may be empty and do something; without a value they do nothing."""


def _mapping(source: Source, node: yaml.MappingNode, path: PathKey) -> dict[str, Any]:
    built: dict[str, Any] = {}
    for key_node, value_node in node.value if source.complete else ():
        if not isinstance(key_node, yaml.ScalarNode):
            source.report("bad-yaml", path, "a key must be a text.", key_node.start_mark)
            continue
        key = str(key_node.value)
        here = (*path, key)
        if key_node.style is None and ":" in key and value_node.value == "" and value_node.style is None:
            # Not named: behind the ':' may stand a password.
            source.report("bad-yaml", path, "a blank is missing behind the ':' of a key.", key_node.start_mark)
            continue
        if key in built:
            first = source.places[here][0]
            source.report("duplicate-key", here, f"stands on line {first} already.", key_node.start_mark)
            continue
        source.places[here] = source.at(key_node.start_mark)
        if here in BY_BEING_THERE and isinstance(value_node, yaml.ScalarNode) and value_node.value == "":
            source.report("nothing", here, f"nothing stands behind it, so there is none. By default: {key}: {{}}.")
        built[key] = _build(source, value_node, here)
    return built


def _interpolate(source: Source, node: yaml.ScalarNode, path: PathKey) -> Any:
    """A scalar with its `${...}` filled in; a plain one is then read as the scalar it has become.

    What comes from a file and what is a password stays a text: `0123` and `null` are passwords, too.
    """
    text, plain = str(node.value), node.style is None
    secret = path[: len(CLIENT)] == CLIENT and len(path) > len(CLIENT) and is_secret(str(path[len(CLIENT)])) and text

    def fill(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "${"
        if match["open"]:
            message = "'${' is never closed; write '$${' for the characters themselves."
            return _unreadable(source, path, "bad-value", message, node.start_mark)
        return _variable(source, match["body"], path, node.start_mark)

    filled = VARIABLE.sub(fill, text)
    if path in PASSWORDS and filled and not (plain and text in ("null", "~")):  # Which says that there is none.
        source.secrets.append(filled)
        source.hidden.add(path)
    if path in source.hidden:
        return Secret(filled)
    value = resolve(filled) if plain and not secret else filled
    if isinstance(value, bool | int | float):
        source.written[path] = filled
    return value


def _unreadable(source: Source, path: PathKey, kind: str, message: str, mark: Any) -> str:
    source.report(kind, path, message, mark)
    source.broken.add(path)
    return ""


def _variable(source: Source, body: str, path: PathKey, mark: Any) -> str:
    if body.startswith("file:"):
        return _of_file(source, body.removeprefix("file:"), path, mark)
    name, separator, default = body.partition(":-")
    if not NAME.fullmatch(name):
        shown = HIDDEN if source.is_hidden(path) else f"'${{{body}}}'"
        message = f"{shown} is not ${{NAME}}, ${{NAME:-default}} or ${{file:/path}}."
        return _unreadable(source, path, "bad-value", message, mark)
    value = source.env.get(name, "")
    if value or (name in source.env and not separator):
        return value
    if separator:
        return default
    message = f"{name} is not set; set it or write ${{{name}:-default}}."
    return _unreadable(source, path, "missing-env", message, mark)


def _of_file(source: Source, name: str, path: PathKey, mark: Any) -> str:
    """The text of a file without the line ends it closes with; spaces may be part of a password."""
    try:
        with Path(name).open("rb") as file:
            data = file.read(FILE_MAX + 1)
        text = data.decode().rstrip("\r\n")
        why = "is empty" if not text else f"has more than {FILE_MAX} bytes" if len(data) > FILE_MAX else ""
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8 text"
    if why:
        return _unreadable(source, path, "unreadable", f"{name!r}: {why}.", mark)
    source.secrets.append(text)
    source.hidden.add(path)
    return text
