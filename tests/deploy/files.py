"""The files of deploy/ as plain values, and the configs in them as the service would read them there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from streamer.config.load import check
from streamer.config.model import Config
from streamer.config.yaml_source import parse

ROOT = Path(__file__).resolve().parent.parent.parent
DEPLOY = ROOT / "deploy"
SECRETS = "/var/run/kafka"
"""Where the pods of the overlay `prod` find what is secret."""
POD = {"POD_NAME": "driftline-0", "KAFKA_BROKERS": "broker:9092"}
"""The variables that every pod has; which they are tests/deploy/test_kubernetes.py looks at."""
Value = dict[str, Any]


def read(path: Path) -> Any:
    """A file of one document, as strictly as a config is read: no key twice, scalars as in YAML 1.2."""
    return values(path.read_bytes(), str(path))


def values(text: bytes, name: str) -> Any:
    """A document that others read: what looks like a variable of ours is theirs."""
    source = parse(text.replace(b"${", b"$${"), name, {})
    assert not source.problems, source.problems
    return source.value


def documents(text: str, name: str) -> list[Value]:
    """Those of a file of several."""
    return [values(part.encode(), name) for part in text.split("\n---\n")]


def written(documents: list[Value], head: str) -> str:
    """A file of several documents, as they are kept."""
    told = [yaml.safe_dump(one, sort_keys=False, width=120) for one in documents]
    return head + "---\n".join(told)


def config_of(path: Path, secrets: Path, variables: dict[str, str]) -> Config:
    """A config of deploy/ with its variables, and a password in the folder that stands for SECRETS."""
    (secrets / "password").write_text("a-word-of-24-characters!")
    data = path.read_bytes().replace(SECRETS.encode(), str(secrets).encode())
    config, problems = check(data, str(path), variables)
    assert config is not None, problems
    assert not problems
    return config
