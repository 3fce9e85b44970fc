"""What each service takes of the disk budget, and which have their share: those are told to come again.

A segment's bytes on disk are shared out by the bytes that each service has sent to it; of a segment that was there before the
start, by its rows.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import duckdb
import pyarrow.compute as pc
import structlog

from agent import schema
from agent.batch import Export
from agent.store.segment import Segment
from agent.store.store import Store
from agent.store.usage import file_bytes

INTERVAL_SECONDS = 1.0

_log = structlog.get_logger()

Senders = Callable[[bytes], Mapping[str, int]]
"""Bytes by service in a payload."""


class Shares:
    """The shares of one store; the writer's thread asks and tells, another looks."""

    def __init__(self, store: Store, senders: Senders, most_bytes: int) -> None:
        self._store = store
        self._senders = senders
        self._most_bytes = most_bytes
        self._weights: dict[str, Counter[str]] = {}
        self.full: frozenset[str] = frozenset()
        """Services that have their share."""

    def refuses(self, export: Export) -> bool:
        """Whether an export holds something of a service that has its share."""
        return bool(self.full) and not self.full.isdisjoint(self._senders(export.payload))

    def add(self, segment: str, export: Export) -> None:
        """An export has been written to a segment."""
        with self._store.lock:
            self._weights.setdefault(segment, Counter()).update(self._senders(export.payload))

    def look(self) -> None:
        """See again who has a share."""
        segments = self._store.segments
        known = {segment.name: self._weighed(segment) for segment in segments}
        taken: Counter[str] = Counter()
        for segment in segments:
            weights, size = known[segment.name], sum(map(file_bytes, segment.files))
            whole = weights.total() or 1
            taken.update({service: size * weight // whole for service, weight in weights.items()})
        with self._store.lock:
            for gone in self._weights.keys() - known.keys():
                del self._weights[gone]
        self.full = frozenset(service for service, size in taken.items() if size >= self._most_bytes)

    def _weighed(self, segment: Segment) -> Counter[str]:
        with self._store.lock:
            known = self._weights.get(segment.name)
            if known is not None:
                return Counter(known)
        found = self._rows(segment)
        with self._store.lock:
            self._weights[segment.name] = found
        return found

    def _rows(self, segment: Segment) -> Counter[str]:
        """Rows by service of a segment from before the start."""
        found: Counter[str] = Counter()
        for signal, part in segment.parts.items():
            for batch in part.tail:
                for one in pc.value_counts(batch.column("service_name")).to_pylist():
                    found[one["values"]] += one["counts"]
            if not (part.flushed_below and segment.attached):
                continue
            with self._store.connection.cursor() as cursor:
                table = f"{segment.alias}.{schema.TABLE_NAMES[signal]}"
                text = f"SELECT service_name, count(*) FROM {table} GROUP BY service_name"  # noqa: S608 our own names
                found.update(dict(cursor.execute(text).fetchall()))
        return found


@asynccontextmanager
async def sharing(store: Store, senders: Senders, percent: int) -> AsyncIterator[Shares | None]:
    """Shares of ``percent`` of the disk budget, looked at once a second until left; None where a service may have all."""
    if percent >= 100:
        yield None
        return
    shares = Shares(store, senders, store.settings.max_bytes * percent // 100)
    async with asyncio.TaskGroup() as tasks:
        loop = tasks.create_task(_look_forever(shares))
        try:
            yield shares
        finally:
            loop.cancel()


async def _look_forever(shares: Shares) -> None:
    while True:
        try:
            await asyncio.to_thread(shares.look)
        except (duckdb.Error, OSError) as error:
            _log.error("could not see what services take of the disk; trying again", exc_info=error)
        await asyncio.sleep(INTERVAL_SECONDS)
