"""Reading: statements on threads, each query with its own cursor, its own view and a deadline that stops DuckDB."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

import duckdb
import pyarrow as pa

from agent import schema
from agent.arrays import Numbers
from agent.batch import Signal
from agent.errors import DeadlinePassed, StoreUnavailable, TooLarge
from agent.store.faults import is_fatal
from agent.store.remembered import LARGEST_ORIGIN, OriginRow, Remembered, Selected, origin_bytes
from agent.store.segment import Bounds
from agent.store.shelf import Shelf, Taken
from agent.store.statement import Source, Statement, Wanted
from agent.store.store import Store, View
from agent.store.weight import UNBOUNDED, text_bytes

Result = TypeVar("Result")

INTERRUPT_SECONDS = 0.05

ROWS_AT_ONCE = 64
"""Rows read before it is looked how large they are: one more MiB at most where names are as long as they may be."""


class SegmentUnreadable(Exception):
    """One segment's file does not answer; the others do."""

    def __init__(self, segment: str) -> None:
        super().__init__(segment)
        self.segment = segment


class Reading:
    """One query's view of the store; used by one thread, cancelled from any."""

    def __init__(self, store: Store, cursor: duckdb.DuckDBPyConnection, remembered: Remembered | None = None) -> None:
        self._remembered = remembered or Remembered()
        self._store = store
        self._cursor = cursor
        self._cancelled = False
        self._views: dict[tuple[str, Signal], View] = {}
        self._segments: dict[str, View] = {}
        self._shelves: dict[tuple[str, Signal], Shelf] = {}
        self._among: dict[tuple[str, Signal, Wanted], str] = {}
        self._numbers = itertools.count()
        self._detached: set[str] = set()

    def cancel(self) -> None:
        """Stop the statement that runs and let no other begin."""
        self._cancelled = True
        with contextlib.suppress(duckdb.ConnectionException):  # the thread has just closed it
            self._cursor.interrupt()

    def close(self) -> None:
        """Let go of the cursor and the files; the thread that used them calls this."""
        for shelf in self._shelves.values():
            shelf.close()
        self._store.release(self._cursor)

    def sources(self, signal: Signal) -> list[Source]:
        """Where this signal's rows lie now, newest segment first. Every row acknowledged before the call is in one."""
        found = []
        self._store.wait_for_healing()
        for number, view in enumerate(reversed(self._store.views(signal))):
            self._views[view.segment.name, signal] = self._segments[view.segment.name] = view
            name, bounds = view.segment.name, view.part.bounds
            if view.part.tail:
                relation = f"tail_{number}"
                self._cursor.register(relation, pa.Table.from_batches(view.part.tail))
                found.append(Source(relation, name, None, bounds))
            if view.part.flushed_below and not view.attached:
                self._detached.add(name)
            elif view.part.flushed_below:
                relation = f"{view.segment.alias}.{schema.TABLE_NAMES[signal]}"
                below = None if view.sealed else view.part.flushed_below
                found.append(Source(relation, name, below, view.part.stored or bounds, view.sealed, view.part.traces))
        return [source for source in found if source.bounds != Bounds()]

    def cold(self, segment: str, signal: Signal, arrivals: Sequence[int], names: Sequence[str]) -> dict[int, tuple[Any, ...]]:
        """The named cold columns of rows by arrival number, as far as they can be read (see ``damaged``).

        Raises:
            DeadlinePassed: cancelled.
        """
        return self._shelf(segment, signal).rows(arrivals, names)

    def cold_within(
        self, room: int, segment: str, signal: Signal, arrivals: Sequence[int], names: Sequence[str] | None = None
    ) -> Taken:
        """All cold columns of rows, or the named ones, those of the first arrival first, as far as ``room`` bytes go.

        See ``Shelf.take``.

        Raises:
            DeadlinePassed: cancelled.
        """
        return self._shelf(segment, signal).take(arrivals, names or schema.COLD[signal], room)

    def among(self, source: Source, signal: Signal, wanted: Wanted) -> Source:
        """The source, limited to the rows that meet conditions on cold columns, as far as they can be read.

        Raises:
            DeadlinePassed: cancelled.
        """
        if (key := (source.segment, signal, wanted)) not in self._among:
            self._among[key] = self._registered(self._shelf(source.segment, signal).arrivals(wanted))
        return replace(source, among=self._among[key])

    def count(self, sources: Sequence[Source], signal: Signal, wanted: Wanted) -> tuple[int, list[Source]]:
        """As ``among``: how many rows of one segment, of which these are all sources, meet the conditions within their time.

        What that cannot tell of is left: the sources, limited to rows that meet the conditions at some time.
        """
        count, arrivals = self._shelf(sources[0].segment, signal).count(wanted)
        return count, [replace(source, among=self._registered(arrivals)) for source in sources] if len(arrivals) else []

    def _registered(self, arrivals: Numbers) -> str:
        """The name of a relation of these arrival numbers."""
        self._cursor.register(name := f"among_{next(self._numbers)}", pa.table({"arrival": arrivals}))
        return name

    @property
    def damaged(self) -> list[str]:
        """The segments of which something could not be read."""
        return sorted(self._detached.union(segment for (segment, _), shelf in self._shelves.items() if shelf.damaged))

    def _shelf(self, segment: str, signal: Signal) -> Shelf:
        if (segment, signal) not in self._shelves:
            self._shelves[segment, signal] = Shelf(self._views[segment, signal], self._check, self._remembered.blocks)
        return self._shelves[segment, signal]

    def _check(self) -> None:
        """Stop where a statement would be interrupted."""
        if self._cancelled:
            raise DeadlinePassed("the query took too long; narrow the window or add a filter")

    def select(self, source: Source, statement: Statement, texts: Sequence[int] = (), room: int = UNBOUNDED) -> Selected:
        """The rows of one statement; none when its segment has been retired meanwhile.

        With ``room``, those of them up to where the columns ``texts`` take that many bytes, and a few behind if there are any.
        Python values at once: a page of wide rows by way of Arrow costs twice as much (4.3 against 2.4 ms).

        Raises:
            DeadlinePassed: cancelled.
            SegmentUnreadable: the segment's file does not answer.
        """
        try:
            return self._ask(statement, texts, room)
        except duckdb.InterruptException as error:
            raise DeadlinePassed("the query took too long; narrow the window or add a filter") from error
        except duckdb.OutOfMemoryException as error:
            raise TooLarge("the query needs more memory than queries may have; narrow the window or add a filter") from error
        except duckdb.Error as error:
            if self._segments[source.segment].segment.retired:
                return []
            if is_fatal(error):
                self._store.suspect()
                raise StoreUnavailable("the store reopens its files; ask again") from error
            return self._ask_once_more(source, statement, texts, room)

    def _ask(self, statement: Statement, texts: Sequence[int], room: int) -> Selected:
        self._check()
        result = self._cursor.execute(statement.text, list(statement.parameters))
        if room == UNBOUNDED:
            return result.fetchall()
        found: Selected = []
        while True:
            found += (run := result.fetchmany(ROWS_AT_ONCE))
            if len(run) < ROWS_AT_ONCE:
                return found
            if room <= 0:
                self._cursor.abort()  # DuckDB 2 refuses other work beside an unfinished result
                return found
            room -= text_bytes(run, texts)

    def _ask_once_more(self, source: Source, statement: Statement, texts: Sequence[int], room: int) -> Selected:
        """It may have been detached only to be attached again.

        Raises:
            SegmentUnreadable: it still does not answer.
        """
        self._store.wait_for_healing()
        segment = self._segments[source.segment].segment
        try:
            if segment.attached and any(one is segment for one in self._store.segments):
                return self._ask(statement, texts, room)
        except duckdb.Error as error:
            raise SegmentUnreadable(source.segment) from error
        raise SegmentUnreadable(source.segment)

    def summarise(self, source: Source, statement: Statement) -> Selected:
        """As ``select``, for few rows: those of a sealed segment are remembered."""
        if not source.is_fixed or source.among is not None:
            return self.select(source, statement)
        key = (statement.text, tuple(statement.parameters))
        with self._store.lock:
            known = self._remembered.counts.get(key)
        if known is None:
            known = self.select(source, statement)
            with self._store.lock:
                self._remembered.counts[key] = known
        return known

    def origins(self, segment: str, hashes: Collection[int]) -> list[OriginRow]:
        """Rows of ``schema.ORIGINS`` for these hashes of one segment."""
        remembered = self._remembered.origins
        with self._store.lock:
            known = {value: remembered[segment, value] for value in hashes if (segment, value) in remembered}
        found = self._origins(segment, [value for value in hashes if value not in known])
        with self._store.lock:
            remembered.update({(segment, value): row for value, row in found.items() if origin_bytes(row) <= LARGEST_ORIGIN})
        return [*known.values(), *found.values()]

    def _origins(self, segment: str, hashes: list[int]) -> dict[int, OriginRow]:
        """Of those that nobody remembers."""
        view = self._segments[segment]
        with self._store.lock:
            known = [view.segment.origins[value] for value in hashes if value in view.segment.origins]
        rows = [row for batch in known for row in batch.to_pylist()]
        if len(rows) < len(hashes) and view.attached:
            lacking = list(set(hashes) - {row["hash"] for row in rows})
            source = Source(f"{view.segment.alias}.origins", segment, None, view.part.bounds)
            names = ", ".join(schema.ORIGINS.names)
            text = f"SELECT {names} FROM {source.relation} WHERE list_contains(?::UBIGINT[], hash)"  # noqa: S608 our own names
            rows += [
                dict(zip(schema.ORIGINS.names, row, strict=True)) for row in self.select(source, Statement(text, [lacking]))
            ]
        return {row["hash"]: row for row in rows}


