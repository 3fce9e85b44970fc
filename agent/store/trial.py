"""Opening a segment that may have killed the process before: in a process of its own first.

A start notes which segment it opens. One that finds such a note opens that segment in a child; when the child is killed, the
files are not opened again. So a file takes the agent with it once.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry

from agent.clock import SystemClock
from agent.instruments import Instruments
from agent.store import database
from agent.store.grounds import StoreSettings

SECONDS = 120
_log = structlog.get_logger()


def marker(directory: Path, name: str) -> Path:
    """The note that a segment is being opened."""
    return directory / f"{name}.attempt"


@contextmanager
def attempt(directory: Path, name: str) -> Iterator[None]:
    """Note that a segment is being opened, for as long as that takes."""
    note = marker(directory, name)
    note.touch(mode=0o600)
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def survives(settings: StoreSettings, name: str) -> bool:
    """Whether a process that opens this segment lives."""
    _log.warning("the last start ended while it opened a segment; it is tried in a process of its own", segment=name)
    told = json.dumps(
        {key: str(value) if isinstance(value, Path) else value for key, value in dataclasses.asdict(settings).items()}
    )
    try:
        command = [sys.executable, "-m", "agent.store.trial", told, name]
        done = subprocess.run(command, timeout=SECONDS, check=False, stdout=sys.stderr)  # noqa: S603 this program
    except subprocess.TimeoutExpired:
        return False
    return done.returncode >= 0


def main(told: str, name: str) -> None:
    """Open one segment as a start does, and end."""
    from agent.store.recover import Recovery  # noqa: PLC0415 it imports this module

    fields = json.loads(told)
    settings = StoreSettings(**{**fields, "directory": Path(fields["directory"])})
    connection = database.connect(settings.directory, settings.memory_limit_bytes, settings.threads)
    recovery = Recovery(settings, connection, SystemClock(), Instruments(CollectorRegistry()), same_boot=True)
    recovery.open_segment(name)
    connection.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
