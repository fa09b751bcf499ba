"""Pins for the crates of the compiled core: every one that cargo resolves, by version and hash, in its Cargo.toml.

A Cargo.lock names the registry it came from, so none is committed. What cargo resolves is held to the pins instead: by
cargo itself to their versions, and by `python deploy/crates.py`, after a build, to their hashes. With `--write` (see
`make lock`) the crates that are not asked for by name are resolved anew.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

NATIVE = Path(__file__).resolve().parent.parent / "schemas" / "native"
BEGIN = "\n# Written by `make lock`"
PLATFORMS = ("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "x86_64-apple-darwin", "aarch64-apple-darwin")
Crates = dict[str, tuple[str, str]]
"""Name -> version, sha256."""


def resolved(lock: Path) -> Crates:
    """The crates of a lock file but for our own, which has no hash."""
    found: Crates = {}
    for package in tomllib.loads(lock.read_text())["package"]:
        if "checksum" in package:
            assert package["name"] not in found, f"two versions of {package['name']}: the pins are by name"
            found[package["name"]] = package["version"], package["checksum"]
    return found


def pinned(manifest: Path) -> Crates:
    """What a manifest asks for, every line by `=`. A crate without a hash has an empty one, and the other way round."""
    told = tomllib.loads(manifest.read_text())
    hashes = told["package"].get("metadata", {}).get("sha256", {})
    versions: dict[str, str] = {}
    for table in (told, *told.get("target", {}).values()):
        for kind in ("dependencies", "build-dependencies"):
            for name, asked in table.get(kind, {}).items():
                version = asked if isinstance(asked, str) else asked["version"]
                versions[name] = version.removeprefix("=") if version.startswith("=") else f"not pinned: {version}"
    return {name: (versions.get(name, ""), hashes.get(name, "")) for name in versions | hashes}


def differences(pins: Crates, crates: Crates) -> list[str]:
    nothing = ("none", "")
    names = [name for name in sorted(pins | crates) if pins.get(name) != crates.get(name)]
    return [
        f"{name}: pinned {' '.join(pins.get(name, nothing))}, resolved {' '.join(crates.get(name, nothing))}"
        for name in names
    ]


def pins(asked: set[str], crates: Crates, linked: set[str]) -> str:
    """The written part of a manifest."""
    rest = [name for name in sorted(crates) if name not in asked]
    line = '{} = {{ version = "={}", default-features = false }}'
    return "\n".join(
        [
            f"{BEGIN}: what else cargo resolves, so that everybody gets the same. No target is `any()`, so nothing",
            "# is built for these lines.",
            "[target.'cfg(any())'.dependencies]",
            *[line.format(name, crates[name][0]) for name in rest if name in linked],
            "",
            "# Macros, build scripts, other platforms: never in the library.",
            "[target.'cfg(any())'.build-dependencies]",
            *[line.format(name, crates[name][0]) for name in rest if name not in linked],
            "",
            "[package.metadata.sha256]",
            *[f'{name} = "{sha256}"' for name, (_, sha256) in sorted(crates.items())],
            "",
        ]
    )


def cargo(folder: Path, *words: str) -> str:
    return subprocess.run(["cargo", *words], cwd=folder, check=True, capture_output=True, text=True).stdout


def write(manifest: Path) -> None:
    own = manifest.read_text().partition(BEGIN)[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / manifest.name).write_text(own)
        shutil.copytree(manifest.parent / "src", folder / "src")
        cargo(folder, "generate-lockfile", "--quiet")
        tree = ("tree", "--quiet", "--prefix", "none", "--format", "{p}", "--edges", "normal,no-proc-macro")
        lines = [line for platform in PLATFORMS for line in cargo(folder, *tree, "--target", platform).splitlines()]
        linked = {line.split()[0] for line in lines}
        crates = resolved(folder / "Cargo.lock")
    manifest.write_text(own + pins(set(tomllib.loads(own)["dependencies"]), crates, linked))


def main(arguments: list[str]) -> int:
    manifest, lock = NATIVE / "Cargo.toml", NATIVE / "Cargo.lock"
    if arguments == ["--write"]:
        write(manifest)
        lock.unlink(missing_ok=True)
        return 0
    if not lock.exists():
        print("no Cargo.lock: the core was not compiled", file=sys.stderr)
        return 1
    wrong = differences(pinned(manifest), resolved(lock))
    print(*wrong, sep="\n", end="\n" if wrong else "", file=sys.stderr)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
