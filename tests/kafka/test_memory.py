"""How much memory is left, read from files as Linux writes them."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from streamer.kafka.memory import UNKNOWN, free, used

MB = 1 << 20
UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


@pytest.fixture(autouse=True)
def no_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda limit: UNLIMITED)


def files(root: Path, **texts: object) -> Path:
    for name, text in texts.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return root


def test_nothing_known_is_a_constant(tmp_path: Path) -> None:
    assert free(tmp_path) == UNKNOWN
    assert used("VmData", tmp_path) is None


def test_the_machine_bounds_it(tmp_path: Path) -> None:
    files(tmp_path, proc__meminfo="MemTotal:  9 kB\nMemAvailable:   2048 kB")
    assert free(tmp_path) == 2 * MB


def test_a_container_bounds_it_and_pages_of_files_do_not_count(tmp_path: Path) -> None:
    files(tmp_path, proc__self__cgroup="0::/", proc__meminfo=f"MemAvailable: {MB} kB")
    files(tmp_path, sys__fs__cgroup__memory_dot_max=100 * MB, sys__fs__cgroup__memory_dot_current=70 * MB)
    assert free(tmp_path) == 30 * MB
    files(tmp_path, sys__fs__cgroup__memory_dot_stat=f"anon 5\ninactive_file {15 * MB}")
    assert free(tmp_path) == 45 * MB
    files(tmp_path, sys__fs__cgroup__memory_dot_max="max")
    assert free(tmp_path) == 1024 * MB


def test_the_groups_above_bound_it_too(tmp_path: Path) -> None:
    files(tmp_path, proc__self__cgroup="0::/a/b")
    files(tmp_path, sys__fs__cgroup__a__memory_dot_max=50 * MB, sys__fs__cgroup__a__memory_dot_current=10 * MB)
    files(tmp_path, sys__fs__cgroup__a__b__memory_dot_max=90 * MB, sys__fs__cgroup__a__b__memory_dot_current=10 * MB)
    assert free(tmp_path) == 40 * MB


def test_the_older_groups_bound_it_whatever_the_path_is_called_inside(tmp_path: Path) -> None:
    files(tmp_path, proc__self__cgroup="5:cpu:/\n4:memory:/docker/of-the-host")
    files(tmp_path, sys__fs__cgroup__memory__memory_dot_limit_in_bytes=80 * MB)
    files(tmp_path, sys__fs__cgroup__memory__memory_dot_usage_in_bytes=90 * MB)
    assert free(tmp_path) == 0


def test_a_limit_of_the_process_bounds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {resource.RLIMIT_DATA: (9 * MB, -1), resource.RLIMIT_AS: (20 * MB, -1)}
    monkeypatch.setattr(resource, "getrlimit", lambda limit: limits[limit])
    files(tmp_path, proc__self__status="VmSize:\t  16384 kB\nVmData:\t   4096 kB")
    assert free(tmp_path) == 4 * MB


def test_this_machine_says_something() -> None:
    assert free() > 0
