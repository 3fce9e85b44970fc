"""Statements on threads: the deadline and a cancelled caller stop DuckDB, and what is gone gives no rows."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pyarrow as pa
import pytest

from agent import schema
from agent.batch import Signal
from agent.errors import DeadlinePassed
from agent.store import reader
from agent.store.flusher import Flusher
from agent.store.reader import Reading, SegmentUnreadable
from agent.store.remembered import LARGEST_ORIGIN, Remembered
from agent.store.segment import ROW_GROUP, Bounds
from agent.store.statement import Source, Statement, Wanted
from tests.agent.store.keeping import NO_REQUESTS, batch, flushed, log_batch, opened, origins, reading, selected
from tests.telemetry import START

LONG = "SELECT count(*) FROM range(300000) a, range(20000) b WHERE hash(a.range) < hash(b.range)"
"""Twenty seconds of DuckDB: longer than every bound here, and still an end for a test that fails."""

ANYWHERE = Source("", "", None, Bounds())
QUICKLY = 5.0


def ask(text: str) -> Statement:
    return Statement(text, [])


def test_a_deadline_stops_duckdb_and_the_reader_goes_on(tmp_path):
    async def body() -> None:
        with opened(tmp_path) as (store, _):
            store.append([batch(10)], NO_REQUESTS)
            async with reader.reading(store, 1) as readers:
                for _ in range(3):
                    began = time.monotonic()
                    with pytest.raises(DeadlinePassed):
                        await readers.run(lambda one: one.select(ANYWHERE, ask(LONG)), 0.1)
                    assert time.monotonic() - began < QUICKLY
                    rows = await readers.run(lambda one: selected(one, "name"), 10)
                    assert len(rows) == 10, "the one thread is free again"

    asyncio.run(asyncio.wait_for(body(), 60))


def test_a_caller_that_goes_away_stops_duckdb(tmp_path):
    started = threading.Event()

    def work(one: Reading) -> object:
        started.set()
        return one.select(ANYWHERE, ask(LONG))

    async def body() -> None:
        with opened(tmp_path) as (store, _):
            async with reader.reading(store, 1) as readers:
                caller = asyncio.create_task(readers.run(work, 600))  # noqa: TID251 awaited below, after it is cancelled
                assert await asyncio.to_thread(started.wait, 10)
                began = time.monotonic()
                caller.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await caller
                assert time.monotonic() - began < QUICKLY
                assert await readers.run(lambda one: one.select(ANYWHERE, ask("SELECT 1")), 10) == [(1,)]

    asyncio.run(asyncio.wait_for(body(), 60))


def test_a_cancelled_reading_begins_no_other_statement(tmp_path):
    with opened(tmp_path) as (store, _), reading(store) as one:
        one.cancel()
        with pytest.raises(DeadlinePassed):
            one.select(ANYWHERE, ask("SELECT 1"))


def test_one_query_that_is_stopped_leaves_the_others_alone(tmp_path):
    async def body() -> None:
        with opened(tmp_path) as (store, _):
            async with reader.reading(store, 2) as readers:
                slow = "SELECT count(*) FROM range(30000) a, range(3000) b WHERE hash(a.range) < hash(b.range)"
                async with asyncio.TaskGroup() as tasks:
                    other = tasks.create_task(readers.run(lambda one: one.select(ANYWHERE, ask(slow)), 60))
                    with pytest.raises(DeadlinePassed):
                        await readers.run(lambda one: one.select(ANYWHERE, ask(LONG)), 0.05)
                assert other.result()[0][0] > 0

    asyncio.run(asyncio.wait_for(body(), 90))


def test_what_the_work_raises_reaches_the_caller(tmp_path):
    def work(_: Reading) -> None:
        raise ZeroDivisionError

    async def body() -> None:
        with opened(tmp_path) as (store, _):
            async with reader.reading(store, 1) as readers:
                with pytest.raises(ZeroDivisionError):
                    await readers.run(work, 10)

    asyncio.run(asyncio.wait_for(body(), 30))


def test_parameters_are_values_and_never_text(tmp_path):
    with opened(tmp_path) as (store, _), reading(store) as one:
        nasty = "'; DROP TABLE spans; --"
        assert one.select(ANYWHERE, Statement("SELECT ?, ?", [nasty, b"\x00"])) == [(nasty, b"\x00")]


def test_a_retired_segment_gives_no_rows_to_a_statement_that_comes_too_late(tmp_path):
    with opened(tmp_path) as (store, _):
        store.append([batch(10)], NO_REQUESTS)
        flushed(store, seal=True)
        with reading(store) as one:
            (source,) = one.sources(Signal.TRACES)
            Flusher(store).retire(store.segments[0], "age")
            assert one.select(source, ask(f"SELECT * FROM {source.relation}")) == []
            assert one.sources(Signal.TRACES) == []


def test_a_file_that_does_not_answer_is_named_and_the_others_answer(tmp_path):
    with opened(tmp_path) as (store, _):
        for first in (0, 10):
            store.append([batch(10, first)], NO_REQUESTS)
            flushed(store, seal=True)
        broken = store.segments[0]
        store.connection.execute(f"DROP TABLE {broken.alias}.spans")
        with reading(store) as one:
            newest, oldest = one.sources(Signal.TRACES)
            assert len(one.select(newest, ask(f"SELECT * FROM {newest.relation}"))) == 10
            with pytest.raises(SegmentUnreadable) as fault:
                one.select(oldest, ask(f"SELECT * FROM {oldest.relation}"))
            assert fault.value.segment == broken.name


def test_sources_are_newest_first_and_know_their_bounds(tmp_path):
    with opened(tmp_path) as (store, _):
        for first in range(0, ROW_GROUP + 4096, 2048):
            store.append([batch(2048, first)], NO_REQUESTS)
        flushed(store)
        with reading(store) as one:
            memory, file = one.sources(Signal.TRACES)
            assert (memory.below, file.below is not None) == (None, True)
            assert memory.bounds.rows == file.bounds.rows == ROW_GROUP + 4096
            assert not one.sources(Signal.LOGS)


def test_a_file_is_bounded_by_what_had_come_when_it_was_written_and_a_start_finds_all_of_it(tmp_path):
    later = ROW_GROUP + 4096
    with opened(tmp_path) as (store, _):
        store.append([log_batch(later)], NO_REQUESTS)
        flushed(store)
        store.append([log_batch(10, later)], NO_REQUESTS)
        with reading(store) as one:
            memory, file = one.sources(Signal.LOGS)
            ((newest,),) = one.select(file, ask(f"SELECT max(time_ns) FROM {file.relation}"))
            assert newest <= file.bounds.max_time_ns == START + (later - 1) * 1000
            assert memory.bounds.max_time_ns == START + (later + 9) * 1000
    with opened(tmp_path) as (store, _), reading(store) as one:
        for source in one.sources(Signal.LOGS):
            ((least, greatest),) = one.select(source, ask(f"SELECT min(time_ns), max(time_ns) FROM {source.relation}"))
            assert source.bounds.min_time_ns <= least <= greatest <= source.bounds.max_time_ns


def test_a_source_among_cold_conditions_has_those_rows_alone_in_files_and_in_memory(tmp_path):
    wanted = Wanted(text="7")
    with opened(tmp_path) as (store, _):
        store.append([log_batch(50)], NO_REQUESTS)
        flushed(store, seal=True)
        store.append([log_batch(50, 50)], NO_REQUESTS)
        with reading(store) as one:
            found = []
            for source in one.sources(Signal.LOGS):
                limited = one.among(source, Signal.LOGS, wanted)
                assert one.among(source, Signal.LOGS, wanted) == limited, "asked once"
                text = f"SELECT arrival FROM {limited.relation} WHERE arrival IN (SELECT arrival FROM {limited.among})"
                arrivals = [arrival for (arrival,) in one.select(limited, ask(text))]
                found += [body for (body,) in one.cold(source.segment, Signal.LOGS, arrivals, ["body_text"]).values()]
            assert sorted(found) == sorted(str(number) for number in range(100) if "7" in str(number))


def test_a_cancelled_reading_reads_no_other_block(tmp_path):
    with opened(tmp_path) as (store, _):
        store.append([log_batch(5)], NO_REQUESTS)
        with reading(store) as one:
            (source,) = one.sources(Signal.LOGS)
            ((arrival,),) = one.select(source, ask(f"SELECT max(arrival) FROM {source.relation}"))
            one.cancel()
            for work in (
                lambda: one.among(source, Signal.LOGS, Wanted(text="1")),
                lambda: one.cold(source.segment, Signal.LOGS, [arrival], ["body_text"]),
            ):
                with pytest.raises(DeadlinePassed):
                    work()


def test_an_answer_is_remembered_across_readings_when_its_segment_is_sealed_and_only_then(tmp_path):
    with opened(tmp_path) as (store, _):
        store.append([batch(10)], NO_REQUESTS)
        flushed(store, seal=True)
        store.append([batch(10, 10)], NO_REQUESTS)
        remembered = Remembered()
        asked: list[str] = []

        class Watched(Reading):
            def select(self, source, *rest):  # type: ignore[no-untyped-def] # as its super
                asked.append(source.segment)
                return super().select(source, *rest)

        for _ in range(2):
            one = Watched(store, store.connection.cursor(), remembered)
            for source in one.sources(Signal.TRACES):
                assert one.summarise(source, ask(f"SELECT count(*) FROM {source.relation}")) == [(10,)]
            one.close()
        sealed, growing = (segment.name for segment in store.segments)
        assert (asked.count(sealed), asked.count(growing)) == (1, 2)


def test_an_origin_in_a_file_is_read_once_unless_it_is_large(tmp_path):
    with opened(tmp_path) as (store, _):
        (small,), (large,) = (origins(number).to_pylist() for number in (1, 2))
        large["resource"] = bytes(LARGEST_ORIGIN)
        expected = {1: small, 2: large}
        store.append([replace(batch(1), origins=pa.RecordBatch.from_pylist([small, large], schema.ORIGINS))], NO_REQUESTS)
        flushed(store, seal=True)
        (segment,) = store.segments
        segment.origins.clear()  # as after a restart
        remembered = Remembered()
        asked: list[int] = []

        class Watched(Reading):
            def select(self, source, statement, *rest):  # type: ignore[no-untyped-def] # as its super
                asked.extend(statement.parameters[0])
                return super().select(source, statement, *rest)

        for _ in range(2):
            one = Watched(store, store.connection.cursor(), remembered)
            one.sources(Signal.TRACES)
            found = one.origins(segment.name, [1, 2])
            assert expected == {row["hash"]: row for row in found}
            one.close()
        assert sorted(asked) == [1, 2, 2]


class Late(Sequence[object]):
    """No parameters, and not before an event: they hold a statement between select's check and its execution."""

    def __init__(self, ready: threading.Event) -> None:
        self._ready = ready

    def __len__(self) -> int:
        return 0

    def __getitem__(self, _: object) -> object:  # type: ignore[override]  # nobody asks
        raise IndexError

    def __iter__(self) -> Iterator[object]:
        assert self._ready.wait(10)
        return iter(())


def test_a_deadline_that_passes_just_before_a_statement_begins_stops_it(tmp_path):
    four_seconds = "SELECT count(*) FROM range(60000) a, range(20000) b WHERE hash(a.range) < hash(b.range)"

    def work(one: Reading) -> object:
        cancelled, cancel = threading.Event(), one.cancel

        def told() -> None:
            cancel()
            cancelled.set()

        one.cancel = told  # type: ignore[method-assign]  # to know when
        return one.select(ANYWHERE, Statement(four_seconds, Late(cancelled)))

    async def body() -> None:
        with opened(tmp_path) as (store, _):
            async with reader.reading(store, 1) as readers:
                began = time.monotonic()
                with pytest.raises(DeadlinePassed):
                    await readers.run(work, 0.05)
                assert time.monotonic() - began < 1.5

    asyncio.run(asyncio.wait_for(body(), 60))


def test_cancelling_a_reading_that_has_just_ended_does_nothing(tmp_path):
    with opened(tmp_path) as (store, _):
        one = Reading(store, store.connection.cursor())
        one.close()
        one.cancel()
