"""Retention beside a store that closes, and what the disk budget counts."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from agent.store import retention
from agent.store.flusher import Flusher
from agent.store.retention import retire, retiring
from agent.store.usage import used_bytes
from tests.agent.store.keeping import NO_REQUESTS, StoppedClock, batch, flushed, numbers, opened

MIB = 1 << 20


def test_a_store_is_left_only_when_what_is_being_retired_is(tmp_path, monkeypatch):
    # The thread worked on while the instance was closed under it, which DuckDB refuses.
    began, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def slowly(*_: object) -> None:
        began.set()
        assert may_end.wait(10)
        ended.set()

    async def test() -> None:
        with opened(tmp_path) as (store, _):
            flusher = Flusher(store)
            async with asyncio.timeout(10), retiring(store, flusher, store.grounds.instruments):
                await asyncio.to_thread(began.wait)
                asyncio.get_running_loop().call_later(0.05, may_end.set)
            assert ended.is_set()
            flusher.drain()

    monkeypatch.setattr(retention, "retire", slowly)
    asyncio.run(test())


PLACES = {
    "a data file": "{name}.duckdb",
    "a log of DuckDB's": "{name}.duckdb.wal",
    "a journal": "{name}.journal",
    "blocks": "{name}.blocks",
    "what is spilled": "tmp/duckdb_temp_storage-0.tmp",
    "quarantine": "quarantine/{name}.duckdb",
    "anything else": "left behind",
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_everything_in_the_directory_counts_and_the_oldest_goes_first(tmp_path, place):
    clock = StoppedClock()
    with opened(tmp_path, clock, max_bytes=8 * MIB) as (store, _):
        for first in (0, 100):
            store.append([batch(100, first)], NO_REQUESTS)
            flushed(store, seal=True)
            clock.now += 1
        flusher = Flusher(store)
        before = store.used_bytes()
        retire(store, flusher)
        assert numbers(store) == list(range(200))
        other = tmp_path / place.format(name="01790000000123456000_01790000300123456000_00000000")
        other.parent.mkdir(exist_ok=True)
        other.write_bytes(bytes(8 * MIB - before + 1))
        assert store.used_bytes() == 8 * MIB + 1
        retire(store, flusher)
        flusher.drain()
        assert numbers(store) == list(range(100, 200)), "one byte too many costs the oldest segment alone"
        assert store.retired == {"budget": 1}


def test_a_file_with_two_names_counts_once(tmp_path):
    (tmp_path / "quarantine").mkdir()
    (tmp_path / "journal").write_bytes(bytes(1000))
    Path(tmp_path, "quarantine", "journal").hardlink_to(tmp_path / "journal")
    assert used_bytes(tmp_path) == 1000
