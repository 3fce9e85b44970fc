"""Kept at least the retention, at most one segment longer, then gone from answers and from disk."""

from __future__ import annotations

import random
from pathlib import Path

from coral.agent.v1 import telemetry_query_pb2 as api

from tests.flow.house import SetClock, eventually, house, ids, in_house
from tests.telemetry import START, attributes, request, span

SINCE = {"start_time": {"seconds": 1}}
SHORT = {"STORE__RETENTION": "10s", "STORE__SEGMENT": "2s"}


def files(directory: Path) -> set[str]:
    return {path.name for kind in ("*.duckdb", "*.journal", "*.wal") for path in directory.glob(kind)}


def test_a_record_is_visible_for_its_time_and_gone_after_it_with_its_files(tmp_path):
    clock = SetClock(START)

    async def body():
        async with house(tmp_path, clock, **SHORT) as agent:

            async def shown() -> api.QuerySpansResponse:
                return await agent.spans(**SINCE)

            await agent.export(request(span(1)))
            first = files(tmp_path)
            clock.advance(2.0)
            await agent.export(request(span(2)))
            clock.advance(7.9)  # the first is 9.9 s old
            assert len((await shown()).spans) == 2
            clock.advance(2.2)  # and now 12.1 s

            async def gone() -> bool:
                return ids((await shown()).spans) == ["0" * 15 + "3"]

            await eventually(gone, "the first span is still shown")
            await eventually(lambda: not first & files(tmp_path), "the first segment's files are still there")
            clock.advance(2.0)

            async def empty() -> bool:
                return not (await shown()).spans and not files(tmp_path)

            await eventually(empty, "something is left")

            async def counted() -> bool:
                info = await agent.info()
                return (info.segments_retired_by_age, info.segments_retired_by_budget) == (2, 0)

            await eventually(counted, "they are counted wrongly")  # after their files went
            assert not (await agent.info()).signals

    in_house(body)


def test_the_disk_budget_retires_the_oldest_and_counts_it(tmp_path):
    clock = SetClock(START)

    async def body():
        async with house(tmp_path, clock, STORE__MAX_BYTES="4MiB") as agent:
            noise = random.Random(7)  # nothing compresses it: twelve megabytes on disk
            for number in range(40):
                values = [attributes({"k": noise.randbytes(30_000)}) for _ in range(10)]
                await agent.export(request(*(span(number * 10 + i, attributes=v) for i, v in enumerate(values))))

            async def within() -> bool:
                info = await agent.info()
                return info.segments_retired_by_budget > 0 and info.used_bytes <= info.max_bytes

            await eventually(within, "the budget is exceeded")
            newest = await agent.spans(**SINCE, limit=1)
            assert newest.spans[0].start_time.ToNanoseconds() == START + 399 * 1000

    in_house(body)
