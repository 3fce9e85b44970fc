"""A segment written anew without some of its rows: columns, blocks and side tables hold nothing of those that go.

Arrival numbers are given again from the segment's first one on, in their order: the rows of a block follow without a gap.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agent import schema
from agent.batch import Signal
from agent.store import database
from agent.store.block import BLOCK_ROWS, BlockDamaged, Piece
from agent.store.cold import Place, blocks_of, read_block, sync_file, write_blocks
from agent.store.directory import write_directory
from agent.store.segment import ROW_GROUP, Segment
from agent.store.usage import file_bytes

AT_ONCE = 8 * ROW_GROUP
"""Rows whose hot columns are looked at together: some 20 MiB."""

Goes = Callable[[Signal, pa.RecordBatch], pa.Array]
"""Which of some rows go, by their hot columns: one boolean a row."""


@dataclass(slots=True)
class _Copy:
    """What waits to be written of one signal."""

    signal: Signal
    next_arrival: int
    hot: list[pa.RecordBatch] = field(default_factory=list)
    cold: list[pa.RecordBatch] = field(default_factory=list)
    waiting: int = 0
    origins: set[int] = field(default_factory=set)


def rows_that_go(connection: duckdb.DuckDBPyConnection, segment: Segment, goes: Goes) -> dict[Signal, int]:
    """How many rows of each signal go."""
    found = {}
    for signal in segment.parts:
        first, end = _arrivals(connection, segment, signal)
        batches = (
            batch
            for low in range(first, end, AT_ONCE)
            for batch in _hot(connection, segment, signal, low, min(low + AT_ONCE, end))
        )
        found[signal] = sum(int(pc.sum(goes(signal, batch)).as_py() or 0) for batch in batches)
    return found


def _arrivals(connection: duckdb.DuckDBPyConnection, segment: Segment, signal: Signal) -> tuple[int, int]:
    """The arrival numbers of a signal's rows, ``[first, end)``."""
    part = segment.part(signal)
    found = [int(batch.column("arrival")[place].as_py()) for batch in part.tail for place in (0, -1)]
    if segment.attached and part.flushed_below:
        table = f"{segment.alias}.{schema.TABLE_NAMES[signal]}"
        ((least, most),) = connection.execute(f"SELECT min(arrival), max(arrival) FROM {table}").fetchall()  # noqa: S608 ours
        found += [number for number in (least, most) if number is not None]
    return (min(found), max(found) + 1) if found else (0, 0)


def rewrite(connection: duckdb.DuckDBPyConnection, old: Segment, new: Segment, goes: Goes) -> None:
    """Write what stays of ``old`` to the files of ``new``, synced; they are not attached afterwards.

    Raises:
        duckdb.Error, OSError: it could not be done; what was written of ``new`` is of no use.
    """
    database.attach(connection, new)
    try:
        used: set[int] = set()
        for signal, part in old.parts.items():
            pieces = (*part.cold.written, *part.cold.waiting, *((part.cold.loose,) if part.cold.loose else ()))
            if pieces:
                copy = _Copy(signal, pieces[0].extent.first)
                for piece in _read(old, pieces):
                    _take(connection, old, copy, piece, goes)
                    _write(connection, new, copy, least=ROW_GROUP)
                _write(connection, new, copy, least=1)
                used |= copy.origins
        _side_tables(connection, old, new, used)
        if new.blocks.exists():
            write_directory(new.blocks, file_bytes(new.blocks))
            sync_file(new.blocks)
        database.checkpoint(connection, new)
    finally:
        database.detach(connection, new)


def _read(segment: Segment, pieces: Sequence[Place | Piece]) -> Iterator[Piece]:
    """The pieces one by one; a damaged one is left out, as queries leave it out."""
    fd = os.open(segment.blocks, os.O_RDONLY | os.O_CLOEXEC) if segment.blocks.exists() else -1
    try:
        for piece in pieces:
            try:
                yield read_block(fd, piece) if isinstance(piece, Place) else piece
            except (BlockDamaged, OSError):
                continue
    finally:
        if fd >= 0:
            os.close(fd)


