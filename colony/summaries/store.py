"""The store of summaries: one embedded DuckDB, on a thread of its own; the only room of the colony that speaks DuckDB.

A minute of an agent is replaced whole. What lies here can be pulled again for as long as agents keep it; so a file that cannot
be opened is set aside, and a new one begun.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pyarrow as pa
import structlog

from colony.clock import MINUTE_NS
from colony.errors import ConfigError, SummariesUnavailable
from colony.sketch import Sketch
from colony.summaries.told import Operation, Sum

Got = TypeVar("Got")

FILE = "summaries.duckdb"
_MEMORY_LIMIT = "256MiB"
_SAMPLES = 3
_NO_BUCKET = -(2**31)

_TABLES = """
CREATE TABLE IF NOT EXISTS minutes (agent VARCHAR, agent_minute BIGINT, minute BIGINT, spans BIGINT, state VARCHAR);
CREATE TABLE IF NOT EXISTS summaries (agent VARCHAR, agent_minute BIGINT, minute BIGINT, service VARCHAR, operation VARCHAR,
    kind INTEGER, is_rest BOOLEAN, errors BIGINT, zeros BIGINT, indexes INTEGER[], counts BIGINT[],
    slowest VARCHAR[], failed VARCHAR[]);
"""

ROWS = pa.schema(
    [
        ("agent", pa.string()),
        ("agent_minute", pa.int64()),
        ("minute", pa.int64()),
        ("service", pa.string()),
        ("operation", pa.string()),
        ("kind", pa.int32()),
        ("is_rest", pa.bool_()),
        ("errors", pa.int64()),
        ("zeros", pa.int64()),
        ("indexes", pa.list_(pa.int32())),
        ("counts", pa.list_(pa.int64())),
        ("slowest", pa.list_(pa.string())),
        ("failed", pa.list_(pa.string())),
    ]
)

MINUTES = pa.schema(
    [
        ("agent", pa.string()),
        ("agent_minute", pa.int64()),
        ("minute", pa.int64()),
        ("spans", pa.int64()),
        ("state", pa.string()),
    ]
)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose summaries, of which minutes, of one operation or of all."""

    service: str
    start_ns: int
    end_ns: int
    operation: str | None = None

    def where(self) -> tuple[str, list[Any]]:
        """As a condition and its parameters."""
        condition = "service = ? AND minute >= ? AND minute < ?"
        parameters: list[Any] = [self.service, self.start_ns // MINUTE_NS, -(-self.end_ns // MINUTE_NS)]
        if self.operation is None:
            return condition, parameters
        return condition + " AND operation = ?", [*parameters, self.operation]


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute of one agent: by its clock, by the colony's, how many spans, and whether it may still change.

    ``state`` is ``open`` while more may come, ``final``, or ``lost`` when the agent kept it no more.
    """

    agent: str
    agent_minute: int
    minute: int
    spans: int
    state: str


class SummaryStore:
    """Asked from the event loop; works on one thread."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="summaries")

    async def checkpoints(self, agent: str, since_minute: int) -> dict[int, Minute]:
        """What is known of an agent's minutes, by its clock: the newest, all that are open, and all since one."""
        text = (
            "SELECT agent, agent_minute, minute, spans, state FROM minutes WHERE agent = ? AND (state = 'open' OR "
            "agent_minute >= least(?, (SELECT max(agent_minute) FROM minutes WHERE agent = ?)))"
        )
        rows = await self._run(lambda: self._select(text, [agent, since_minute, agent]))
        return {row[1]: Minute(*row) for row in rows}

    async def replace(self, minutes: Iterable[Minute], rows: pa.Table) -> None:
        """Put these minutes, with all their rows (of ``ROWS``), in the place of what was known of them."""
        found = list(minutes)
        await self._run(lambda: self._replace(found, rows))

    async def settle(self, agent: str, agent_minute: int) -> None:
        """Let what is known of a minute be final."""
        text = "UPDATE minutes SET state = 'final' WHERE agent = ? AND agent_minute = ?"
        await self._run(lambda: self._select(text, [agent, agent_minute]))

    async def expire(self, before_minute: int) -> None:
        """Forget the minutes before one."""
        await self._run(lambda: self._expire(before_minute))

    async def count(self) -> int:
        """How many summaries are kept."""
        rows = await self._run(lambda: self._select("SELECT count(*) FROM summaries", []))
        return int(rows[0][0])

    async def services(self, start_ns: int, end_ns: int) -> list[str]:
        """The services with spans in a window."""
        text = "SELECT DISTINCT service FROM summaries WHERE minute >= ? AND minute < ? ORDER BY service"
        window = [start_ns // MINUTE_NS, -(-end_ns // MINUTE_NS)]
        return [service for (service,) in await self._run(lambda: self._select(text, window))]

    async def agents(self, service: str, start_ns: int, end_ns: int) -> set[str]:
        """The agents with spans of a service in a window."""
        text = "SELECT DISTINCT agent FROM summaries WHERE service = ? AND minute >= ? AND minute < ?"
        window = [service, start_ns // MINUTE_NS, -(-end_ns // MINUTE_NS)]
        return {agent for (agent,) in await self._run(lambda: self._select(text, window))}

    async def operations(self, wanted: Wanted) -> dict[Operation, Sum]:
        """A service's spans by operation, over all agents."""
        return await self._run(lambda: self._operations(*wanted.where()))

    async def slots(self, wanted: Wanted, minutes: int, kinds: Collection[int]) -> dict[int, Sum]:
        """A service's spans of these kinds by stretches of so many minutes, counted from the window's start."""
        return await self._run(lambda: self._slots(wanted, minutes, list(kinds)))

    async def covered(self, start_ns: int, end_ns: int) -> dict[str, dict[str, int]]:
        """By agent and state, how many minutes of a window are known."""
        text = "SELECT agent, state, count(*) FROM minutes WHERE minute >= ? AND minute < ? GROUP BY ALL"
        window = [start_ns // MINUTE_NS, -(-end_ns // MINUTE_NS)]
        found: dict[str, dict[str, int]] = {}
        for agent, state, minutes in await self._run(lambda: self._select(text, window)):
            found.setdefault(agent, {})[state] = minutes
        return found

    async def _run(self, work: Callable[[], Got]) -> Got:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except duckdb.Error as error:
            raise SummariesUnavailable("the store of summaries does not answer; the colony's log says why") from error

    def _select(self, text: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
        return self._connection.execute(text, parameters).fetchall()

    def _replace(self, minutes: list[Minute], rows: pa.Table) -> None:
        connection = self._connection
        pulled_minutes = pa.Table.from_pylist([asdict(minute) for minute in minutes], MINUTES)
        pulled = {"pulled_minutes": pulled_minutes, "pulled_rows": rows}
        for name, table in pulled.items():
            connection.register(name, table)
        connection.begin()
        try:
            for table in ("summaries", "minutes"):
                connection.execute(
                    f"DELETE FROM {table} t USING pulled_minutes p "  # noqa: S608 our own names
                    "WHERE t.agent = p.agent AND t.agent_minute = p.agent_minute"
                )
            connection.execute("INSERT INTO minutes BY NAME SELECT * FROM pulled_minutes")
            connection.execute("INSERT INTO summaries BY NAME SELECT * FROM pulled_rows")
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
        finally:
            for name in pulled:
                connection.unregister(name)

    def _expire(self, before_minute: int) -> None:
        for table in ("summaries", "minutes"):
            self._connection.execute(f"DELETE FROM {table} WHERE minute < ?", [before_minute])  # noqa: S608 our own names

    def _operations(self, where: str, parameters: list[Any]) -> dict[Operation, Sum]:
        group = "operation, kind, is_rest"
        found = self._added(group, where, parameters)
        text = (
            f"SELECT {group}, arg_max(slowest, coalesce(list_max(indexes), {_NO_BUCKET})), "  # noqa: S608 our own names
            f"arg_max(failed, minute) FILTER (len(failed) > 0) FROM summaries WHERE {where} GROUP BY ALL"
        )
        for *operation, slow, failed in self._select(text, parameters):
            each = found[tuple(operation)]
            each.slowest, each.failed = tuple(slow or ())[:_SAMPLES], tuple(failed or ())[:_SAMPLES]
        return found

    def _slots(self, wanted: Wanted, minutes: int, kinds: list[int]) -> dict[int, Sum]:
        where, parameters = wanted.where()
        where += f" AND kind IN ({', '.join('?' for _ in kinds)})"
        slot = f"(minute - {wanted.start_ns // MINUTE_NS}) // {minutes}"
        return {number: each for (number,), each in self._added(slot, where, [*parameters, *kinds]).items()}

    def _added(self, group: str, where: str, parameters: list[Any]) -> dict[Any, Sum]:
        """Counts and sketches added up, by what ``group`` selects."""
        found: dict[Any, Sum] = {}
        text = f"SELECT {group}, sum(errors), sum(zeros) FROM summaries WHERE {where} GROUP BY ALL"  # noqa: S608 our own names
        for *key, errors, zeros in self._select(text, parameters):
            found[tuple(key)] = Sum(int(errors), Sketch(zeros=int(zeros)))
        text = (
            f"SELECT * EXCLUDE spans, sum(spans)::BIGINT FROM (SELECT {group}, unnest(indexes) AS bucket, "  # noqa: S608 our own names
            f"unnest(counts) AS spans FROM summaries WHERE {where}) GROUP BY ALL"
        )
        for *key, bucket, spans in self._select(text, parameters):
            found[tuple(key)].sketch.buckets[bucket] = spans
        return found

    def close(self) -> None:
        """Wait for the thread and close the file."""
        self._thread.shutdown()
        self._connection.close()


@asynccontextmanager
async def summary_store(directory: Path | None) -> AsyncIterator[SummaryStore]:
    """The store in a directory, made when absent; in memory without one.

    Raises:
        ConfigError: the directory cannot be used, or another colony uses it.
    """
    store = SummaryStore(await asyncio.to_thread(_open, directory))
    try:
        yield store
    finally:
        await asyncio.to_thread(store.close)


def _open(directory: Path | None) -> duckdb.DuckDBPyConnection:
    if directory is None:
        return _connect(":memory:")
    path = directory / FILE
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _connect(str(path))
    except OSError as error:
        raise ConfigError(f'summaries.dir = "{directory}": {error.strerror}; choose a directory of this user') from error
    except duckdb.Error as error:
        if "lock" in str(error).lower():
            raise ConfigError(f'summaries.dir = "{directory}": another colony uses it; choose another directory') from error
        _log.warning("the summaries could not be opened; they are set aside and begun anew", fault=type(error).__name__)
        for suffix in ("", ".wal"):
            with contextlib.suppress(FileNotFoundError):
                path.with_name(FILE + suffix).replace(path.with_name(f"{FILE}{suffix}.damaged"))
        return _connect(str(path))


def _connect(path: str) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(
        path,
        config={
            "memory_limit": _MEMORY_LIMIT,
            "threads": 1,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
        },
    )
    try:
        connection.execute("SET enable_external_access = false")
        connection.execute(_TABLES)
        connection.execute("SET lock_configuration = true")
    except BaseException:
        connection.close()
        raise
    return connection
