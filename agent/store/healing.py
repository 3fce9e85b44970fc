"""What the flusher's thread does about faults: another DuckDB instance, a file attached again, a segment made anew.

Nothing that was acknowledged hangs on a segment's file before it is sealed: the journal has it. So a file that is not what was
written to it is dropped and made again; only a sealed one, or one whose journal has gone too, can take rows with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import duckdb
import pyarrow.compute as pc
import structlog

from agent import schema
from agent.batch import Signal
from agent.store import database
from agent.store.cold import Cold, places_in
from agent.store.faults import Kind, SegmentFault, is_fatal
from agent.store.quarantine import Quarantine
from agent.store.recover import Recovery
from agent.store.segment import Part, Segment, State, bounds_of
from agent.store.store import Store

CLOSING_SECONDS = 15.0
"""Longer than a query may take by default: then its cursor is closed."""

SEALED_TRIES = 6
"""A sealed file that does not answer is tried for some ten seconds before it is set aside."""

_log = structlog.get_logger()


class Healer:
    """Repairs one store; the flusher's thread alone uses it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._quarantine = Quarantine(store.settings, store.grounds.instruments)
        self._tries: Counter[str] = Counter()

    def heal(self, let_go: Callable[[], None]) -> None:
        """Do what there is to do; ``let_go`` closes the caller's cursor. What fails is tried again at the next call.

        Raises:
            duckdb.Error, OSError, SegmentFault: something could not be healed yet.
        """
        store = self._store
        if store.reopening:
            let_go()
            self._reopen()
        if store.suspects:
            with store.upkeep:
                self._look_at_suspects()

    def _look_at_suspects(self) -> None:
        """One that cannot be healed yet keeps nobody from the others."""
        store = self._store
        failed: Exception | None = None
        with store.connection.cursor() as cursor:
            with store.lock:
                suspects = set(store.suspects)
            here = {segment.name: segment for segment in store.segments if not segment.retired}
            for name in sorted(suspects):
                try:
                    if name in here:
                        self._look_at(cursor, here[name])
                except (duckdb.Error, OSError, SegmentFault) as error:
                    failed = failed or error
                    if is_fatal(error):
                        break
                else:
                    with store.lock:
                        store.suspects.discard(name)
        if failed:
            raise failed

    def _reopen(self) -> None:
        """Close every cursor of the instance, connect another, attach every segment again. Senders notice nothing."""
        store = self._store
        store.faults.meet(Kind.DATABASE)
        with store.lock:
            store.changed.wait_for(lambda: not store.cursors, CLOSING_SECONDS)
        with store.upkeep:
            store.disconnect()
            store.connection = store.grounds.connect()
            with store.lock:
                attached = [segment for segment in store.segments if segment.attached]
                for segment in attached:
                    segment.attached = False
                store.suspects.update(segment.name for segment in attached)
            try:
                self._look_at_suspects()
            finally:
                with store.lock:
                    store.reopening = False
                store.faults.heal(Kind.DATABASE)

    def _look_at(self, cursor: duckdb.DuckDBPyConnection, segment: Segment) -> None:
        """Attach a segment's file again if it has what it should; make it anew, or set it aside, if not."""
        self._mark(segment, healing=True)
        try:
            self._heal(cursor, segment)
        finally:
            self._mark(segment, healing=False)
        if segment.state is not State.SEALED and not segment.is_own(segment.journal):
            segment.forget(segment.journal)
            self._store.ask_to_close(segment)  # a journal without a name takes no more rows: what there are go to its file

    def _mark(self, segment: Segment, *, healing: bool) -> None:
        with self._store.lock:
            segment.healing = healing
            self._store.changed.notify_all()

    def _heal(self, cursor: duckdb.DuckDBPyConnection, segment: Segment) -> None:
        try:
            self._attach_again(cursor, segment)
        except (duckdb.Error, OSError, SegmentFault) as error:
            if is_fatal(error) or isinstance(error, duckdb.ResourceInUseException):
                raise  # of the latter: a query still reads the file that was detached
            self._detach(cursor, segment)
            if segment.state is State.SEALED:
                self._tries[segment.name] += 1
                if segment.file.exists() and not isinstance(error, SegmentFault) and self._tries[segment.name] < SEALED_TRIES:
                    raise  # a disk that fails now may answer later
                self._give_up(segment, error)
            elif not segment.is_own(segment.journal):
                self._save_memory(segment)
            elif segment.state is State.OPEN:
                self._store.ask_to_close(segment)
                raise SegmentFault("waiting for the writer to close the segment") from error
            else:
                self._make_anew(cursor, segment)

    def _attach_again(self, cursor: duckdb.DuckDBPyConnection, segment: Segment) -> None:
        self._detach(cursor, segment)
        was_flushed = any(part.flushed_below or part.cold.written for part in segment.parts.values())
        if not segment.file.exists():
            if was_flushed or segment.state is State.SEALED:
                raise SegmentFault("its file is gone")
            return
        database.attach(cursor, segment)
        segment.origins_in_file = set()
        for signal in schema.TABLES:
            self._count_on(cursor, segment, signal)
        compare(cursor, segment)
        segment.forget(segment.blocks)
        if segment.blocks.exists():
            segment.note(segment.blocks)
        with self._store.lock:
            segment.attached = True

    def _count_on(self, cursor: duckdb.DuckDBPyConnection, segment: Segment, signal: Signal) -> None:
        """Rows that a flush had committed before it raised are in the file: they need not be moved again."""
        _, highest = database.bounds_in_file(cursor, segment, signal)
        part = segment.part(signal)
        moved = sum(int((batch.column("arrival").to_numpy() <= highest).sum()) for batch in part.tail)
        if moved:
            with self._store.lock:
                segment.parts[signal] = segment.part(signal).flushed(moved)
                segment.measure()

    def _detach(self, cursor: duckdb.DuckDBPyConnection, segment: Segment) -> None:
        with self._store.lock:
            segment.attached = False
        database.detach(cursor, segment)

    def _make_anew(self, cursor: duckdb.DuckDBPyConnection, segment: Segment) -> None:
        """Drop what was derived from the journal and replay it."""
        store = self._store
        needed = segment.journal.stat().st_size
        derived = sum(path.stat().st_size for path in (segment.file, segment.blocks) if path.exists())
        if store.disk.free_bytes() + derived < needed:
            raise SegmentFault("no room on the disk to make its file again")
        fresh = Segment(segment.name, segment.directory, segment.opened_ns, segment.closes_ns, State.SEALING)
        for path in (segment.file, segment.wal, segment.blocks):
            path.unlink(missing_ok=True)
        recovery = Recovery(store.settings, cursor, store.clock, store.grounds.instruments, same_boot=True)
        recovery.rebuild(fresh)
        with store.lock:
            store.segments = tuple(fresh if one is segment else one for one in store.segments)
            store.changed.notify_all()
        self._count_lost(segment, fresh.parts)
        _log.warning("a segment was made anew from its journal", segment=segment.name)

    def _save_memory(self, segment: Segment) -> None:
        """Its journal is gone: what is still in memory goes to new files, what was in the old ones is lost."""
        for path in (segment.file, segment.wal, segment.blocks):
            segment.forget(path)
            path.unlink(missing_ok=True)
        with self._store.lock:
            before = dict(segment.parts)
            segment.parts = {signal: _in_memory(signal, part) for signal, part in before.items() if part.tail_rows}
            segment.origins_in_file = set()
            segment.measure()
            after = dict(segment.parts)
            self._store.changed.notify_all()
        self._count_lost(replace(segment, parts=before), after)
        _log.error("a segment's files were removed under the running agent", segment=segment.name)

    def _give_up(self, segment: Segment, error: Exception) -> None:
        """A sealed file that does not answer: it is all there was."""
        with self._store.lock:
            segment.retired = True
            self._store.segments = tuple(one for one in self._store.segments if one is not segment)
            self._store.retired["damage"] += 1
        self._count_lost(segment, {})
        self._quarantine.take([path for path in segment.files if path.exists()], segment.name, error)

    def _count_lost(self, segment: Segment, left: dict[Signal, Part]) -> None:
        for signal, part in segment.parts.items():
            lost = part.bounds.rows - left.get(signal, Part()).bounds.rows
            if lost > 0:
                self._store.grounds.instruments.store_lost_rows.labels(signal).inc(lost)
                _log.error("rows went with a file", segment=segment.name, signal=str(signal), rows=lost)


