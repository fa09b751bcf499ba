"""The compiled core is built of what was tested: every crate that cargo resolves is pinned by version and hash."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = ROOT / "schemas" / "native" / "Cargo.toml"
LOCK = MANIFEST.with_name("Cargo.lock")


def crates() -> Any:
    """deploy/ is no package: its script runs where only the sources are."""
    spec = importlib.util.spec_from_file_location("crates", ROOT / "deploy" / "crates.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_pin_is_exact_and_has_its_hash() -> None:
    pins = crates().pinned(MANIFEST)
    assert len(pins) > 30
    for name, (version, sha256) in pins.items():
        assert version[:1].isdigit(), f"{name}: {version}"
        assert len(sha256) == 64, name


@pytest.mark.skipif(not LOCK.exists(), reason="the core was not compiled here")
def test_what_the_build_resolved_are_the_pins() -> None:
    assert crates().differences(crates().pinned(MANIFEST), crates().resolved(LOCK)) == []


@pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not installed")
def test_cargo_resolves_the_pins_without_a_lock(tmp_path: Path) -> None:
    shutil.copy(MANIFEST, tmp_path)
    shutil.copytree(MANIFEST.parent / "src", tmp_path / "src")
    command = ["cargo", "generate-lockfile", "--offline"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    if "offline" in done.stderr and done.returncode:
        pytest.skip("cargo has not built it here yet, so it does not know all crates")
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
    assert crates().differences(crates().pinned(MANIFEST), crates().resolved(tmp_path / "Cargo.lock")) == []


def test_a_crate_that_is_new_gone_other_or_loose_is_told() -> None:
    pins = {"a": ("1.0.0", "aa"), "b": ("1.0.0", "bb"), "c": ("1.0.0", "cc"), "d": ("not pinned: 1", "dd")}
    found = {"a": ("1.0.0", "aa"), "b": ("1.0.1", "bc"), "d": ("1.0.0", "dd"), "e": ("2.0.0", "ee")}
    assert crates().differences(pins, found) == [
        "b: pinned 1.0.0 bb, resolved 1.0.1 bc",
        "c: pinned 1.0.0 cc, resolved none ",
        "d: pinned not pinned: 1 dd, resolved 1.0.0 dd",
        "e: pinned none , resolved 2.0.0 ee",
    ]


def test_no_lock_file_or_address_of_a_registry_is_committed() -> None:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    named = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert not [name for name in named if name.endswith("Cargo.lock")]
    assert "registry" not in MANIFEST.read_text()
