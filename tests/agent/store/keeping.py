"""Spans as batches, stores over a directory, and what they hold: for the tests of the store."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from prometheus_client import CollectorRegistry

from agent import schema
from agent.batch import Batch, Signal
from agent.clock import MINUTE_NS
from agent.instruments import Instruments
from agent.store.duplicates import RecentRequests, request_rows
from agent.store.flusher import Flusher
from agent.store.opening import open_store
from agent.store.reader import Reading
from agent.store.statement import Statement
from agent.store.store import Store, StoreSettings
from tests.telemetry import START

HOUR_NS = 60 * MINUTE_NS
ORIGIN = 7


class StoppedClock:
    """A clock that a test sets."""

    def __init__(self, now_ns: int = START) -> None:
        self.now = now_ns

    def now_ns(self) -> int:
        return self.now


def _filled(column: pa.Field, count: int) -> pa.Array:
    """A column of nothing in particular."""
    if column.nullable:
        return pa.nulls(count, column.type)
    if pa.types.is_list(column.type):
        return pa.array([[]] * count, column.type)
    return pa.repeat(pa.scalar("" if pa.types.is_string(column.type) else 0, column.type), count)


def origins(*hashes: int) -> pa.RecordBatch:
    """Rows of ``schema.ORIGINS``."""
    rows = [
        {"hash": h, "service_name": "checkout", "resource_schema_url": "", "scope_schema_url": f"https://{h}"} for h in hashes
    ]
    return pa.RecordBatch.from_pylist(rows, schema=schema.ORIGINS)


def span_rows(count: int, first: int = 0, *, origin: int = ORIGIN, attribute: bytes = b"") -> pa.RecordBatch:
    """Spans named by their number from ``first`` on, one microsecond apart."""
    fields = [field for field in schema.SPANS if field.name != "arrival"]
    columns = {field.name: _filled(field, count) for field in fields}
    numbers = pa.array(range(first, first + count), pa.int64())
    columns["start_time_ns"] = pa.array(range(START + first * 1000, START + (first + count) * 1000, 1000), pa.int64())
    columns["name"] = numbers.cast(pa.string())
    columns["service_name"] = pa.repeat("checkout", count)
    columns["origin"] = pa.repeat(pa.scalar(origin, pa.uint64()), count)
    if attribute:
        columns["attributes"] = pa.array([[attribute]] * count, columns["attributes"].type)
    return pa.RecordBatch.from_arrays([columns[field.name] for field in fields], schema=pa.schema(fields))


def batch(count: int, first: int = 0, *, origin: int = ORIGIN, attribute: bytes = b"") -> Batch:
    """``span_rows`` with their origin."""
    return Batch(Signal.TRACES, span_rows(count, first, origin=origin, attribute=attribute), origins(origin))


NO_REQUESTS = request_rows([], [], 0)


def settings(directory: Path, **changed: Any) -> StoreSettings:
    """An hour in segments of five minutes."""
    usual: dict[str, Any] = {
        "retention_ns": HOUR_NS,
        "segment_ns": 5 * MINUTE_NS,
        "max_bytes": 1 << 33,
        "memory_limit_bytes": 256 << 20,
    }
    return StoreSettings(directory, **(usual | changed))


@contextlib.contextmanager
def opened(
    directory: Path, clock: StoppedClock | None = None, instruments: Instruments | None = None, **changed: Any
) -> Iterator[tuple[Store, RecentRequests]]:
    """A store without threads; nothing is flushed but by ``flushed``, and leaving it is like kill -9."""
    told = instruments or Instruments(CollectorRegistry())
    with open_store(settings(directory, **changed), clock or StoppedClock(), told) as found:
        yield found


def flushed(store: Store, *, seal: bool = False) -> None:
    """Do what the flusher's thread would do now; with ``seal``, after closing the open segment."""
    if seal:
        store.close_segment()
    flusher = Flusher(store)
    flusher.flush_due()
    flusher.drain()


@contextlib.contextmanager
def reading(store: Store) -> Iterator[Reading]:
    """A Reading on this thread."""
    found = Reading(store, store.connection.cursor())
    try:
        yield found
    finally:
        found.close()


def selected(found: Reading, columns: str) -> list[tuple[Any, ...]]:
    """These columns of every span, as a query sees them."""
    rows: list[tuple[Any, ...]] = []
    for source in found.sources(Signal.TRACES):
        below = "" if source.below is None else f" WHERE arrival < {source.below}"
        rows += found.select(source, Statement(f"SELECT {columns} FROM {source.relation}{below}", []))
    return rows


def numbers(store: Store) -> list[int]:
    """The number of every span that a query finds, in order of arrival."""
    with reading(store) as found:
        return [int(name) for _, name in sorted(selected(found, "arrival, name"))]


def kept_numbers(directory: Path, **changed: Any) -> list[int]:
    """What a start after this finds."""
    with opened(directory, **changed) as (store, _):
        return numbers(store)


def overwrite(path: Path, at: int, change: Callable[[bytes], bytes], size: int = 1) -> None:
    """Damage a file in place."""
    with path.open("r+b") as file:
        file.seek(at)
        found = file.read(size)
        file.seek(at)
        file.write(change(found))
