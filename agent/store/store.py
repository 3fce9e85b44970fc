"""The store: segments, the open journal, and who may change them.

One writer thread appends, one flusher thread moves rows into files, seals and retires; readers take snapshots. Every change
of a segment happens under ``lock`` and swaps immutable parts, so nobody waits for anybody's disk.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from agent import schema
from agent.batch import Batch, Signal
from agent.clock import Clock
from agent.errors import StoreUnavailable
from agent.store import journal
from agent.store.block import Block, Loose
from agent.store.cold import blocks_of
from agent.store.disk import Disk
from agent.store.faults import REASONS, Kind
from agent.store.grounds import Grounds, StoreSettings
from agent.store.journal import Frame, Journal, JournalFault
from agent.store.segment import Part, Segment, State, bounds_of, expired, segment_name
from agent.store.series import series_of
from agent.store.usage import used_bytes

SEGMENTS_IN_BUDGET = 16
"""A segment closes early once its journal holds this share of the disk budget, so that the budget retires small pieces."""

HEALING_SECONDS = 1.0
"""A query waits so long for rows that are about to be there again; then its answer says what it lacks."""

INTERRUPTS, INTERRUPT_SECONDS = 100, 0.05
"""An interrupt that comes just before a statement begins is lost."""


@dataclass(frozen=True, slots=True)
class View:
    """One signal of one segment as it was at one moment."""

    segment: Segment
    part: Part
    attached: bool
    sealed: bool


@dataclass(frozen=True, slots=True)
class _Group:
    """One signal's rows of one group: hot columns with their arrival numbers, and the cold ones as blocks and as they came."""

    signal: Signal
    hot: pa.RecordBatch
    cold: list[tuple[Block, Loose]]

    @property
    def bytes(self) -> int:
        """What it takes in memory, loose rows counted as blocks."""
        return int(self.hot.nbytes) + sum(len(block.stored) for block, _ in self.cold)


