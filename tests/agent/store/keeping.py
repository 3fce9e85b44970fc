"""Spans as batches, stores over a directory, and what they hold: for the tests of the store."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from prometheus_client import CollectorRegistry

from agent import schema
from agent.batch import Batch, Signal
from agent.clock import MINUTE_NS
from agent.instruments import Instruments
from agent.store.block import Block, Loose
from agent.store.cold import blocks_of
from agent.store.duplicates import RecentRequests, request_rows
from agent.store.flusher import Flusher
from agent.store.grounds import StoreSettings
from agent.store.opening import open_store
from agent.store.reader import Reading
from agent.store.statement import Statement
from agent.store.store import Store
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
    nothing: object = "" if pa.types.is_string(column.type) else False if pa.types.is_boolean(column.type) else 0
    return pa.repeat(pa.scalar(nothing, column.type), count)


def origins(*hashes: int) -> pa.RecordBatch:
    """Rows of ``schema.ORIGINS``."""
    rows = [
        {"hash": h, "service_name": "checkout", "resource_schema_url": "", "scope_schema_url": f"https://{h}"} for h in hashes
    ]
    return pa.RecordBatch.from_pylist(rows, schema=schema.ORIGINS)


def span_rows(count: int, first: int = 0, *, origin: int = ORIGIN, attribute_bytes: int = 0) -> pa.RecordBatch:
    """Spans named by their number from ``first`` on, one microsecond apart; ``trace_state`` says it once more, in a cold column.

    With ``attribute_bytes`` each has one attribute of that many bytes, which no other has.
    """
    fields = [field for field in schema.SPANS if field.name != "arrival"]
    columns = {field.name: _filled(field, count) for field in fields}
    numbers = pa.array(range(first, first + count), pa.int64())
    columns["start_time_ns"] = pa.array(range(START + first * 1000, START + (first + count) * 1000, 1000), pa.int64())
    columns["name"] = columns["trace_state"] = numbers.cast(pa.string())
    columns["service_name"] = pa.repeat("checkout", count)
    columns["origin"] = pa.repeat(pa.scalar(origin, pa.uint64()), count)
    if attribute_bytes:
        noise = random.Random(first)
        columns["attributes"] = pa.array([[noise.randbytes(attribute_bytes)] for _ in range(count)], columns["attributes"].type)
    return pa.RecordBatch.from_arrays([columns[field.name] for field in fields], schema=pa.schema(fields))


def hot_rows(count: int, first: int = 0) -> pa.RecordBatch:
    """The hot columns of ``span_rows``; arrival numbers are the spans' own."""
    rows, wanted = span_rows(count, first), schema.hot_schema(Signal.TRACES)
    arrivals = pa.array(range(first, first + count), pa.int64())
    columns = [arrivals if name == "arrival" else rows.column(name) for name in wanted.names]
    return pa.RecordBatch.from_arrays(columns, schema=wanted)


def cold_blocks(count: int, first: int = 0, *, attribute_bytes: int = 0) -> list[tuple[Block, Loose]]:
    """The cold columns of ``span_rows``; arrival numbers are the spans' own."""
    rows = span_rows(count, first, attribute_bytes=attribute_bytes)
    return blocks_of(Signal.TRACES, first, rows, rows.column("start_time_ns"))


def batch(count: int, first: int = 0, *, origin: int = ORIGIN, attribute_bytes: int = 0) -> Batch:
    """``span_rows`` with their origin."""
    return Batch(Signal.TRACES, span_rows(count, first, origin=origin, attribute_bytes=attribute_bytes), origins(origin))


def log_batch(count: int, first: int = 0) -> Batch:
    """Log records whose bodies are their numbers from ``first`` on."""
    fields = [field for field in schema.LOGS if field.name != "arrival"]
    columns = {field.name: _filled(field, count) for field in fields}
    columns["time_ns"] = pa.array(range(START + first * 1000, START + (first + count) * 1000, 1000), pa.int64())
    columns["body_text"] = pa.array([str(number) for number in range(first, first + count)])
    columns["origin"] = pa.repeat(pa.scalar(ORIGIN, pa.uint64()), count)
    rows = pa.RecordBatch.from_arrays([columns[field.name] for field in fields], schema=pa.schema(fields))
    return Batch(Signal.LOGS, rows, origins(ORIGIN))


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


def shown(found: Reading) -> list[int]:
    """The number of every span that a query can show, in order of arrival: of those whose cold columns are there, and its own."""
    rows: list[tuple[int, str]] = []
    for source in found.sources(Signal.TRACES):
        below = "" if source.below is None else f" WHERE arrival < {source.below}"
        hot = found.select(source, Statement(f"SELECT arrival, name FROM {source.relation}{below}", []))
        cold = found.cold(source.segment, Signal.TRACES, [arrival for arrival, _ in hot], ["trace_state"])
        assert all(cold.get(arrival, (name,)) == (name,) for arrival, name in hot), "a row has the cold columns of another"
        rows += [(arrival, name) for arrival, name in hot if arrival in cold]
    return [int(name) for _, name in sorted(rows)]


def numbers(store: Store) -> list[int]:
    """The number of every span that a query shows, in order of arrival."""
    with reading(store) as found:
        return shown(found)


def damaged(store: Store) -> list[str]:
    """The segments of which a query that reads all of them could not read something."""
    with reading(store) as found:
        shown(found)
        return found.damaged


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
