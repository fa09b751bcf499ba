"""A test that hangs is a failure with all stacks, whatever it hangs in; and no test's end can make the suite hang."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.bounded import within

ROOT = Path(__file__).resolve().parent.parent
HANG = "import ctypes; ctypes.PyDLL(None).sleep(600)  # Keeps the interpreter's lock, as librdkafka's binding does."
TESTS = {
    "in the test": "def test_it():\n    other()\n    hang()\n",
    "after a failure": (
        "@pytest.fixture\ndef left():\n    yield\n    other()\n    hang()\ndef test_it(left):\n    raise ValueError\n"
    ),
}
COMMON = f"""
import threading
import pytest

def waits_beside():
    threading.Event().wait()

def other():
    threading.Thread(target=waits_beside, daemon=True).start()

def hang():
    {HANG}

"""


@pytest.mark.parametrize("workers", ["0", "1"])
@pytest.mark.parametrize("where", TESTS)
def test_a_test_that_hangs_fails_with_all_stacks(where: str, workers: str, tmp_path: Path) -> None:
    path = tmp_path / "test_hanging.py"
    path.write_text(COMMON + TESTS[where])
    options = ["-c", str(ROOT / "pyproject.toml"), "-p", "tests.conftest", "-n", workers, "-q"]
    command = [sys.executable, "-m", "pytest", *options, "-o", "faulthandler_timeout=2", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode != 0
    assert "Timeout (0:00:02)!" in done.stderr
    assert " in hang\n" in done.stderr
    assert " in waits_beside\n" in done.stderr
    if workers != "0":  # The worker is replaced, and the suite goes on.
        assert "worker 'gw0' crashed while running" in done.stdout


def test_every_test_has_a_limit(request: pytest.FixtureRequest) -> None:
    assert 100 < float(request.config.getini("faulthandler_timeout")) < 1000
    assert request.config.getini("faulthandler_exit_on_timeout") is True


def test_an_end_that_hangs_is_named_and_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    over = threading.Event()
    assert not within(0.1, "a log", over.wait)
    assert "WARNING: a log did not end within 0.1 s" in capsys.readouterr().err
    over.set()
    assert within(20.0, "a log", over.wait)
    assert capsys.readouterr().err == ""


def test_what_an_end_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        within(20.0, "a log", lambda: 1 / 0)