def _in_memory(signal: Signal, part: Part) -> Part:
    """A part without what was in files: the rows whose cold columns are in memory too."""
    cold = Cold(waiting=part.cold.waiting, loose=part.cold.loose)
    extents = [block.extent for block in cold.waiting] + ([cold.loose.extent] if cold.loose else [])
    left = Part(part.flushed_below, cold=cold)
    for batch in part.tail if extents else ():
        rows = batch.filter(pc.greater_equal(batch.column("arrival"), extents[0].first))
        if rows.num_rows:
            left = left.appended(rows, bounds_of(signal, rows))
    return left


def compare(cursor: duckdb.DuckDBPyConnection, segment: Segment) -> None:
    """Whether a segment's files hold all that was moved into them: looked at before its journal goes.

    Of a sealed one only the rows: a block that is damaged costs itself.

    Raises:
        SegmentFault: they do not.
    """
    is_sealed = segment.state is State.SEALED
    places = {} if is_sealed else places_in(segment.blocks)
    for signal in schema.TABLES:
        part = segment.part(signal)
        found, highest = database.bounds_in_file(cursor, segment, signal)
        if found.rows != part.bounds.rows - part.tail_rows or highest >= max(part.flushed_below, 1):
            raise SegmentFault(f"{found.rows} {signal} rows in its file, {part.bounds.rows - part.tail_rows} were moved")
        if not is_sealed and tuple(places.get(signal, ())) != part.cold.written:
            raise SegmentFault(f"the blocks of {signal} are not where they were written")
        if part.cold.written and not segment.blocks.exists():
            raise SegmentFault("its block file is gone")
    if not segment.is_own(segment.file):
        raise SegmentFault("its file was removed or replaced")


class Patience:
    """How long to wait after failures in a row: 0.25 s, doubled up to 4 s."""

    def __init__(self) -> None:
        self._seconds = 0.25

    def next(self) -> float:
        """Seconds to wait now."""
        seconds, self._seconds = self._seconds, min(2 * self._seconds, 4.0)
        return seconds

    def reset(self) -> None:
        """It went well."""
        self._seconds = 0.25
