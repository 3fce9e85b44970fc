"""Opens a data directory: one agent each, private to its user, with what the last process left in it."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from agent.batch import Signal
from agent.clock import Clock
from agent.errors import ConfigError
from agent.instruments import Instruments
from agent.store import database
from agent.store.duplicates import RecentRequests
from agent.store.recover import Recovery
from agent.store.store import Store, StoreSettings

BOOT = "boot"

APART = 1 << 51
"""Between the arrival numbers of two signals: each signal counts for itself, so that the rows of a block follow without a gap,
and no number is given twice on this agent for as many microseconds (71 years)."""


@contextmanager
def open_store(settings: StoreSettings, clock: Clock, instruments: Instruments) -> Iterator[tuple[Store, RecentRequests]]:
    """The store over ``settings.directory`` and the requests it still remembers.

    Raises:
        ConfigError: the directory cannot be written, or another agent has it.
    """
    directory = settings.directory.resolve()
    settings = replace(settings, directory=directory)
    with _private_directory(directory):
        connection = database.connect(directory, settings.memory_limit_bytes, settings.threads)
        try:
            recovery = Recovery(directory, connection, clock, instruments, same_boot=_same_boot(directory))
            segments = recovery.run()
            (directory / BOOT).write_text(_boot_id())
            # Microseconds since 1970 as a floor: arrival numbers grow even when nothing is left to count on from.
            floor = clock.now_ns() // 1000
            first = {signal: floor + number * APART for number, signal in enumerate(Signal)}
            next_arrivals = {signal: max(recovery.highest_arrivals.get(signal, -1) + 1, first[signal]) for signal in Signal}
            yield Store(settings, clock, connection, segments, next_arrivals), recovery.recent
        finally:
            connection.close()


def _boot_id() -> str:
    """What the kernel calls this boot; a random word where it does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text()
    except OSError:
        return secrets.token_hex(16)


def _same_boot(directory: Path) -> bool:
    """Whether the machine has run on since the directory was last used: then what was written to files is in them."""
    try:
        return (directory / BOOT).read_text() == _boot_id()
    except OSError:
        return False


@contextmanager
def _private_directory(directory: Path) -> Iterator[None]:
    """Make the directory, lock it against a second agent, wipe what was spilled."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)  # what is stored is raw, and DuckDB makes its files by the umask
        lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(
            f"store.dir: cannot write {directory} ({error.strerror}); give a directory that this user may write"
        ) from error
    try:
        _lock(lock, directory)
        shutil.rmtree(directory / "tmp", ignore_errors=True)
        yield
    finally:
        os.close(lock)


def _lock(fd: int, directory: Path) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(fd, 32).decode(errors="replace").strip() or "unknown"
        raise ConfigError(
            f"store.dir: {directory} is in use by another agent (process {holder}); stop it or give another directory"
        ) from error
    os.ftruncate(fd, 0)
    os.write(fd, str(os.getpid()).encode())
