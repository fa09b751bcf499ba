"""Presets: shipped configs for what others log, each a part of a config that says where its fields are."""

from __future__ import annotations

from importlib.resources import files

HEAD = """\
version: 1
kafka: {{brokers: "{brokers}"}}
topics: {{events: [{topic}]}}
"""
FOLDER = "presets"


def names() -> list[str]:
    """The presets there are."""
    found = (files("schemas") / FOLDER).iterdir()
    return sorted(path.name.removesuffix(".yaml") for path in found if path.name.endswith(".yaml"))


def text_of(name: str) -> str:
    """A preset as it is shipped."""
    return (files("schemas") / FOLDER / f"{name}.yaml").read_text("utf-8")


def about(name: str) -> str:
    """What it is for: its first line."""
    return text_of(name).splitlines()[0].removeprefix("# ")


def config_text(name: str | None, brokers: str, topic: str) -> str:
    """A whole config: the least one, or that of a preset."""
    head = HEAD.format(brokers=brokers, topic=topic)
    return head if name is None else f"{text_of(name).splitlines()[0]}\n{head}" + text_of(name).partition("\n")[2]
