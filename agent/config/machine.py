"""What the machine gives a process by default: its memory, its name, the directory for its state."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

_ROOT = Path("/")


def memory_bytes(root: Path = _ROOT) -> int:
    """The memory this process may use: the least of the machine's and of every limit of its cgroup and those above."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for directory in _cgroups(root):
        for name in ("memory.max", "memory.limit_in_bytes"):
            text = _text(directory / name)
            if text.isdigit():  # not "max"
                limits.append(int(text))
    return min(limits)


def _cgroups(root: Path) -> list[Path]:
    """Directories of the process's cgroup and its ancestors, for versions 2 and 1."""
    found = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / ("memory" if controllers else "")
        group = mount / path.strip("/")
        found += [group, *(parent for parent in group.parents if parent.is_relative_to(mount))]
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def hostname() -> str:
    """The machine's name."""
    return socket.gethostname()


def state_directory(environ: Mapping[str, str], *, is_root: bool | None = None) -> Path:
    """Where the agent keeps its store: the system's place for root, else the user's by the XDG rules."""
    if os.geteuid() == 0 if is_root is None else is_root:
        return Path("/var/lib/coral-agent")
    state_home = environ.get("XDG_STATE_HOME", "")
    if Path(state_home).is_absolute():  # XDG: a relative path is to be ignored
        return Path(state_home) / "coral-agent"
    return Path.home() / ".local/state/coral-agent"
