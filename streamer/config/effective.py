"""A config with nothing left to defaults, as the file that would mean the same; secrets as ***."""

from __future__ import annotations

from typing import Any

import yaml

from streamer.config import model as cfg
from streamer.config.librdkafka_settings import CLIENT, HIDDEN, may_show
from streamer.config.units import show_duration
from streamer.config.yaml_source import resolve


class _Dumper(yaml.SafeDumper):
    """Writes what `yaml_source` reads back: PyYAML leaves `1e3` without quotes, a number in YAML 1.2."""


def _write_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = None if isinstance(resolve(text), str) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text.replace("${", "$${"), style)


_Dumper.add_representer(str, _write_text)


def as_yaml(shown: dict[str, Any]) -> str:
    """YAML that reads back as the same values."""
    return yaml.dump(shown, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def effective(loaded: cfg.Config) -> dict[str, Any]:
    """A file that means the same with nothing left to defaults; secrets as ***."""
    shown = loaded.model_dump(mode="json", by_alias=True)
    severity, repeat_ms = loaded.alerts_of_records
    # Worked into the monitors; what is left is for alerts that none of them raises.
    shown |= {"standard": False, "defaults": {"severity": severity, "repeat_interval": show_duration(repeat_ms)}}
    shown["monitors"] = {
        name: monitor.model_dump(mode="json", by_alias=True, exclude_none=True)
        for name, monitor in loaded.effective_monitors().items()
    }
    for path in [(*CLIENT, name) for name in loaded.kafka.client if not may_show(name)] + list(loaded.hidden()):
        owner: Any = shown
        for part in path[:-1]:
            owner = owner[part]
        owner[path[-1]] = HIDDEN
    return shown