class Reader:
    """Runs queries on threads of its own."""

    def __init__(self, store: Store, threads: int) -> None:
        self._store = store
        self._remembered = Remembered()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="reader")
        self._running: set[Reading] = set()

    async def run(self, work: Callable[[Reading], Result], timeout_seconds: float) -> Result:
        """Do ``work`` on a thread with a Reading of its own.

        When the time is up, or the caller is cancelled, DuckDB is interrupted, and this returns only when it has stopped.

        Raises:
            DeadlinePassed: the time was up.
        """
        reading = Reading(self._store, self._store.cursor(), self._remembered)
        self._running.add(reading)
        done = asyncio.get_running_loop().run_in_executor(self._threads, self._do, work, reading)
        try:
            async with asyncio.timeout(timeout_seconds):
                return await asyncio.shield(done)
        except TimeoutError as error:
            raise DeadlinePassed("the query took too long; narrow the window or add a filter") from error
        finally:
            while not done.done():
                # Again and again: an interrupt that comes just before a statement begins is lost.
                reading.cancel()
                await asyncio.wait([done], timeout=INTERRUPT_SECONDS)
            if not done.cancelled():
                done.exception()  # when it was interrupted, whatever it says has no reader

    def _do(self, work: Callable[[Reading], Result], reading: Reading) -> Result:
        try:
            return work(reading)
        finally:
            reading.close()
            self._running.discard(reading)

    def close(self) -> None:
        """Stop what still runs, which nobody waits for any more, and wait for the threads to end."""
        while self._running:
            for reading in list(self._running):
                reading.cancel()
            threading.Event().wait(INTERRUPT_SECONDS)
        self._threads.shutdown()


@asynccontextmanager
async def reading(store: Store, threads: int) -> AsyncIterator[Reader]:
    """A Reader with this many threads; it ends when they have."""
    reader = Reader(store, threads)
    try:
        yield reader
    finally:
        await asyncio.to_thread(reader.close)
