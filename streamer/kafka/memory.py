"""How much memory this process may still use, as far as the system says: the least of what its limits leave."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

UNKNOWN = 512 << 20
"""Where the system says nothing."""
FILES = {"": ("memory.max", "memory.current"), "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes")}
"""By the controllers that a group names, version 2 and 1: the files of its limit and of what is used."""


def free(root: Path = Path("/")) -> int:
    """In bytes. `root` is the folder of `proc` and `sys`."""
    return max(min([*_limits(root), *_groups(root), *_machine(root)], default=UNKNOWN), 0)


def used(what: str, root: Path = Path("/")) -> int | None:
    """In bytes, what the kernel says of this process: `VmData`, `VmSize` ..."""
    return _number(root / "proc/self/status", f"{what}:")


def _limits(root: Path) -> Iterator[int]:
    for limit, what in ((resource.RLIMIT_DATA, "VmData"), (resource.RLIMIT_AS, "VmSize")):
        most, now = resource.getrlimit(limit)[0], used(what, root)
        if most != resource.RLIM_INFINITY and now is not None:
            yield most - now


def _groups(root: Path) -> Iterator[int]:
    """Control groups, ours and those above: version 2 of them, and 1."""
    lines = []
    with suppress(OSError):
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers not in FILES:
            continue
        mount = root / "sys/fs/cgroup" / controllers
        files = FILES[controllers]
        own = mount / path.lstrip("/")
        # In a container the path is often that of the host, and ours is what is mounted.
        for group in [own, *own.parents]:
            most, now = _bytes(group / files[0]), _bytes(group / files[1])
            if most is not None and now is not None:
                # The pages of files that nobody reads any more are given back before anybody is killed.
                yield most - now + (_number(group / "memory.stat", "inactive_file") or 0)
            if group == mount:
                break


def _machine(root: Path) -> Iterator[int]:
    found = _number(root / "proc/meminfo", "MemAvailable:")
    if found is not None:
        yield found


def _bytes(path: Path) -> int | None:
    with suppress(OSError, ValueError):
        return int(path.read_text())  # "max": no limit.
    return None


def _number(path: Path, name: str) -> int | None:
    """The number after a name at the beginning of a line, which may be in kB."""
    with suppress(OSError, ValueError):
        for line in path.read_text().splitlines():
            words = line.split()
            if words[:1] == [name]:
                return int(words[1]) * (1024 if words[2:] == ["kB"] else 1)
    return None
