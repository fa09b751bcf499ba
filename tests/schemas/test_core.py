"""The compiled core is optional, but not by accident."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from schemas.core import native, why_not


@pytest.mark.skipif(os.environ.get("DRIFTLINE_NATIVE") == "0", reason="Python is asked for")
@pytest.mark.skipif(shutil.which("cargo") is None, reason="no cargo: the compiled core cannot be built")
def test_it_was_built_where_it_can_be() -> None:
    assert native is not None, why_not


def test_python_can_be_asked_for() -> None:
    code = "from schemas.core import native, why_not; import detectors; print(native, why_not, detectors.FAST)"
    environment = {**os.environ, "DRIFTLINE_NATIVE": "0"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None DRIFTLINE_NATIVE is 0 False"


def test_where_it_is_missing_python_goes_on_and_says_why() -> None:
    code = (
        "import sys; sys.modules['schemas._native'] = None\n"
        "from schemas.core import native, why_not; print(native, why_not)"
    )
    environment = {**os.environ, "DRIFTLINE_NATIVE": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("None it was not built: ")
