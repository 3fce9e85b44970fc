"""A log of DuckDB's (WAL) that does not let its file open: cut where DuckDB says that it is damaged, or set aside.

A sealed file needs none, and a journal stands for that of any other. It counts when both are there and the journal is damaged.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import structlog

from agent.store.quarantine import Quarantine

CUTS = 5
"""More damage than this in one log: it is set aside."""

_POSITION = re.compile(r"entry at byte position (\d+)")
_log = structlog.get_logger()


def mend(wal: Path, error: Exception, quarantine: Quarantine, *, cut: bool) -> bool:
    """Make the file open, if its log may be what stands against it: cut the log (``cut``), else set it aside.

    The original is in quarantine then. False: there is no log.
    """
    if not wal.exists():
        return False
    position = _POSITION.search(str(error))
    if cut and position and 0 < int(position[1]) < wal.stat().st_size:
        quarantine.copy(wal)
        os.truncate(wal, int(position[1]))
        _log.error("a log of DuckDB's is damaged: what is intact is replayed", file=wal.name, damaged_at_byte=int(position[1]))
    else:
        quarantine.take([wal], wal.name, error)
    return True
