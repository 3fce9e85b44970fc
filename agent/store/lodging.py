"""The data directory: private to its user, one agent each, and still there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.errors import ConfigError, DirectoryInUse

BOOT = "boot"
KEPT = ("boot", "hmac.key")
"""Small files that are written again when the directory was removed under the running agent."""

Identity = tuple[int, int]
"""Device and inode."""

GONE: Identity = (-1, -1)
"""No file has it."""


def identity(path: Path) -> Identity | None:
    """Which file a path leads to now; None for none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


class Lodging:
    """The directory and its lock. Open it with ``lodged``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = -1
        self._known: Identity | None = None
        self._kept: dict[str, bytes] = {}

    def occupy(self) -> None:
        """Make the directory and lock it against a second agent.

        Raises:
            OSError: it cannot be written.
            ConfigError: another agent has it.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)  # what is stored is raw, and DuckDB makes its files by the umask
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _lock(lock, self.path)
        except BaseException:
            os.close(lock)
            raise
        self.leave()
        self._lock = lock
        self._known = identity(self.path)

    def leave(self) -> None:
        """Let go of the lock."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def is_there(self) -> bool:
        """Whether the path still leads to the directory and the lock that were taken."""
        held = os.fstat(self._lock)
        there = identity(self.path) == self._known and identity(self.path / "lock") == (held.st_dev, held.st_ino)
        if there:
            self._remember()
        return there

    def _remember(self) -> None:
        for name in KEPT:
            if name not in self._kept:
                with contextlib.suppress(OSError):
                    self._kept[name] = (self.path / name).read_bytes()

    def restore(self) -> None:
        """Make the directory again and lock it.

        Raises:
            OSError: it cannot be made.
            ConfigError: another agent has it by now.
        """
        self.occupy()
        for name, content in self._kept.items():
            with contextlib.suppress(FileExistsError), open(self.path / name, "xb", opener=_private) as file:
                file.write(content)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@contextmanager
def lodged(directory: Path) -> Iterator[Lodging]:
    """The directory, made, locked, and free of what was spilled.

    Raises:
        ConfigError: it cannot be written, or another agent has it.
    """
    lodging = Lodging(directory)
    try:
        lodging.occupy()
    except OSError as error:
        raise ConfigError(
            f"store.dir: cannot write {directory} ({error.strerror}); give a directory that this user may write"
        ) from error
    try:
        shutil.rmtree(directory / "tmp", ignore_errors=True)
        yield lodging
    finally:
        lodging.leave()


def _lock(fd: int, directory: Path) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(fd, 32).decode(errors="replace").strip() or "unknown"
        raise DirectoryInUse(
            f"store.dir: {directory} is in use by another agent (process {holder}); stop it or give another directory"
        ) from error
    os.ftruncate(fd, 0)
    os.write(fd, str(os.getpid()).encode())


def boot_id() -> str:
    """What the kernel calls this boot; a random word where it does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text()
    except OSError:
        return secrets.token_hex(16)


def same_boot(directory: Path) -> bool:
    """Whether the machine has run on since the directory was last used: then what was written to files is in them."""
    try:
        return (directory / BOOT).read_text() == boot_id()
    except OSError:
        return False
