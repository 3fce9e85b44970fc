"""A data directory with a leak in every kind of segment, and all that its files hold: for the tests of purging."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import duckdb

from agent import schema
from agent.batch import Export, Receipt, Signal
from agent.clock import MINUTE_NS
from agent.decode.logs import log_decoder
from agent.decode.points import point_decoder
from agent.decode.spans import span_decoder
from agent.store import database
from agent.store.block import Block
from agent.store.cold import places_in, read_block
from agent.store.duplicates import request_rows
from agent.store.journal import replay
from agent.store.store import Store
from tests.agent.store.keeping import flushed, opened, reading
from tests.telemetry import START, any_value, attributes, gauge, log, log_request, metric_request, request, span

LEAK = "leaked-b7f3c1"
"""Stands in every place of a record of the service that is purged."""

DECODERS = {Signal.TRACES: span_decoder, Signal.LOGS: log_decoder, Signal.METRICS: point_decoder}


def keep(store: Store, number: int, service: str, text: str) -> None:
    """One span, log record and data point of a service, one minute after the last."""
    said = attributes({text: text, "n": number})
    at = START + number * MINUTE_NS
    one = span(number, name=text, attributes=said, start_time_unix_nano=at, end_time_unix_nano=at)
    record = log(number, body=any_value(text), attributes=said, time_unix_nano=at)
    metric = gauge(text, number, attributes=said)
    metric.unit, metric.gauge.data_points[0].time_unix_nano = text, at
    for signal, sent in (
        (Signal.TRACES, request(one, service=service, note=text)),
        (Signal.LOGS, log_request(record, service=service, note=text)),
        (Signal.METRICS, metric_request(metric, service=service, note=text)),
    ):
        decoded = DECODERS[signal](lambda _: True).decode([Export(signal, sent.SerializeToString(), 1)], at)
        assert decoded.batch is not None
        key = number.to_bytes(8, "little") + signal.value.encode().ljust(8)[:8]
        store.append([decoded.batch], request_rows([key], [Receipt(1, {}, "")], at))


def fill(directory: Path) -> None:
    """Four segments: sealed with both services, sealed with the leak alone, one half moved to files, one in its journal alone."""
    with opened(directory) as (store, _):
        for number in (0, 1):
            keep(store, number, ("checkout", "payment")[number], (LEAK, "fine")[number])
        flushed(store, seal=True)
        keep(store, 2, "checkout", LEAK)
        flushed(store, seal=True)
        for number in (3, 4):
            keep(store, number, ("checkout", "payment")[number % 2 == 0], (LEAK, "fine")[number % 2 == 0])
        store.close_segment()
        for number in (5, 6):
            keep(store, number, ("checkout", "payment")[number % 2 == 0], (LEAK, "fine")[number % 2 == 0])


def unpacked(block: Block) -> bytes:
    """What a block holds."""
    return repr([block.column(name).to_pylist() for name in schema.COLD[block.extent.signal]]).encode()


def in_blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        for place in (place for places in places_in(path).values() for place in places):
            yield unpacked(read_block(file.fileno(), place))


def in_journal(path: Path) -> Iterator[bytes]:
    for frame in replay(path):
        yield repr([batch.to_pylist() for batch in frame.batches.values()]).encode()
        yield from map(unpacked, frame.blocks)


@functools.cache
def _instance() -> duckdb.DuckDBPyConnection:
    """One for all the files: to make one takes longer than to read a file."""
    return duckdb.connect()


def in_tables(path: Path) -> Iterator[bytes]:
    connection = _instance().cursor()
    connection.execute(f"ATTACH {database.quoted(str(path))} AS looked_into (READ_ONLY)")
    try:
        for table in database.TABLES:
            yield repr(connection.execute(f"SELECT * FROM looked_into.{table}").fetchall()).encode()
    finally:
        connection.execute("DETACH looked_into")
        connection.close()


def decoded_content(directory: Path) -> Iterator[bytes]:
    """All that lies in a directory: the files' own bytes, and what the packed ones hold."""
    for path in (path for path in directory.rglob("*") if path.is_file()):
        yield path.read_bytes()
    for kind, content in (("blocks", in_blocks), ("journal", in_journal), ("duckdb", in_tables)):
        for path in directory.glob(f"*.{kind}"):
            yield from content(path)


def holds(directory: Path, text: str) -> bool:
    return any(text.encode() in content for content in decoded_content(directory))


def left(store: Store) -> dict[Signal, list[int]]:
    """The numbers of the records that queries show, from their attributes."""
    found: dict[Signal, list[int]] = {}
    for signal in schema.TABLES:
        numbers = []
        with reading(store) as one:
            for source in one.sources(signal):
                below = "" if source.below is None else f" WHERE arrival < {source.below}"
                rows = one._cursor.execute(f"SELECT arrival, origin FROM {source.relation}{below}").fetchall()
                cold = one.cold(source.segment, signal, [arrival for arrival, _ in rows], ["attributes"])
                assert len(one.origins(source.segment, [origin for _, origin in rows])) == len({o for _, o in rows})
                numbers += [cold[arrival][0] for arrival, _ in rows]
            assert one.damaged == []
        found[signal] = sorted(_number(wires) for wires in numbers)
    return found


def every(*numbers: int) -> dict[Signal, list[int]]:
    """These numbers of each signal."""
    return {signal: list(numbers) for signal in schema.TABLES}


def _number(wires: list[bytes]) -> int:
    return next(wire[-1] for wire in wires if wire[2:3] == b"n")
