"""The compiled core is optional, but not by accident; and it is what its types say."""

from __future__ import annotations

import ast
import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from schemas.core import native, why_not

ROOT = Path(__file__).resolve().parents[2]
STUB = ast.parse((ROOT / "schemas" / "_native.pyi").read_text())
FUNCTIONS = {node.name: node for node in STUB.body if isinstance(node, ast.FunctionDef)}
CLASSES = {node.name: node for node in STUB.body if isinstance(node, ast.ClassDef)}
FROM_PYTHON = {"__len__", "__getitem__"}
"""Methods that Python itself calls: their parameters have no names."""

built = pytest.mark.skipif(native is None, reason="the compiled core was not built")


@pytest.mark.skipif(os.environ.get("DRIFTLINE_NATIVE") == "0", reason="Python is asked for")
@pytest.mark.skipif(shutil.which("cargo") is None, reason="no cargo: the compiled core cannot be built")
def test_it_was_built_where_it_can_be() -> None:
    assert native is not None, why_not


def test_python_can_be_asked_for() -> None:
    code = "from schemas.core import native, why_not; import detectors; print(native, why_not)"
    environment = {**os.environ, "DRIFTLINE_NATIVE": "0"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None DRIFTLINE_NATIVE is 0"


def test_where_it_is_missing_python_goes_on_and_says_why() -> None:
    code = (
        "import sys; sys.modules['schemas._native'] = None\n"
        "from schemas.core import native, why_not; print(native, why_not)"
    )
    environment = {**os.environ, "DRIFTLINE_NATIVE": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("None it was not built: ")


def members(node: ast.ClassDef) -> dict[str, ast.FunctionDef]:
    """What a class of the stub has, its constructor apart."""
    return {f.name: f for f in node.body if isinstance(f, ast.FunctionDef) and f.name != "__init__"}


def is_property(node: ast.FunctionDef) -> bool:
    return any(isinstance(decorator, ast.Name) and decorator.id == "property" for decorator in node.decorator_list)


def parameters(node: ast.FunctionDef) -> list[str]:
    assert (node.args.vararg, node.args.kwarg) == (None, None), f"{node.name} takes anything"
    return [arg.arg for arg in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs) if arg.arg != "self"]


def really(function: Any) -> list[str]:
    """The parameters that PyO3 gives a function, a method or a class."""
    assert function.__text_signature__ is not None, function
    return [name for name in inspect.signature(function).parameters if name != "self"]


@built
def test_the_types_name_what_the_module_has_and_nothing_else() -> None:
    assert isinstance(native, ModuleType)
    public = {name: getattr(native, name) for name in dir(native) if not name.startswith("__")}
    assert set(FUNCTIONS) == {name for name, what in public.items() if not isinstance(what, type)}
    assert set(CLASSES) == {name for name, what in public.items() if isinstance(what, type)}
    assert len(CLASSES) > 5
    for name, node in FUNCTIONS.items():
        assert parameters(node) == really(public[name]), name


@built
@pytest.mark.parametrize("name", CLASSES)
def test_the_types_name_what_each_class_has_and_nothing_else(name: str) -> None:
    made, stub = getattr(native, name), members(CLASSES[name])
    own = {member: what for member, what in vars(made).items() if member in FROM_PYTHON or not member.startswith("_")}
    assert set(stub) == set(own)
    for member, node in stub.items():
        assert is_property(node) == inspect.isgetsetdescriptor(own[member]), member
        if not is_property(node) and member not in FROM_PYTHON:
            assert parameters(node) == really(own[member]), member
    constructors = [f for f in CLASSES[name].body if isinstance(f, ast.FunctionDef) and f.name == "__init__"]
    assert [parameters(f) for f in constructors] == ([really(made)] if made.__text_signature__ is not None else [])


def test_the_protocol_names_all_of_them() -> None:
    """mypy holds the stub to it; what is missing from it nobody could call."""
    (protocol,) = [
        node
        for node in ast.parse((ROOT / "schemas" / "core.py").read_text()).body
        if isinstance(node, ast.ClassDef) and node.name == "Core"
    ]
    assert set(members(protocol)) - {"__file__"} == {*FUNCTIONS, *CLASSES}


def test_a_function_that_does_not_exist_is_an_error_of_types(tmp_path: Path) -> None:
    snippet = tmp_path / "snippet.py"
    calls = "native.RowIndex().put(0, 0, 0)\nnative.no_such_function()\n"
    snippet.write_text(f"from schemas.core import native\nassert native is not None\n{calls}")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", str(tmp_path), str(snippet)]
    environment = {**os.environ, "MYPYPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    told, *_, last = done.stdout.splitlines()
    assert told.endswith('snippet.py:4: error: "Core" has no attribute "no_such_function"  [attr-defined]'), done
    assert last.startswith("Found 1 error in 1 file")
