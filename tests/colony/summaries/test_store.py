"""Minutes are replaced whole, forgotten in time, and survive a damaged file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import uvloop

from colony.clock import MINUTE_NS
from colony.errors import ConfigError
from colony.sketch import Sketch
from colony.summaries.store import FILE, ROWS, Minute, SummaryStore, Wanted, summary_store


def rows(agent: str, minute: int, *durations: int, service: str = "shop", operation: str = "GET /", kind: int = 2) -> pa.Table:
    sketch = Sketch.of(durations)
    return pa.Table.from_pylist(
        [
            {
                "agent": agent,
                "agent_minute": minute,
                "minute": minute,
                "service": service,
                "operation": operation,
                "kind": kind,
                "is_rest": False,
                "errors": 1,
                "zeros": sketch.zeros,
                "indexes": list(sketch.buckets),
                "counts": list(sketch.buckets.values()),
                "slowest": [f"{max(durations):032x}"],
                "failed": [],
            }
        ],
        ROWS,
    )


async def put(store: SummaryStore, agent: str, minute: int, *durations: int, state: str = "open", **fields: Any) -> None:
    await store.replace([Minute(agent, minute, minute, len(durations), state)], rows(agent, minute, *durations, **fields))


async def counted(store: SummaryStore) -> int:
    return sum(each.sketch.count for each in (await store.operations(Wanted("shop", 0, 100 * MINUTE_NS))).values())


def test_a_minute_of_an_agent_is_replaced_whole():
    async def body():
        async with summary_store(None) as store:
            await put(store, "n1", 5, 10, 20)
            await put(store, "n2", 5, 30)
            await put(store, "n1", 5, 10, 20, 40, state="final")

            assert await counted(store) == 4
            assert {n: m.state for n, m in (await store.checkpoints("n1", 0)).items()} == {5: "final"}
            assert await store.covered(0, 100 * MINUTE_NS) == {"n1": {"final": 1}, "n2": {"open": 1}}

    uvloop.run(body())


def test_sums_are_by_operation_and_minute_over_agents_within_the_window():
    async def body():
        async with summary_store(None) as store:
            await put(store, "n1", 5, 10, 0)
            await put(store, "n2", 5, 30)
            await put(store, "n1", 6, 50, operation="POST /")
            await put(store, "n1", 7, 50, service="cart")
            await put(store, "n1", 8, 50)
            window = Wanted("shop", 5 * MINUTE_NS, 7 * MINUTE_NS)
            operations = await store.operations(window)
            slots = await store.slots(window, 1, [2])

            assert {name: (each.sketch.count, each.errors) for (name, _, _), each in operations.items()} == {
                "GET /": (3, 2),
                "POST /": (1, 1),
            }
            assert {slot: each.sketch.count for slot, each in slots.items()} == {0: 3, 1: 1}
            assert await store.slots(window, 1, [3]) == {}
            assert operations["GET /", 2, False].slowest == (f"{30:032x}",)
            assert len(await store.operations(Wanted("shop", 0, 100 * MINUTE_NS, "POST /"))) == 1
            assert await store.services(0, 100 * MINUTE_NS) == ["cart", "shop"]
            assert await store.agents("shop", 0, 6 * MINUTE_NS) == {"n1", "n2"}

    uvloop.run(body())


def test_old_minutes_are_forgotten():
    async def body():
        async with summary_store(None) as store:
            await put(store, "n1", 5, 10)
            await put(store, "n1", 6, 10)
            await store.expire(6)

            assert (await store.count(), sorted(await store.checkpoints("n1", 0))) == (1, [6])

    uvloop.run(body())


def test_what_is_kept_is_there_after_a_restart_and_only_one_colony_has_it(tmp_path: Path):
    async def body():
        async with summary_store(tmp_path / "state") as store:
            await put(store, "n1", 5, 10)
        async with summary_store(tmp_path / "state") as store:
            assert await counted(store) == 1
        (tmp_path / "file").write_text("")
        with pytest.raises(ConfigError, match=r"summaries\.dir = .*choose a directory of this user"):
            async with summary_store(tmp_path / "file" / "below"):
                pass

    uvloop.run(body())


def test_a_file_that_cannot_be_opened_is_set_aside(tmp_path: Path):
    async def body():
        (tmp_path / FILE).write_bytes(b"no database" * 1000)
        async with summary_store(tmp_path) as store:
            await put(store, "n1", 5, 10)
            assert await counted(store) == 1
        assert (tmp_path / f"{FILE}.damaged").read_bytes().startswith(b"no database")

    uvloop.run(body())
