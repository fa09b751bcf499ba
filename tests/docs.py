"""The generated parts of the READMEs. `make docs` rewrites them; `tests/test_docs.py` fails where one is stale.

A part stands between two comments, of which the first names it: an entry of PARTS. Its source is always the live table
(a model, a catalogue, a JSON Schema, a docstring), never a copy, so what a README says cannot differ from the code.
"""

from __future__ import annotations

import ast
import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from detectors import DETECTORS
from detectors.distances import DISTANCES
from detectors.params import RIVER_DETECTORS, RIVER_RANGES
from schemas.events.batch import REASONS
from schemas.events.fields import FIELDS
from streamer.commands.cli import VERBS
from streamer.config.bridges import Bridges
from streamer.config.load import load_config
from streamer.config.stages import in_order_of_models
from streamer.kafka.connection_trouble import EVENTS
from streamer.kafka.rights import rights
from streamer.service.bridge_metrics import BRIDGE_CATALOGUE
from streamer.service.catalogue import catalogue_markdown
from tests.deploy import dashboard, strimzi
from tests.docs_cli import cli_reference
from tests.docs_config import WORDS, config_reference, standard_set
from tests.markdown import code, table

ROOT = Path(__file__).parent.parent
FOLDERS = ("schemas", "detectors", "streamer", "benchmarks", "deploy", "tests")
PART = re.compile(r"(?P<head>^<!-- generated: (?P<name>[a-z-]+) -->\n).*?(?P<tail>^<!-- end -->$)", re.M | re.S)
Schema = dict[str, Any]


def readmes() -> list[Path]:
    """Every README of the repository, and the pages of docs/."""
    found = (path for name in FOLDERS for path in sorted((ROOT / name).rglob("README.md")))
    return [ROOT / "README.md", *found, *sorted((ROOT / "docs").glob("*.md"))]


def refreshed(text: str) -> str:
    """The text with every generated part as it must be now; KeyError for a part that is not in PARTS."""
    return PART.sub(lambda part: f"{part['head']}\n{PARTS[part['name']]().strip()}\n\n{part['tail']}", text)


# What each file is for, in its own words.


def about(path: Path) -> str:
    """The first paragraph of a file's docstring, of a Rust file's `//!`."""
    text = path.read_text()
    if path.suffix == ".rs":
        said = "\n".join(line[3:].strip() for line in text.splitlines() if line.startswith("//!"))
    else:
        said = ast.get_docstring(ast.parse(text)) or ""
    return said.partition("\n\n")[0]


def files(home: str, pattern: str) -> Callable[[], str]:
    """A table per folder below `home` of its files; what a folder is for its `__init__` says."""

    def made() -> str:
        found: dict[Path, list[Path]] = {}
        for path in sorted((ROOT / home).glob(pattern)):
            found.setdefault(path.parent, []).append(path)
        parts = []
        for folder, paths in found.items():
            if folder != ROOT / home and (folder / "__init__.py").exists():
                name = folder.relative_to(ROOT / home).as_posix()
                parts.append(f"**[`{name}/`]({name})** {about(folder / '__init__.py')}")
            shown = [path for path in paths if not path.name.startswith("__")]
            rows = [(f"[{p.name}]({p.relative_to(ROOT / home).as_posix()})", about(p)) for p in shown]
            parts += [table("file, what it is for", rows)] if rows else []
        return "\n\n".join(parts)

    return made


# Detectors.


def detector_reference() -> str:
    """The parameters of every bank."""
    parts = []
    for kind, detector in DETECTORS.items():
        params: Any = detector.params  # Any dataclass: the base has no fields by which one could be known.
        parts += [f"### {kind}", (params.__doc__ or "").replace("\n    ", "\n").strip()]
        fields = [(code(f.name), default_of(f), f.metadata["description"]) for f in dataclasses.fields(params)]
        parts += [table("parameter, default, what it does", fields)] if fields else ["It has no parameters."]
    return "\n\n".join(parts)


def default_of(field: dataclasses.Field[Any]) -> str:
    return "required" if field.default is dataclasses.MISSING else code(field.default)


def river_reference() -> str:
    """The detectors of river that `detect: {kind: river}` takes by name."""
    found = []
    for name, params in RIVER_DETECTORS.items():
        told = []
        for param, kinds in params.items():
            low, high = RIVER_RANGES.get(name, {}).get(param, (None, None))
            bounds = "" if low is None else f", {low:g} to {high:g}"
            told.append(f"`{param}` ({' or '.join(WORDS[kind] for kind in kinds)}{bounds})")
        found.append((code(name), ", ".join(told)))
    return table("`name`, `params`", found)


def distances() -> str:
    return table("`distance`, what it is", ((code(name), made.__doc__ or "") for name, made in DISTANCES.items()))


# What crosses Kafka.


