"""Memory of one cgroup: a limit, and what came of it. Needs root; version 2, or version 1's memory controller."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

_V1, _V2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")


class Cgroup:
    """A cgroup that exists; files by version: https://docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1/memory.html."""

    def __init__(self, directory: Path, version: int) -> None:
        self.directory = directory
        self._version = version

    def limit(self, limit_bytes: int) -> None:
        """Set the limit; nothing goes to swap."""
        if self._version == 1:
            (self.directory / "memory.limit_in_bytes").write_text(str(limit_bytes))
            with contextlib.suppress(OSError):  # a kernel that does not account swap
                (self.directory / "memory.memsw.limit_in_bytes").write_text(str(limit_bytes))
        else:
            (self.directory / "memory.swap.max").write_text("0")
            (self.directory / "memory.max").write_text(str(limit_bytes))

    def own_bytes(self) -> int:
        """What its processes hold and nobody can take back: without cached files."""
        return self._pairs("memory.stat")["rss" if self._version == 1 else "anon"]

    def kills(self) -> int:
        """Processes killed for want of memory."""
        return self._pairs("memory.oom_control" if self._version == 1 else "memory.events").get("oom_kill", 0)

    def _pairs(self, name: str) -> dict[str, int]:
        lines = (self.directory / name).read_text().splitlines()
        return {key: int(value) for key, value in (line.split() for line in lines)}


def can_limit() -> bool:
    """Whether this machine has a memory controller whose cgroups this process may make."""
    home = _V1 if _V1.is_dir() else _V2
    return (_V1 / "memory.stat").exists() or (
        (home / "cgroup.subtree_control").exists() and "memory" in (home / "cgroup.subtree_control").read_text().split()
    )


@contextlib.contextmanager
def cgroup(name: str, limit_bytes: int) -> Iterator[Cgroup]:
    """A cgroup with a limit; removed at the end, when its processes must have ended."""
    version = 1 if _V1.is_dir() else 2
    directory = (_V1 if version == 1 else _V2) / name
    directory.mkdir()
    try:
        found = Cgroup(directory, version)
        found.limit(limit_bytes)
        yield found
    finally:
        directory.rmdir()
