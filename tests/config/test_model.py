"""The models of the config: every key is described and written somewhere, and what is in the hash."""

from __future__ import annotations

import pytest

from streamer.commands.config import json_schema
from streamer.config.load import load_text
from streamer.config.model import Config
from streamer.config.yaml_source import parse
from tests.config.samples import CONFIGS, LEAST


def test_one_good_config_writes_every_key_there_is() -> None:
    """It is the reference by example, so a new key has to be in it."""
    written = parse((CONFIGS / "everything.good.yaml").read_bytes(), "x", {})
    keys = {path[-1] for path in written.places if path}
    made = json_schema()
    assert {key for model in [made, *made["$defs"].values()] for key in model["properties"]} <= keys


def test_every_key_is_described() -> None:
    made = json_schema()
    for model in [made, *made["$defs"].values()]:
        for key, field in model["properties"].items():
            reference = made["$defs"].get(field.get("$ref", "").rpartition("/")[2], {})
            assert field.get("description") or reference.get("description"), key


def test_config_is_frozen() -> None:
    config = load_text(LEAST, "x", {})
    assert isinstance(config, Config)
    with pytest.raises(ValueError, match="frozen"):
        config.limits.series = 5


def test_the_hash_is_of_what_affects_detection() -> None:
    def digest(text: str) -> str:
        return load_text(text, "x", {}).config_hash

    assert digest(LEAST) == digest(LEAST.replace("localhost", "elsewhere") + "server: {listen: 'a:1'}\n")
    assert digest(LEAST) != digest(LEAST + "reference: {warmup: 600}\n")