def schema(name: str) -> Schema:
    found: Schema = json.loads((ROOT / "schemas" / f"{name}.v1.json").read_text())
    return found


def event_fields() -> str:
    """The fields of an event, with what its JSON Schema says of them."""
    native, found = schema("event"), []
    for name, field in FIELDS.items():
        at = native
        for step in field.pointer.split("/")[1:]:
            at = at["properties"][step]
        found.append((code(name), code(field.pointer), field.kind, at["description"]))
    return table("field, where it is by default, kind, meaning", found)


def record(name: str) -> Callable[[], str]:
    """The members of a record by their path, from its JSON Schema."""

    def made() -> str:
        root = schema(name)
        return table("member, type, meaning", dict.fromkeys(members(root, root, "")))

    return made


def members(root: Schema, at: Schema, path: str) -> Iterator[tuple[str, ...]]:
    """A row for each member, and below it those of the objects it may be, or is a list of."""
    for name, member in at.get("properties", {}).items():
        here, choices = f"{path}{name}", list(alternatives(root, member))
        said = member.get("description", choices[0].get("description", "") if len(choices) == 1 else "")
        must = "" if name in at.get("required", ()) else "optional "
        kinds = dict.fromkeys(kind for choice in choices for kind in kinds_of(choice))
        yield code(here), must + " or ".join(kinds), said
        for choice in choices:
            yield from members(root, choice, f"{here}.")
            for item in alternatives(root, choice.get("items", {})):
                yield from members(root, item, f"{here}[].")


def alternatives(root: Schema, member: Schema) -> Iterator[Schema]:
    """What a member may be, references followed."""
    if "$ref" in member:
        yield from alternatives(root, root["$defs"][member["$ref"].rpartition("/")[2]])
    elif choices := [*member.get("anyOf", ()), *member.get("oneOf", ())]:
        for choice in choices:
            yield from alternatives(root, choice)
    else:
        yield member


def kinds_of(member: Schema) -> list[str]:
    """The types of a member, or the values it may have."""
    if "const" in member or "enum" in member:
        return [code(value) for value in member.get("enum", [member.get("const")])]
    kinds = member.get("type", "object" if "properties" in member else "value")
    return [kinds] if isinstance(kinds, str) else kinds


def commands() -> str:
    return table("command, what it does", ((code(f"driftline {verb}"), text) for verb, (_, text) in VERBS.items()))


def access_rights() -> str:
    """What the user of the shipped config must be allowed to do, with every optional topic in it, too."""
    config = load_config(ROOT / "deploy" / "driftline.yaml", {})
    optional = {role: f"drift-{role}" for role in ("windows", "incidents", "shadow")}
    topics = config.topics.model_copy(update=optional)
    bridges = Bridges.model_validate({"alertmanager": {"url": "http://alertmanager:9093"}})
    config = config.model_copy(update={"topics": topics, "bridges": bridges})
    needed = list(rights(config))
    ordered = [right for right in rights(in_order_of_models(config)) if right not in needed]
    rows = [
        (right.operation, right.resource, code(f"{right.name}{'*' * right.prefix}"), right.why, verb)
        for right, verb in [*((one, one.verb) for one in needed), *((one, "kafka.order: model") for one in ordered)]
    ]
    return table("operation, resource, name, why, needed by", rows)


PARTS: dict[str, Callable[[], str]] = {
    "cli": cli_reference,
    "config": config_reference,
    "standard": standard_set,
    "detectors": detector_reference,
    "river": river_reference,
    "distances": distances,
    "detectors-files": files("detectors", "*.py"),
    "event-fields": event_fields,
    "reasons": lambda: table("reason, when", ((code(name), text) for name, text in REASONS.items())),
    "alert": record("alert"),
    "incident": record("incident"),
    "heartbeat": record("heartbeat"),
    "window": record("window"),
    "performance": record("performance"),
    "review": record("review"),
    "audit": record("audit"),
    "agreement": record("agreement"),
    "control": record("control"),
    "learn": record("learn"),
    "schemas-files": files("schemas", "**/*.py"),
    "core-files": files("schemas", "native/src/**/*.rs"),
    "streamer-files": files("streamer", "**/*.py"),
    "commands": commands,
    "troubles": lambda: table("event, what it means", ((code(name), text) for name, text in EVENTS.items())),
    "rights": access_rights,
    "metrics": catalogue_markdown,
    "bridge-metrics": lambda: catalogue_markdown(BRIDGE_CATALOGUE),
}


FILES = strimzi.FILES | dashboard.FILES
"""What is written as a whole."""


def main() -> None:
    for path in readmes():
        before = path.read_text()
        if (after := refreshed(before)) != before:
            path.write_text(after)
            print("rewritten:", path.relative_to(ROOT))
    for name, made in FILES.items():
        (ROOT / name).write_text(made())


if __name__ == "__main__":
    main()
