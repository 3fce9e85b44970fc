"""The one DuckDB instance: an in-memory primary, hardened, with one attached file per segment.

A failed checkpoint of an attached file costs that file; of a primary file it would cost every connection (ADR 2). No keys,
no indexes, no DELETE, no UPDATE: the paths on which DuckDB has lost data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from agent import schema
from agent.batch import Signal
from agent.store.bloom import Bloom, Traces, traces_of
from agent.store.segment import ROW_GROUP, Bounds, Segment

_SQL_TYPES = {
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.uint32(): "UINTEGER",
    pa.uint64(): "UBIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    pa.string(): "VARCHAR",
    pa.binary(): "BLOB",
    pa.binary(16): "BLOB",
}

_RUN = "@"
"""In the table of filters, between a signal and the first arrival of a run of its rows."""

TABLES: dict[str, pa.Schema] = {
    **{schema.TABLE_NAMES[signal]: schema.hot_schema(signal) for signal in Signal},
    "origins": schema.ORIGINS,
    "requests": schema.REQUESTS,
    "blooms": schema.BLOOMS,
}


def connect(directory: Path, memory_limit_bytes: int, threads: int) -> duckdb.DuckDBPyConnection:
    """The instance, able to touch nothing but ``directory``; spilled data goes to its ``tmp``."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "allow_persistent_secrets": "false",
            "python_enable_replacements": "false",
            "memory_limit": f"{memory_limit_bytes // 1024}KiB",
            "threads": str(threads),
            "temp_directory": str(directory / "tmp"),
            "max_temp_directory_size": "1GiB",
            "preserve_insertion_order": "true",
            # A checkpoint runs when a segment is sealed, on the flusher's thread; DuckDB's own would stall commits.
            "wal_autocheckpoint": "1TiB",
            # Hot columns are narrow: the join by which DuckDB would read them for a page alone costs a statement 1.0 to 1.3 ms.
            "late_materialization_max_rows": "0",
        },
    )
    connection.execute(f"SET allowed_directories = [{quoted(str(directory))}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def quoted(text: str) -> str:
    """A string literal; only for names that this program made and the configured directory."""
    return "'" + text.replace("'", "''") + "'"


def _sql_type(arrow: pa.DataType) -> str:
    return f"{_sql_type(arrow.value_type)}[]" if pa.types.is_list(arrow) else _SQL_TYPES[arrow]


class OtherVersion(duckdb.Error):
    """The file's columns are those of another version of this program."""


def attach(connection: duckdb.DuckDBPyConnection, segment: Segment) -> None:
    """Attach a segment's file, made with its tables when it is new; when this raises, it is not attached.

    Raises:
        duckdb.Error: it cannot be read, or (``OtherVersion``) not by this version.
    """
    connection.execute(
        f"ATTACH {quoted(str(segment.file))} AS {segment.alias} (ROW_GROUP_SIZE {ROW_GROUP}, STORAGE_VERSION 'latest')"
    )
    try:
        _prepare(connection, segment)
    except duckdb.Error:
        detach(connection, segment)
        raise
    segment.note(segment.file)


def _prepare(connection: duckdb.DuckDBPyConnection, segment: Segment) -> None:
    """Make the tables, and the version beside them; or compare it."""
    connection.execute(f"CREATE TABLE IF NOT EXISTS {segment.alias}.about AS SELECT {schema.VERSION} AS version")
    ((version,),) = connection.execute(f"SELECT version FROM {segment.alias}.about").fetchall()  # noqa: S608 our own name
    if version != schema.VERSION:
        raise OtherVersion(f"version {version}; this program reads version {schema.VERSION}")
    for name, columns in TABLES.items():
        fields = ", ".join(f"{field.name} {_sql_type(field.type)}{'' if field.nullable else ' NOT NULL'}" for field in columns)
        connection.execute(f"CREATE TABLE IF NOT EXISTS {segment.alias}.{name} ({fields})")


def detach(connection: duckdb.DuckDBPyConnection, segment: Segment) -> None:
    """Detach a segment's file if it is attached; readers that hold it finish."""
    segment.forget(segment.file)
    connection.execute(f"DETACH DATABASE IF EXISTS {segment.alias}")


def insert(connection: duckdb.DuckDBPyConnection, segment: Segment, table: str, rows: pa.Table) -> None:
    """Append rows to one table in one transaction."""
    connection.register("incoming", rows)
    try:
        connection.execute(f"INSERT INTO {segment.alias}.{table} SELECT * FROM incoming")  # noqa: S608 our own names
    finally:
        connection.unregister("incoming")


def insert_new_origins(connection: duckdb.DuckDBPyConnection, segment: Segment, rows: pa.Table) -> None:
    """Append the origins that the file does not hold yet: a seal that was cut short begins again."""
    connection.register("incoming", rows)
    try:
        connection.execute(
            f"INSERT INTO {segment.alias}.origins SELECT * FROM incoming "  # noqa: S608 our own names
            f"WHERE hash NOT IN (SELECT hash FROM {segment.alias}.origins)"
        )
    finally:
        connection.unregister("incoming")


def note_traces(connection: duckdb.DuckDBPyConnection, segment: Segment, signals: Iterable[Signal]) -> dict[Signal, Traces]:
    """Write the filters of trace ids of a segment whose rows are all in its file; what was written of each signal."""
    made = {
        signal: traces_of(_trace_ids(connection, segment, signal))
        for signal in signals
        if "trace_id_high" in schema.HOT[signal]
    }
    rows = [{"signal": str(signal), "bits": traces.whole.bits} for signal, traces in made.items()]
    for signal, traces in made.items():
        rows += [{"signal": f"{signal}{_RUN}{first}", "bits": bloom.bits} for first, bloom in traces.runs]
    insert(connection, segment, "blooms", pa.Table.from_pylist(rows, schema=schema.BLOOMS))
    return made


def _trace_ids(
    connection: duckdb.DuckDBPyConnection, segment: Segment, signal: Signal
) -> Iterator[tuple[int, npt.NDArray[np.uint64]]]:
    """The upper halves of trace ids of each run of rows in the file, with its first arrival."""
    table = f"{segment.alias}.{schema.TABLE_NAMES[signal]}"
    ((first, last),) = connection.execute(f"SELECT min(arrival), max(arrival) FROM {table}").fetchall()  # noqa: S608 our own names
    if first is None:
        return
    for begin in range(first, last + 1, ROW_GROUP):
        found = connection.sql(
            f"SELECT trace_id_high FROM {table} WHERE arrival >= ? AND arrival < ? AND trace_id_high IS NOT NULL",  # noqa: S608 our own names
            params=[begin, begin + ROW_GROUP],
        ).to_arrow_table()
        yield begin, np.asarray(found.column(0), np.uint64)


def traces_in_file(connection: duckdb.DuckDBPyConnection, segment: Segment) -> dict[Signal, Traces]:
    """The filters that sealing wrote."""
    written = connection.execute(f"SELECT signal, bits FROM {segment.alias}.blooms").fetchall()  # noqa: S608 our own names
    blooms = {name: Bloom(bits) for name, bits in written}
    runs: dict[str, list[tuple[int, Bloom]]] = {}
    for name, bloom in blooms.items():
        signal, of_a_run, first = name.partition(_RUN)
        if of_a_run:
            runs.setdefault(signal, []).append((int(first), bloom))
    return {
        signal: Traces(blooms[signal], tuple(sorted(runs.get(signal, ()), key=lambda run: run[0])))
        for signal in schema.TABLES
        if signal in blooms
    }


def checkpoint(connection: duckdb.DuckDBPyConnection, segment: Segment) -> None:
    """Move what the WAL holds into the file and sync it."""
    connection.execute(f"CHECKPOINT {segment.alias}")


def bounds_in_file(connection: duckdb.DuckDBPyConnection, segment: Segment, signal: Signal) -> tuple[Bounds, int]:
    """The bounds of one signal's rows in the file, and the highest arrival there (-1 without rows)."""
    time = schema.TIME_COLUMNS[signal]
    longest = "max(duration_ns)" if signal is Signal.TRACES else "0"
    (row,) = connection.execute(  # all of it: DuckDB 2 refuses other work beside an unfinished result
        f"SELECT count(*), min({time}), max({time}), {longest}, max(arrival) "  # noqa: S608 our own names
        f"FROM {segment.alias}.{schema.TABLE_NAMES[signal]}"
    ).fetchall()
    if not row[0]:
        return Bounds(), -1
    return Bounds(*row[:4]), row[4]
