"""`driftline config show|diff|schema`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pydantic.json_schema import GenerateJsonSchema

from streamer.commands.options import config_option
from streamer.config import model as cfg
from streamer.config.continuity import changes
from streamer.config.effective import as_yaml, effective
from streamer.config.standard import STANDARD

if TYPE_CHECKING:
    from streamer.engine.watching import Watching

SHOW_EPILOG = """\b
Examples:
  driftline config show -c driftline.yaml
"""
SCHEMA_EPILOG = """\b
Examples:
  driftline config schema > config.v1.json         # for the YAML plugin of an editor
"""
DIFF_EPILOG = """\b
Examples:
  driftline config diff old.yaml new.yaml          # what begins anew
"""


@click.group("config", epilog=DIFF_EPILOG)
def config() -> None:
    """Show the effective config, what a change of it means, or the JSON Schema for editors."""


@config.command("show", epilog=SHOW_EPILOG)
@config_option
def show(config_path: Path) -> None:
    """Print the config with every default and the standard monitors spelled out; secrets as ***."""
    from streamer.service.run import load_or_exit

    loaded = load_or_exit(config_path)
    click.echo(f"# config hash {loaded.config_hash}")
    click.echo(as_yaml(effective(loaded)), nl=False)


@config.command("schema", epilog=SCHEMA_EPILOG)
def schema() -> None:
    """Print the JSON Schema (2020-12) of the config."""
    click.echo(json.dumps(json_schema(), indent=2))


@config.command("diff", epilog=DIFF_EPILOG)
@click.argument("before", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("after", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def diff(before: Path, after: Path) -> None:
    """Say what a restart with AFTER would keep of BEFORE: monitors that are kept, reset, new or gone, and what else it
    would find otherwise because a group, topic or instance has another name.
    """
    from streamer.engine.engines import ENGINE
    from streamer.engine.watching import Watching
    from streamer.service.run import load_or_exit

    configs = [load_or_exit(path) for path in (before, after)]
    found = list(changes(*configs))
    for change in found:
        click.echo(f"{'lost' if change.lost else 'other':5} {change.path}: {change.sentence}.")
    old, new = (Watching(config, ENGINE) for config in configs)
    if new.rows_max < old.rows_max:
        click.echo(f"less  {_room(old, new)}.")
    lost = ", ".join(change.path for change in found if change.lost)
    counts = dict.fromkeys(("kept", "reset", "new", "gone"), 0)
    for name in [*new.monitors, *(name for name in old.monitors if name not in new.monitors)]:
        if name not in old.monitors or name not in new.monitors:
            word = "new" if name in new.monitors else "gone"
            counts[word] += 1
            click.echo(f"{word:5} {name}")
            continue
        shown = [one.monitors[name].config.model_dump(mode="json", by_alias=True) for one in (old, new)]
        changed = ", ".join(filter(None, [lost, *(key for key in shown[0] if shown[0][key] != shown[1][key])]))
        reset = bool(lost) or old.spec(name) != new.spec(name)
        if shown[0]["shadow"] != shown[1]["shadow"] and not reset:
            changed += f": {_promoted(configs[1], name)}"
        told = f" ({changed or 'reference, checks or the like'})" if changed or reset else ""
        counts["reset" if reset else "kept"] += 1
        click.echo(f"{'reset' if reset else 'kept':5} {name}{told}")
    click.echo(f"{', '.join(f'{count} {word}' for word, count in counts.items())}.")


def _promoted(config: cfg.Config, name: str) -> str:
    """What becomes of a monitor that is a shadow no more, or has become one."""
    shadow = config.effective_monitors()[name].shadow
    where = config.topics.shadow if shadow else config.topics.alerts
    word = "a candidate from now on" if shadow else "promoted"
    return f"{word}, with all that it has learned; its alerts go to {where!r}, also the end of what fires now"


def _room(old: Watching, new: Watching) -> str:
    """Monitors share `limits.series`: more of them, or a lower limit, leave less to each."""
    each = f"each of {len(new.tables)} tables holds {new.rows_max:,} series a partition, {old.rows_max:,} before"
    return f"limits.series: {each}; those there stay, and what is new finds less room beside them"


class Untitled(GenerateJsonSchema):
    """pydantic titles every field with its own name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def json_schema() -> dict[str, Any]:
    """The schema editors complete from: `# yaml-language-server: $schema=...` in the first line of a config."""
    made = cfg.Config.model_json_schema(schema_generator=Untitled)
    changed = {"anyOf": [{"$ref": "#/$defs/Monitor"}, {"not": {"required": ["signal"]}}, {"enum": [False, "off"]}]}
    monitors = made["properties"]["monitors"]
    [(pattern, monitor)] = monitors["patternProperties"].items()
    others = f"^(?!({'|'.join(STANDARD)})$){pattern.removeprefix('^')}"
    monitors |= {"properties": dict.fromkeys(STANDARD, changed), "patternProperties": {others: monitor}}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:driftline:schema:config:1", **made}
