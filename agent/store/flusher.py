"""Rows from memory into segment files: whole row groups while a segment is open, all that is left when it is sealed.

The flusher's thread alone writes to files, so that the writer never waits for DuckDB. Its own faults cost nothing that was
acknowledged: rows stay in memory and in the journal, and it tries again.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import duckdb
import pyarrow as pa
import structlog

from agent import schema
from agent.batch import Signal
from agent.store import database
from agent.store.cold import sync_file, write_blocks, written_bytes
from agent.store.directory import write_directory
from agent.store.faults import Kind, SegmentFault, is_fatal
from agent.store.healing import Healer, Patience, compare
from agent.store.journal import sync_directory
from agent.store.segment import ROW_GROUP, Segment, State
from agent.store.store import Store

GROUPS_AT_ONCE = 4
"""Row groups of one INSERT: bounds the time (half a second) and the memory of one flush."""

_log = structlog.get_logger()


class Flusher:
    """Moves rows of a store into its files."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._connection = store.connection.cursor()
        self._healer = Healer(store)
        self._patience = Patience()
        self._busy: Segment | None = None
        self._stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, name="flusher")

    def run(self) -> None:
        """Flush and seal until stopped; what is left then is sealed once more by ``drain``."""
        while not self._stopping.is_set():
            with self._store.lock:
                self._store.changed.wait_for(lambda: self._stopping.is_set() or self._is_needed())
            try:
                self.heal()
                self.flush_due()
            except Exception as error:  # noqa: BLE001 a flusher that ends would stop every sender
                self._met(error)
                self._stopping.wait(self._patience.next())
            else:
                self._patience.reset()
                self._store.faults.heal(Kind.FILES)

    def heal(self) -> None:
        """Repair what is known to be broken.

        Raises:
            Exception: it cannot be repaired yet.
        """
        before = self._store.connection
        try:
            self._healer.heal(self._connection.close)
        finally:
            if self._store.connection is not before:
                self._connection = self._store.connection.cursor()

    def _met(self, error: Exception) -> None:
        """Rows stay in memory and in the journal; what the fault may have broken is looked at before the next try."""
        self._store.faults.meet(Kind.FILES, error)
        if is_fatal(error):
            self._store.suspect()
        elif self._busy is not None:
            self._store.suspect(self._busy.name)
        self._busy = None

    def _is_needed(self) -> bool:
        return self._store.reopening or bool(self._store.suspects) or self._work() is not None

    def stop(self) -> None:
        """Let ``run`` return after the flush that is under way."""
        with self._store.lock:
            self._stopping.set()
            self._store.changed.notify_all()

    def flush_due(self) -> None:
        """Flush what is due and seal what is closed."""
        while True:
            with self._store.lock:
                work = self._work()
            if work is None:
                return
            segment, signal, rows = work
            self._busy = segment
            if signal is None:
                self._seal(segment)
            else:
                self._flush(segment, signal, rows)
            self._busy = None

    def _work(self) -> tuple[Segment, Signal | None, int] | None:
        """The next rows to flush, else the next segment to seal; call it under the lock.

        Whole row groups; and all that is there of a signal when rows are so wide that memory fills before a row group does.
        """
        for segment in self._store.segments:
            for signal, part in segment.parts.items():
                if part.tail_rows >= ROW_GROUP:
                    return segment, signal, min(part.tail_rows // ROW_GROUP, GROUPS_AT_ONCE) * ROW_GROUP
        if self._store.tail_bytes() > self._store.settings.tail_bytes // 2:
            movable = [(s, signal, part) for s in self._store.segments for signal, part in s.parts.items() if part.tail_rows]
            if movable:
                segment, signal, widest = max(movable, key=lambda found: found[2].tail_bytes)
                return segment, signal, widest.tail_rows
        for segment in self._store.segments:
            if segment.state is State.SEALING and not segment.retired:
                return segment, None, 0
        return None

    def _attach(self, segment: Segment) -> None:
        if segment.attached:
            return
        database.attach(self._connection, segment)
        sync_directory(segment.directory)
        with self._store.lock:
            segment.attached = True

    def _flush(self, segment: Segment, signal: Signal, rows: int) -> None:
        self._attach(segment)
        self._keep_origins(segment)
        self._write_blocks(segment)
        part = segment.part(signal)
        database.insert(self._connection, segment, schema.TABLE_NAMES[signal], part.head(rows))
        if rows % ROW_GROUP and segment.state is State.OPEN:
            # Less than a row group goes through DuckDB's own log: there wide rows would take 400 times their place in the file.
            database.checkpoint(self._connection, segment)
        with self._store.lock:
            segment.parts[signal] = segment.part(signal).flushed(rows)
            segment.measure()
            self._store.changed.notify_all()

    def _write_blocks(self, segment: Segment) -> None:
        """Blocks go before the rows that need them; of a closed segment the loose rows too."""
        for signal, part in list(segment.parts.items()):
            if segment.state is not State.OPEN:
                part = replace(part, cold=part.cold.tied())  # noqa: PLW2901 nobody else changes it any more
                with self._store.lock:
                    segment.parts[signal] = part
            end = written_bytes(one.cold for one in segment.parts.values())
            places = write_blocks(segment.blocks, part.cold.waiting, end) if part.cold.waiting else []
            if places and not end:
                segment.note(segment.blocks)
            with self._store.lock:
                now = segment.part(signal)
                segment.parts[signal] = replace(now, cold=now.cold.stored(places))

    def _keep_origins(self, segment: Segment) -> None:
        """Origins go before the rows that name them, so that a row in the file can always be shown."""
        with self._store.lock:
            new = {value: row for value, row in segment.origins.items() if value not in segment.origins_in_file}
        if new:
            database.insert_new_origins(self._connection, segment, pa.Table.from_batches(list(new.values())))
            segment.origins_in_file |= new.keys()

    def _seal(self, segment: Segment) -> None:
        """The rest of the rows, the side tables, a checkpoint; then the journal may go."""
        if segment.rows():
            self._attach(segment)
            for signal in list(segment.parts):
                rows = segment.part(signal).tail_rows
                if rows:
                    self._flush(segment, signal, rows)
            self._keep_origins(segment)
            self._write_blocks(segment)
            self._note_traces(segment)
            if segment.blocks.exists():  # else its journal was damaged: what is left has no cold columns
                write_directory(segment.blocks, written_bytes(one.cold for one in segment.parts.values()))
                sync_file(segment.blocks)  # its journal goes next
                sync_directory(segment.directory)
            if segment.requests:
                database.insert(self._connection, segment, "requests", pa.Table.from_batches(segment.requests))
            database.checkpoint(self._connection, segment)
            compare(self._connection, segment)  # and nothing but these files will have the rows
        with self._store.lock:
            segment.state = State.SEALED
            segment.requests = []
            if not segment.rows():
                self._store.segments = tuple(s for s in self._store.segments if s is not segment)
            self._store.changed.notify_all()
        segment.forget(segment.journal)
        segment.journal.unlink(missing_ok=True)
        sync_directory(segment.directory)

    def _note_traces(self, segment: Segment) -> None:
        """The filters of trace ids, of a segment whose rows are all in its file."""
        noted = database.note_traces(self._connection, segment, segment.parts)
        with self._store.lock:
            for signal, traces in noted.items():
                segment.parts[signal] = replace(segment.parts[signal], traces=traces)

    def retire(self, segment: Segment, reason: str) -> None:
        """Detach and unlink a sealed segment whole; readers that hold it finish."""
        with self._store.lock:
            segment.retired = True
        with self._store.upkeep:
            with self._store.connection.cursor() as cursor:
                database.detach(cursor, segment)
            for path in segment.files:
                path.unlink(missing_ok=True)
        with self._store.lock:
            self._store.segments = tuple(s for s in self._store.segments if s is not segment)
            self._store.retired[reason] += 1

    def drain(self) -> None:
        """After ``run`` has returned: seal what is closed, then let go of the connection."""
        try:
            self.heal()
            self.flush_due()
        except (duckdb.Error, OSError, SegmentFault) as error:
            _log.error("could not seal at shutdown; the journal keeps the rows", exc_info=error)
        self._connection.close()


@asynccontextmanager
async def flushing(store: Store) -> AsyncIterator[Flusher]:
    """A Flusher on a thread of its own; what is closed is sealed before it ends."""
    flusher = Flusher(store)
    flusher.thread.start()
    try:
        yield flusher
    finally:
        flusher.stop()
        await asyncio.to_thread(flusher.thread.join)
        await asyncio.to_thread(flusher.drain)