def _hot(
    connection: duckdb.DuckDBPyConnection, segment: Segment, signal: Signal, first: int, end: int
) -> Iterator[pa.RecordBatch]:
    """The hot columns of the rows with arrivals ``[first, end)``, in order: those in the file, then those in memory."""
    wanted, part = schema.hot_schema(signal), segment.part(signal)
    if segment.attached and first < part.flushed_below:
        found = connection.sql(
            f"SELECT {', '.join(wanted.names)} FROM {segment.alias}.{schema.TABLE_NAMES[signal]} "  # noqa: S608 our own names
            "WHERE arrival >= ? AND arrival < ? ORDER BY arrival",
            params=[first, min(end, part.flushed_below)],
        )
        for batch in found.to_arrow_table().cast(wanted).to_batches():
            if batch.num_rows:
                yield batch
    for batch in part.tail:
        arrivals = batch.column("arrival")
        rows = batch.filter(pc.and_(pc.greater_equal(arrivals, first), pc.less(arrivals, end)))
        if rows.num_rows:
            yield rows


def _take(connection: duckdb.DuckDBPyConnection, old: Segment, copy: _Copy, piece: Piece, goes: Goes) -> None:
    """What stays of a piece, hot and cold columns side by side."""
    names = schema.COLD[copy.signal]
    cold = pa.RecordBatch.from_arrays([piece.column(name) for name in names], names=list(names))
    for hot in _hot(connection, old, copy.signal, piece.extent.first, piece.extent.end):
        stays = hot.filter(pc.invert(goes(copy.signal, hot)))
        if stays.num_rows:
            indices = pc.subtract(stays.column("arrival"), piece.extent.first)
            copy.hot.append(stays)
            copy.cold.append(cold.take(indices))
            copy.waiting += stays.num_rows


def _write(connection: duckdb.DuckDBPyConnection, new: Segment, copy: _Copy, *, least: int) -> None:
    """Write what waits once it is ``least`` rows: blocks, then the hot columns."""
    if copy.waiting < least:
        return
    hot, cold = (pa.Table.from_batches(waiting).combine_chunks().to_batches()[0] for waiting in (copy.hot, copy.cold))
    for at in range(0, copy.waiting, BLOCK_ROWS):
        rows = cold.slice(at, BLOCK_ROWS)
        times = hot.column(schema.TIME_COLUMNS[copy.signal]).slice(at, BLOCK_ROWS)
        blocks = blocks_of(copy.signal, copy.next_arrival + at, rows, times)
        write_blocks(new.blocks, [block for block, _ in blocks], file_bytes(new.blocks))
    arrivals = pa.array(np.arange(copy.next_arrival, copy.next_arrival + copy.waiting))
    place = hot.schema.get_field_index("arrival")
    numbered = hot.set_column(place, hot.schema.field(place), arrivals)
    database.insert(connection, new, schema.TABLE_NAMES[copy.signal], pa.Table.from_batches([numbered]))
    copy.origins |= set(pc.unique(hot.column("origin")).to_pylist())
    copy.next_arrival += copy.waiting
    copy.hot, copy.cold, copy.waiting = [], [], 0


def _side_tables(connection: duckdb.DuckDBPyConnection, old: Segment, new: Segment, used: set[int]) -> None:
    """Origins of the rows that stay, the requests of old, and filters of the traces that stay."""
    tables = [pa.Table.from_batches([row]) for value, row in old.origins.items() if value in used]
    requests = [pa.Table.from_batches(old.requests)] if old.requests else []
    if old.attached:
        in_file = connection.sql(f"SELECT * FROM {old.alias}.origins").to_arrow_table().cast(schema.ORIGINS)  # noqa: S608 ours
        missing = pa.array(sorted(used - old.origins.keys()), pa.uint64())
        tables.append(in_file.filter(pc.is_in(in_file.column("hash"), missing)))
        requests.append(connection.sql(f"SELECT * FROM {old.alias}.requests").to_arrow_table())  # noqa: S608 ours
    if tables:
        database.insert_new_origins(connection, new, pa.concat_tables(tables))
    if requests:
        whole = pa.concat_tables([table.cast(_REQUESTS) for table in requests])
        database.insert(connection, new, "requests", whole)
    database.note_traces(connection, new, old.parts)


_REQUESTS = pa.schema([field if field.name != "hash" else pa.field("hash", pa.binary()) for field in schema.REQUESTS])
"""As DuckDB has them: a hash of whatever length."""
