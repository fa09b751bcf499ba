"""The bill of materials: what is installed and what is linked into it, as CycloneDX has it."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import libversion

from schemas.core import native, why_not
from streamer.service import sbom as bills
from streamer.service.sbom import MARKS, Bill, locked, sbom
from tests.test_crates import MANIFEST, crates

ROOT = Path(__file__).resolve().parent.parent.parent
LOCK = (ROOT / "requirements.txt").read_text()


@cache
def bom() -> Any:
    return sbom(LOCK)


def below(ref: str) -> set[str]:
    """Names of what a component has or uses, by any number of steps."""
    uses = {entry["ref"]: entry["dependsOn"] for entry in bom()["dependencies"]}
    names = {c["bom-ref"]: c["name"] for c in bom()["components"]}
    seen, todo = set[str](), [ref]
    while todo:
        new = [use for use in uses[todo.pop()] if use not in seen]
        seen.update(new)
        todo += new
    return {names[one] for one in seen}


def test_it_is_cyclonedx_by_its_schema_and_by_its_own_library() -> None:
    pytest.importorskip("cyclonedx", reason="cyclonedx-python-lib is not installed")
    from cyclonedx.model.bom import Bom
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(json.dumps(bom())) is None
    assert validator.validate_str(json.dumps(bom() | {"components": [{"type": "thing", "name": "n"}]})) is not None
    read = Bom.from_json(json.loads(json.dumps(bom())))  # type: ignore[attr-defined]
    assert len(read.components) == len(bom()["components"])
    assert read.validate()


def test_equal_installations_have_equal_bills() -> None:
    assert sbom(LOCK) == bom()
    assert sbom()["serialNumber"] != bom()["serialNumber"]


def test_every_locked_package_that_is_installed_is_there_with_its_hashes() -> None:
    expected = locked(LOCK)
    assert len(expected) == LOCK.count("==") > 15
    assert sum(len(hashes) for _, hashes in expected.values()) == LOCK.count("sha256:")
    by_purl = {c.get("purl", ""): c for c in bom()["components"]}
    for name, (version, hashes) in expected.items():
        assert version == metadata.version(name)
        [files] = by_purl[f"pkg:pypi/{name}@{version}"]["externalReferences"]
        assert [told["content"] for told in files["hashes"]] == hashes
    assert "pytest" not in {c["name"] for c in bom()["components"]}


def test_a_lock_that_is_not_what_is_installed_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^click [\d.]+ is installed, and the lock file has 1\.2\.3$"):
        sbom("click==1.2.3 \\\n    --hash=sha256:" + "a" * 64)


def test_librdkafka_tells_what_is_linked_into_it() -> None:
    [client] = [c for c in bom()["components"] if c["name"] == "librdkafka"]
    assert client["version"] == libversion()[0]
    if "hashes" not in client:
        pytest.skip("the binding was built for the system's librdkafka")
    parts = {c["name"]: c for c in bom()["components"] if c["bom-ref"].startswith(client["bom-ref"] + "/")}
    assert {"openssl", "zlib", "zstd", "lz4", "curl"} <= set(parts) == below(client["bom-ref"])
    for name in ("openssl", "zlib", "zstd"):
        version = parts[name]["version"]
        assert re.fullmatch(r"\d+\.\d+[.\d]*", version)
        assert f":{version}:" in parts[name]["cpe"]
        assert parts[name]["purl"] == f"pkg:generic/{name}@{version}"
    assert "version" not in parts["curl"]  # It does not tell.
    [built_with] = client["properties"]
    assert {"SSL", "ZLIB", "ZSTD"} <= set(built_with["value"].split())
    assert {"librdkafka", "openssl"} <= below(bom()["metadata"]["component"]["bom-ref"])


@pytest.mark.skipif(native is None, reason=f"no compiled core: {why_not}")
def test_the_compiled_core_has_its_file_its_crates_and_no_build_tool() -> None:
    assert native is not None
    assert native.__file__ is not None
    [core] = [c for c in bom()["components"] if c["name"] == "driftline-native"]
    digest = hashlib.sha256(Path(native.__file__).read_bytes()).hexdigest()
    assert core["hashes"] == [{"alg": "SHA-256", "content": digest}]
    told = {
        c["name"]: (c["version"], c["hashes"][0]["content"]) for c in bom()["components"] if "cargo" in c["bom-ref"]
    }
    pins = crates().pinned(MANIFEST)
    assert {name: pins[name] for name in told} == told
    assert {"pyo3", "libc", "hashbrown"} <= set(told)
    assert not {"syn", "autocfg", "windows-link"} & set(told)
    assert below(core["bom-ref"]) == {*told, "rust-std"}


def test_without_the_compiled_core_there_are_no_crates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bills, "native", None)
    names = {c["bom-ref"] for c in sbom()["components"]}
    assert not [name for name in names if "cargo" in name or "native" in name]


def part(version: bytes, name: str) -> str | None:
    mark = MARKS[name]
    found = re.search(mark.version, version)
    return found[1].decode() if found else None


def test_a_mark_is_the_librarys_own_text_and_not_one_about_it(tmp_path: Path) -> None:
    assert part(b"\0OpenSSL 3.5.8 25 Aug 2026\0", "openssl") == "3.5.8"
    assert part(b"\0OpenSSL 1.1.1w  11 Sep 2023\0", "openssl") == "1.1.1w"
    assert part(b"x\0 inflate 1.3 Copyright 1995-2023 Mark Adler \0", "zlib") == "1.3"
    assert part(b"\x001.5.7\0No error detected\0", "zstd") == "1.5.7"
    assert part(b"\0libcurl/8.10.1\0", "curl") == "8.10.1"
    about = tmp_path / "about.so"
    about.write_bytes(
        b"\0OpenSSL >= 1.0.2 required. deflate; zstd not supported\0" + zlib.compress(b"x") + b"lz4 1.9.4\0"
    )
    bill = Bill()
    own = bill.add_binary("", about)
    assert [c["name"] for ref, c in bill.components.items() if ref != own] == []
