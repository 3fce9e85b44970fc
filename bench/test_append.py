"""Appending: groups of eight requests to the journal, synced, and into memory, while the flusher moves rows to a file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pyarrow as pa
import pytest
import uvloop
from prometheus_client import CollectorRegistry
from pytest_benchmark.fixture import BenchmarkFixture

from agent.batch import Batch, Export, Receipt, Signal
from agent.clock import MINUTE_NS, SystemClock
from agent.instruments import Instruments
from agent.store.flusher import flushing
from agent.store.grounds import StoreSettings
from agent.store.opening import open_store
from agent.store.store import Store
from agent.store.writer import Writer, writing
from bench.decoding import DECODER, decode, groups, rows_of_requests
from bench.shapes import SHAPES

GROUP = 8
ROUNDS = {"usual": 40, "adversarial": 12}
CATCH_UP_SECONDS = 30.0
"""The flusher may fall behind on adversarial spans; waiting for it is not part of an append."""


def settings(directory: Path) -> StoreSettings:
    return StoreSettings(directory, 60 * MINUTE_NS, 5 * MINUTE_NS, max_bytes=8 << 30, memory_limit_bytes=256 << 20)


def kept(store: Store) -> int:
    return sum(segment.rows() for segment in store.segments)


@asynccontextmanager
async def opened(directory: Path) -> AsyncIterator[tuple[Store, Writer]]:
    instruments = Instruments(CollectorRegistry())
    with open_store(settings(directory), SystemClock(), instruments) as (store, recent):
        async with flushing(store), writing(store, {Signal.TRACES: DECODER.decode}, recent, instruments) as writer:
            yield store, writer


@pytest.mark.parametrize("shape", SHAPES)
def test_write_a_group(benchmark: BenchmarkFixture, tmp_path: Path, shape: str) -> None:
    """Through the Writer: hash, decode, journal, sync, answer."""
    stream, rounds = groups(shape, 12, GROUP), ROUNDS[shape]
    answers: list[Receipt] = []
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        house = opened(tmp_path / "store")
        store, writer = runner.run(house.__aenter__())

        async def write(group: list[Export]) -> None:
            answers.extend(await asyncio.gather(*(writer.write(export) for export in group)))

        def prepare() -> tuple[tuple[list[Export]], dict[str, object]]:
            assert store.wait_for_room(CATCH_UP_SECONDS)
            return (next(stream),), {}

        benchmark.pedantic(lambda group: runner.run(write(group)), setup=prepare, rounds=rounds)  # type: ignore[no-untyped-call]  # it has no types
        rows = kept(store)
        runner.run(house.__aexit__(None, None, None))
    benchmark.extra_info["spans"] = 512 * GROUP
    assert answers == [Receipt(512)] * (GROUP * rounds)
    assert rows == 512 * GROUP * rounds


@pytest.mark.parametrize("shape", SHAPES)
def test_append_a_decoded_group(benchmark: BenchmarkFixture, tmp_path: Path, shape: str) -> None:
    """The Store alone: number, serialise, compress, write, sync, admit."""
    stream, rounds = groups(shape, 12, GROUP), ROUNDS[shape]

    def prepare() -> tuple[tuple[list[Batch], pa.RecordBatch], dict[str, object]]:
        group = next(stream)
        batch = decode(group).batch
        assert batch is not None
        return ([batch], rows_of_requests(group)), {}

    with open_store(settings(tmp_path / "store"), SystemClock(), Instruments(CollectorRegistry())) as (store, _):
        benchmark.pedantic(store.append, setup=prepare, rounds=rounds)  # type: ignore[no-untyped-call]  # it has no types
        rows, journal = kept(store), store.segments[0].journal.stat().st_size
        store.close_segment()
    benchmark.extra_info |= {"spans": 512 * GROUP, "journal_bytes_per_span": round(journal / rows, 1)}
    assert rows == 512 * GROUP * rounds