class Store:
    """The segments of one data directory. ``opening.open_store`` makes one."""

    def __init__(
        self,
        settings: StoreSettings,
        clock: Clock,
        grounds: Grounds,
        segments: Sequence[Segment],
        next_arrivals: Mapping[Signal, int],
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.grounds = grounds
        self.connection = grounds.connection
        self.faults = grounds.faults
        self.disk = Disk(settings.directory, settings.min_free_bytes, grounds.faults)
        self.upkeep = threading.Lock()
        """Held by whoever detaches files or opens them again."""
        self.reopening = False
        self.cursors: set[duckdb.DuckDBPyConnection] = set()
        """Those of queries."""
        self.suspects: set[str] = set()
        """Names of segments whose files must be looked at before anything else is done with them."""
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)
        self.segments: tuple[Segment, ...] = tuple(segments)
        self.retired: Counter[str] = Counter()
        self._next_arrivals = dict(next_arrivals)
        self._journal: Journal | None = None
        self._open: Segment | None = None
        self._asked_to_close: Segment | None = None

    def append(self, batches: Sequence[Batch], requests: pa.RecordBatch) -> None:
        """Journal a group and make its rows visible; the writer's thread only.

        Raises:
            StoreUnavailable: nothing of the group is kept.
        """
        self.disk.keep_reserve()
        segment, open_journal = self._writable()
        groups = [self._group(batch) for batch in batches]
        origins = segment.unknown_origins([batch.origins for batch in batches])
        frame = Frame({schema.TABLE_NAMES[group.signal]: group.hot for group in groups})
        frame.blocks = [block for group in groups for block, _ in group.cold]
        if origins:
            frame.batches["origins"] = pa.Table.from_batches(list(origins.values())).combine_chunks().to_batches()[0]
        frame.batches["requests"] = requests
        try:
            open_journal.append(journal.encode(frame))
        except JournalFault as fault:
            self.disk.failed(fault)
            if not fault.usable:
                self.disk.rest()
                self._count_on(groups)  # what could not be cut back may still be replayed
                self.close_segment()
            raise StoreUnavailable("the store cannot write to its disk now") from fault
        self.disk.wrote()
        self._count_on(groups)
        self._admit(segment, groups, origins, requests)

    def _group(self, batch: Batch) -> _Group:
        """A batch with its arrival numbers, its hot columns apart from the cold ones."""
        rows, signal, first = batch.rows, batch.signal, self._next_arrivals[batch.signal]
        arrivals = pa.arange(first, first + rows.num_rows)
        added = {"arrival": arrivals}
        if "series" in schema.HOT[signal]:
            added["series"] = series_of(rows.column("attributes"))
        hot = [added[name] if name in added else rows.column(name) for name in schema.HOT[signal]]
        cold = blocks_of(signal, first, rows, rows.column(schema.TIME_COLUMNS[signal]))
        return _Group(signal, pa.RecordBatch.from_arrays(hot, schema=schema.hot_schema(signal)), cold)

    def _count_on(self, groups: Sequence[_Group]) -> None:
        for group in groups:
            self._next_arrivals[group.signal] += group.hot.num_rows

    def _admit(
        self,
        segment: Segment,
        groups: Sequence[_Group],
        origins: dict[int, pa.RecordBatch],
        requests: pa.RecordBatch,
    ) -> None:
        measured = [(group, bounds_of(group.signal, group.hot)) for group in groups]
        with self.lock:
            segment.origins.update(origins)
            segment.requests.append(requests)
            for group, bounds in measured:
                part = segment.part(group.signal).appended(group.hot, bounds)
                for block, loose in group.cold:
                    part = part.with_cold(block, loose)
                segment.parts[group.signal] = part
                segment.tail_bytes += group.bytes
            self.changed.notify_all()

    def _writable(self) -> tuple[Segment, Journal]:
        """The open segment, a new one when there is none or the last is due."""
        now = self.clock.now_ns()
        self.close_due_segment(now)
        if self._open is None or self._journal is None:
            if self.disk.is_resting():
                raise StoreUnavailable("the store cannot write to its disk now")
            closes = now + self.settings.segment_ns
            name = segment_name(now, closes, secrets.token_hex(4))
            segment = Segment(name, self.settings.directory, now, closes)
            try:
                self._journal = Journal(segment.journal)
                segment.note(segment.journal)
            except OSError as error:
                self.disk.failed(error)
                self.disk.rest()
                raise StoreUnavailable("the store cannot write to its disk now") from error
            with self.lock:
                self.segments = (*self.segments, segment)
            self._open = segment
        return self._open, self._journal

    def close_due_segment(self, now_ns: int) -> None:
        """Close the open segment when its time or its share of the disk budget is over; the writer's thread only."""
        if self._open is None or self._journal is None:
            return
        due = self._asked_to_close is self._open or not self._open.opened_ns <= now_ns < self._open.closes_ns
        if due or not self._journal.is_linked() or self._journal.size > self.settings.max_bytes // SEGMENTS_IN_BUDGET:
            self.close_segment()

    def close_segment(self) -> None:
        """Take no more rows into the open segment: the flusher may seal it; the writer's thread only."""
        if self._open is None:
            return
        if self._journal is not None:
            self._journal.close()
        with self.lock:
            self._open.state = State.SEALING
            self.changed.notify_all()
        self._open, self._journal = None, None

    def ask_to_close(self, segment: Segment) -> None:
        """Have the writer close this segment, within its tick, if it is the open one."""
        self._asked_to_close = segment

    def reason(self) -> str | None:
        """Why an export would be refused now; None when it would not."""
        try:
            short = self.disk.lacks()
        except OSError:
            return REASONS[Kind.DIRECTORY]
        if short:
            return REASONS[Kind.RESERVE]
        self.faults.heal(Kind.RESERVE)
        return self.faults.reason()

    def suspect(self, *segments: str) -> None:
        """Have the flusher look at the files of these segments, or (none named) at the instance."""
        with self.lock:
            self.suspects.update(segments)
            self.reopening = self.reopening or not segments
            self.changed.notify_all()

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A cursor for a query; give it back with ``release``.

        Raises:
            StoreUnavailable: the store reopens its files.
        """
        with self.lock:
            if self.reopening:
                raise StoreUnavailable("the store reopens its files; ask again")
            cursor = self.connection.cursor()
            self.cursors.add(cursor)
            return cursor

    def release(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Close a query's cursor."""
        cursor.close()
        with self.lock:
            self.cursors.discard(cursor)
            self.changed.notify_all()

    def disconnect(self) -> None:
        """Interrupt the queries that still run, as often as it takes, and close the instance.

        Raises:
            duckdb.ResourceInUseException: one does not end.
        """
        with self.lock:
            self.reopening = True
        for _ in range(INTERRUPTS):
            try:
                self.connection.close()
            except duckdb.ResourceInUseException:
                with self.lock:
                    for cursor in self.cursors:
                        with contextlib.suppress(duckdb.ConnectionException):  # its thread has just closed it
                            cursor.interrupt()
                    self.changed.wait_for(lambda: not self.cursors, INTERRUPT_SECONDS)
            else:
                return
        self.connection.close()

    def wait_for_healing(self) -> None:
        """Wait a moment for files that are detached only to be attached again."""
        with self.lock:
            self.changed.wait_for(lambda: not any(segment.healing for segment in self.segments), HEALING_SECONDS)

    def wait_for_room(self, timeout_seconds: float) -> bool:
        """Wait until the rows in memory are within their bound; False when they are not by then."""
        with self.lock:
            return self.changed.wait_for(lambda: self.tail_bytes() <= self.settings.tail_bytes, timeout_seconds)

    def tail_bytes(self) -> int:
        """Bytes of rows in memory; call it under the lock."""
        return sum(segment.tail_bytes for segment in self.segments)

    def views(self, signal: Signal) -> list[View]:
        """Every segment as it is now, oldest first: what a query begun now must see.

        What is past its retention is not shown, even while its segment cannot be retired.
        """
        now, retention = self.clock.now_ns(), self.settings.retention_ns
        with self.lock:
            return [
                View(segment, segment.part(signal), segment.attached, segment.state is State.SEALED)
                for segment in self.segments
                if not expired(segment.closes_ns, retention, now)
            ]

    def used_bytes(self) -> int:
        """Bytes on disk of all that lies in the data directory."""
        return used_bytes(self.settings.directory)
