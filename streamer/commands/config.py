"""`driftline config show|schema`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import yaml

from streamer import config as cfg
from streamer.settings import is_secret


@click.group("config")
def config() -> None:
    """Show the effective config, or the JSON Schema for editors."""


@config.command("show")
@click.option("-c", "--config", "path", required=True, type=click.Path(path_type=Path), help="The YAML file.")
def show(path: Path) -> None:
    """Print the config with every default and the standard monitors spelled out; secrets as ***."""
    from streamer.service import load_or_exit

    loaded = load_or_exit(path)
    click.echo(f"# config hash {loaded.config_hash}")
    click.echo(yaml.safe_dump(effective(loaded), sort_keys=False, allow_unicode=True), nl=False)


@config.command("schema")
def schema() -> None:
    """Print the JSON Schema (2020-12) of the config."""
    click.echo(json.dumps(json_schema(), indent=2))


def json_schema() -> dict[str, Any]:
    """The schema editors complete from: `# yaml-language-server: $schema=...` in the first line of a config."""
    made = cfg.Config.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:driftline:schema:config:1", **made}


def effective(loaded: cfg.Config) -> dict[str, Any]:
    """A file that means the same, nothing left to defaults; durations in milliseconds, secrets as ***."""
    shown = loaded.model_dump(mode="json", by_alias=True)
    shown["monitors"] = {
        name: monitor.model_dump(mode="json", by_alias=True, exclude_none=True)
        for name, monitor in loaded.effective_monitors().items()
    }
    _spell_durations(shown)
    client = shown["kafka"]["client"]
    shown["kafka"]["client"] = {name: "***" if is_secret(name) else value for name, value in client.items()}
    hidden: dict[str, Any] = _hide(shown, loaded.secrets())
    return hidden


DURATIONS = ("for", "keep_firing_for", "cooldown", "interval", "snapshot_interval", "lateness", "time")


def _spell_durations(value: Any) -> None:
    """Milliseconds back into the texts the file takes."""
    for key, item in value.items() if isinstance(value, dict) else ():
        if key in DURATIONS and isinstance(item, int):
            value[key] = f"{item}ms"
        _spell_durations(item)


def _hide(value: Any, secrets: tuple[str, ...]) -> Any:
    if isinstance(value, dict):
        return {key: _hide(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [_hide(item, secrets) for item in value]
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, "***")
    return value
