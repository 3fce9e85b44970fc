"""What stands against the store's promise now: each kind of fault is counted, told once in ten seconds, shown by /readyz."""

from __future__ import annotations

import contextlib
import enum
import threading
import time

import duckdb
import structlog

from agent.instruments import Instruments

TELL_SECONDS = 10.0

_log = structlog.get_logger()


class Kind(enum.StrEnum):
    """Kinds of fault; the label of ``coral_agent_store_faults_total``."""

    JOURNAL = "journal"
    FILES = "files"
    DATABASE = "database"
    RESERVE = "reserve"
    DIRECTORY = "directory"


REASONS = {
    Kind.JOURNAL: "the journal cannot be written: look at the disk",
    Kind.FILES: "rows cannot be moved into segment files: look at the disk",
    Kind.DATABASE: "the store reopens its files",
    Kind.RESERVE: "less than store.min_free_bytes is free on the disk",
    Kind.DIRECTORY: "the data directory was removed and cannot be made again",
}
"""For ``/readyz`` and for senders: no paths."""


class SegmentFault(Exception):
    """A segment's files are not what was written to them."""


class Faults:
    """The faults that last; any thread may meet or heal one."""

    def __init__(self, instruments: Instruments) -> None:
        self._count = instruments.store_faults
        self._lock = threading.Lock()
        self._lasting: set[Kind] = set()
        self._told: dict[Kind, float] = {}

    def meet(self, kind: Kind, error: BaseException | None = None) -> None:
        """Count a fault that lasts until ``heal``; log it unless its kind was logged within ten seconds."""
        now = time.monotonic()
        with self._lock:
            self._lasting.add(kind)
            tell = now - self._told.get(kind, -TELL_SECONDS) >= TELL_SECONDS
            if tell:
                self._told[kind] = now
        self._count.labels(kind).inc()
        if tell:
            with contextlib.suppress(OSError):  # the log may lie on the disk that is full
                _log.error("the store met a fault and goes on", kind=str(kind), reason=REASONS[kind], exc_info=error)

    def heal(self, kind: Kind) -> None:
        """The cause has gone."""
        with self._lock:
            if kind not in self._lasting:
                return
            self._lasting.discard(kind)
        _log.warning("a fault of the store has healed", kind=str(kind))

    def reason(self) -> str | None:
        """Why the store cannot keep its promise now; None when it can."""
        with self._lock:
            return next((REASONS[kind] for kind in Kind if kind in self._lasting), None)


def is_fatal(error: BaseException) -> bool:
    """Whether DuckDB has given up the whole instance: nothing works until every cursor is closed and another is made."""
    return isinstance(error, duckdb.FatalException | duckdb.InternalException) or "has been invalidated" in str(error)
