"""What is shipped works where nothing else is: from sdist to wheel to a clean environment, in another folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import limit_again

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ("streamer", "detectors", "schemas")
BESIDE = ("pyproject.toml", "README.md", "LICENSE")
MADE_HERE = shutil.ignore_patterns("target", "__pycache__", "*.so")
LEAST = 'version: 1\nkafka: {brokers: "localhost:9092", group: packaged}\ntopics: {events: [events]}\n'

pytestmark = pytest.mark.xdist_group("packaging")


def run(*command: str | Path, cwd: Path, **env: str) -> str:
    # Whatever points Python or a shell at this checkout would hide that something is missing.
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "DRIFTLINE", "VIRTUAL_ENV"))}
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=kept | env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packaging")
    source = folder / "source"
    for name in SHIPPED:
        shutil.copytree(ROOT / name, source / name, ignore=MADE_HERE)
    for name in BESIDE:
        shutil.copy(ROOT / name, source / name)
    make = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
    run(sys.executable, "-c", make, folder, cwd=source)
    [sdist] = folder.glob("*.tar.gz")
    # The crates that the compiled core is built of are those of the checkout's own build, if it had one. How fast it is
    # is no question here: cargo takes its settings from where it is called, which is below TMPDIR.
    target = str(ROOT / "schemas" / "native" / "target")
    (folder / ".cargo").mkdir()
    (folder / ".cargo" / "config.toml").write_text("[profile.release.package.driftline-native]\nopt-level = 0\n")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps")
    run(*pip, "--no-build-isolation", "-w", folder, sdist, cwd=folder, CARGO_TARGET_DIR=target, TMPDIR=str(folder))
    [made] = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def driftline(wheel: Path, request: pytest.FixtureRequest) -> Path:
    limit_again(request.config)  # A machine that has nothing yet compiles a core and fetches all wheels.
    environment = wheel.parent / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=wheel.parent)
    pip = (sys.executable, "-m", "pip", "--python", environment / "bin" / "python", "--disable-pip-version-check")
    locked = ("--require-hashes", "-r", ROOT / "requirements.txt")
    run(*pip, "install", "--quiet", "--no-compile", *locked, cwd=wheel.parent)
    run(*pip, "install", "--quiet", "--no-deps", wheel, cwd=wheel.parent)
    limit_again(request.config)
    return environment / "bin" / "driftline"


def test_the_wheel_has_every_package_the_demo_and_the_schemas(wheel: Path) -> None:
    packages = {p.relative_to(ROOT) for name in SHIPPED for p in (ROOT / name).rglob("__init__.py")}
    modules = {p.relative_to(ROOT) for package in packages for p in (ROOT / package.parent).glob("*.py")}
    schemas = {p.relative_to(ROOT) for p in (ROOT / "schemas").glob("*.json")}
    wanted = {str(path) for path in modules | schemas} | {
        "streamer/commands/demo.yaml",
        "streamer/commands/demo_people.yaml",
        "schemas/_native.pyi",
    }
    wanted |= {f"streamer/service/static/page.{kind}" for kind in ("html", "css", "js")}
    names = set(zipfile.ZipFile(wheel).namelist())
    assert len(packages) > 12
    assert wanted - names == set()
    assert not [name for name in names if name.startswith(("tests", "benchmarks"))]


def test_the_compiled_core_is_in_it_where_there_is_a_compiler(wheel: Path) -> None:
    if shutil.which("cargo") is None:
        pytest.skip("no cargo: the wheel is pure Python")
    assert "schemas/_native.abi3.so" in zipfile.ZipFile(wheel).namelist()


def test_version_lint_and_demo_run_from_it_in_another_folder(driftline: Path, tmp_path: Path) -> None:
    assert "version 0.1.0" in run(driftline, "version", cwd=tmp_path)
    (tmp_path / "driftline.yaml").write_text(LEAST)
    assert "0 errors" in run(driftline, "lint", "driftline.yaml", cwd=tmp_path)
    shown = run(driftline, "demo", "--exit", cwd=tmp_path)
    assert "driftline replay -c driftline.yaml" in shown
