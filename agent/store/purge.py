"""After a leak: rows of a service, or from before a moment, taken out of a data directory for good.

Orders are written to the file ``purge`` first, and it goes last: an agent that starts finds it and finishes. A segment of
which rows stay is written anew beside the old one; the line that says so in ``purge`` is the moment at which the new one
counts. Whoever is killed in between leaves either the old files or the new ones to be finished, never both to be served.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from agent import schema
from agent.batch import Signal
from agent.clock import Clock
from agent.errors import StoreUnavailable
from agent.instruments import Instruments
from agent.services import normal
from agent.store import database
from agent.store.grounds import StoreSettings
from agent.store.journal import sync_directory
from agent.store.lodging import lodged, same_boot
from agent.store.recover import Recovery
from agent.store.rewrite import Goes, rewrite, rows_that_go
from agent.store.segment import QUARANTINE, Segment, State, segment_name

ORDERS = "purge"
STAGING = "purging"
"""Where segments are written anew; what is left there by a kill is dropped."""

_KINDS = ("blocks", "duckdb")
"""The files of a segment that is sealed, in the order in which they take their names."""


@dataclass(frozen=True, slots=True)
class Order:
    """What must go: rows of these services (none named: of every one) from before a moment (None: of any time).

    A row is from before a moment when its own time is, or when its segment took no more rows by then.
    """

    services: tuple[str, ...] = ()
    before_ns: int | None = None

    def goes(self, signal: Signal, rows: pa.RecordBatch, closes_ns: int) -> pa.Array:
        """One boolean a row."""
        found = pa.repeat(True, rows.num_rows)
        if self.services:
            wanted = {normal(name) for name in self.services}
            names = [name for name in pc.unique(rows.column("service_name")).to_pylist() if normal(name) in wanted]
            found = pc.is_in(rows.column("service_name"), pa.array(names, pa.string()))
        if self.before_ns is not None and closes_ns > self.before_ns:
            found = pc.and_(found, pc.less(rows.column(schema.TIME_COLUMNS[signal]), self.before_ns))
        return found


@dataclass(slots=True)
class Purged:
    """What went."""

    rows: Counter[str] = field(default_factory=Counter)
    segments_removed: int = 0
    segments_rewritten: int = 0
    set_aside_removed: int = 0
    """Files in quarantine: nobody can read what they hold, so they go whole."""


def give_order(directory: Path, order: Order) -> None:
    """Note what must go, so that a kill at any time after this only delays it. Any process may, beside a running agent.

    Raises:
        OSError: it could not be noted.
    """
    _note(directory, {"order": asdict(order)})
    sync_directory(directory)


def has_orders(directory: Path) -> bool:
    """Whether something must go before the directory is served."""
    return (directory / ORDERS).exists()


def _note(directory: Path, line: dict[str, Any]) -> None:
    fd = os.open(directory / ORDERS, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, b"\n" + json.dumps(line).encode() + b"\n")  # what was cut short before stands on a line of its own
        os.fsync(fd)
    finally:
        os.close(fd)


def _noted(directory: Path) -> tuple[list[Order], list[tuple[str, str]]]:
    """The orders, and which segment (by name) stands for which now; a line that was cut short never counted."""
    orders, moves = [], []
    for line in (directory / ORDERS).read_bytes().split(b"\n")[:-1]:
        try:
            said = json.loads(line)
        except ValueError:
            continue
        if "order" in said:
            orders.append(Order(tuple(said["order"]["services"]), said["order"]["before_ns"]))
        else:
            moves.append((said["old"], said["new"]))
    return orders, moves


class Purge:
    """Carries out the orders of one data directory, whose lock the caller holds and which nobody else reads."""

    def __init__(
        self, settings: StoreSettings, connection: duckdb.DuckDBPyConnection, clock: Clock, instruments: Instruments
    ) -> None:
        self._directory = settings.directory
        self._staging = settings.directory / STAGING
        self._connection = connection
        boot = same_boot(settings.directory)
        self._recovery = Recovery(settings, connection, clock, instruments, same_boot=boot)
        self._orders: Sequence[Order] = ()
        self._done = Purged()

    def run(self) -> Purged:
        """Do what is ordered; when this returns, no byte of it is in the directory.

        Raises:
            duckdb.Error, OSError: it could not be finished; the next run goes on.
        """
        self._orders, moves = _noted(self._directory)
        for old, new in moves:
            self._move(old, new)
        self._stage_anew()
        names = {path.stem for kind in ("duckdb", "journal", "blocks") for path in self._directory.glob(f"*_*_*.{kind}")}
        for name in sorted(names):
            self._purge(name)
        self._empty_quarantine()
        shutil.rmtree(self._staging, ignore_errors=True)
        (self._directory / ORDERS).unlink()
        sync_directory(self._directory)
        return self._done

    def _stage_anew(self) -> None:
        shutil.rmtree(self._staging, ignore_errors=True)
        self._staging.mkdir(mode=0o700)

    def _purge(self, name: str) -> None:
        """One segment: untouched, removed, or written anew."""
        segment = self._recovery.tried(name)
        if segment is None:
            return  # it has no rows, or was set aside
        try:
            goes = self._goes(segment)
            going = rows_that_go(self._connection, segment, goes)
            if not sum(going.values()):
                return
            stays = sum(going.values()) < segment.rows()
            new = Segment(self._new_name(segment), self._staging, segment.opened_ns, segment.closes_ns, State.SEALED)
            if stays:
                rewrite(self._connection, segment, new, goes)
                sync_directory(self._staging)
        finally:
            database.detach(self._connection, segment)
        if stays:
            _note(self._directory, {"old": name, "new": new.name})
            self._move(name, new.name)
        else:
            self._remove(name)
        self._count(going, rewritten=stays)

    def _goes(self, segment: Segment) -> Goes:
        def goes(signal: Signal, rows: pa.RecordBatch) -> pa.Array:
            found = self._orders[0].goes(signal, rows, segment.closes_ns)
            for order in self._orders[1:]:
                found = pc.or_(found, order.goes(signal, rows, segment.closes_ns))
            return found

        return goes

    def _new_name(self, segment: Segment) -> str:
        return segment_name(segment.opened_ns, segment.closes_ns, secrets.token_hex(4))

    def _move(self, old: str, new: str) -> None:
        """Put the new segment in the old one's place; again and again if need be."""
        for kind in _KINDS:
            staged = self._staging / f"{new}.{kind}"
            if staged.exists():
                staged.rename(self._directory / staged.name)
        sync_directory(self._directory)
        self._remove(old)

    def _remove(self, name: str) -> None:
        for path in Segment(name, self._directory, 0, 0).files:
            path.unlink(missing_ok=True)
        sync_directory(self._directory)

    def _count(self, going: dict[Signal, int], *, rewritten: bool) -> None:
        self._done.rows.update({str(signal): rows for signal, rows in going.items() if rows})
        self._done.segments_rewritten += rewritten
        self._done.segments_removed += not rewritten

    def _empty_quarantine(self) -> None:
        for path in (self._directory / QUARANTINE).glob("*"):
            path.unlink(missing_ok=True)
            self._done.set_aside_removed += 1


def purge_directory(settings: StoreSettings, clock: Clock, instruments: Instruments) -> Purged:
    """Carry out the orders of a directory that no agent uses.

    Raises:
        DirectoryInUse: an agent runs on it; it carries them out at its next start.
        ConfigError: it cannot be written.
        StoreUnavailable: it could not be finished; the next run goes on.
    """
    directory = settings.directory.resolve()
    settings = replace(settings, directory=directory)
    with lodged(directory):
        connection = database.connect(directory, settings.memory_limit_bytes, settings.threads)
        try:
            return Purge(settings, connection, clock, instruments).run()
        except (duckdb.Error, OSError) as error:
            raise StoreUnavailable(f"the purge was not finished ({type(error).__name__}: {error})") from error
        finally:
            connection.close()
