"""What the colony needs of an agent: to go on behind any row, to know a record's place, to see a restart, to count by minute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from coral.agent.v1 import telemetry_query_pb2 as api

from agent.batch import Signal
from colony.merge import Place
from colony.signals import LOGS, POINTS, SPANS
from tests.flow.house import house, in_house
from tests.flow.signals import KITS, Kit
from tests.telemetry import START, log, log_request, request, span

SINCE: dict[str, Any] = {"start_time": {"seconds": 1}}
SHAPES = {Signal.TRACES: SPANS, Signal.LOGS: LOGS, Signal.METRICS: POINTS}


@pytest.fixture(params=list(KITS.values()), ids=list(KITS))
def kit(request: pytest.FixtureRequest) -> Kit:
    kit: Kit = request.param
    return kit


@pytest.mark.parametrize("order", [api.ORDER_NEWEST, api.ORDER_OLDEST])
def test_an_answer_goes_on_behind_any_row_with_the_rows_that_follow_it(tmp_path: Path, kit: Kit, order: int):
    async def body():
        async with house(tmp_path) as agent:
            # Two of each number: one time, two places.
            for _ in range(2):
                await kit.send(agent, kit.request(*(kit.record(n // 2, **distinct(n)) for n in range(20)), batch=str(_)))
            whole = await kit.ask(agent, **SINCE, order=order)
            rows = list(kit.rows(whole))
            for at in (0, 7, 18, len(rows) - 1):
                place = Place(SHAPES[kit.signal].key(rows[at], order, 0), rows[at].position)
                rest = await kit.ask(agent, **SINCE, order=order, after={"key": place.key, "position": place.position})
                assert list(kit.rows(rest)) == rows[at + 1 :]
                assert (rest.total_count, rest.total_is_exact) == (0, False)

    def distinct(number: int) -> dict[str, Any]:
        return {"span_id": (number + 1).to_bytes(8, "big")} if kit.signal is Signal.TRACES else {}

    in_house(body)


def test_behind_a_row_pages_go_on_by_their_token(tmp_path: Path, kit: Kit):
    async def body():
        async with house(tmp_path) as agent:
            await kit.send(agent, kit.request(*(kit.record(n) for n in range(20))))
            rows = list(kit.rows(await kit.ask(agent, **SINCE)))
            after = {"key": START + 15_000, "position": rows[4].position}
            first = await kit.ask(agent, **SINCE, after=after, limit=3)
            second = await kit.ask(agent, **SINCE, page_token=first.next_page_token, limit=100)

            assert [*kit.numbers(first), *kit.numbers(second)] == list(range(15))[::-1]
            for field in ({"offset": 1}, {"page_token": first.next_page_token}):
                with pytest.raises(grpc.aio.AioRpcError, match="after excludes offset and page_token"):
                    await kit.ask(agent, **SINCE, after=after, **field)

    in_house(body)


def test_slowest_first_goes_on_behind_a_duration(tmp_path: Path):
    async def body():
        async with house(tmp_path) as agent:
            await agent.export(request(*(span(n, end_time_unix_nano=START + n * 1000 + n % 3) for n in range(9))))
            rows = (await agent.spans(**SINCE, order=api.ORDER_SLOWEST)).spans
            after = {"key": 2, "position": rows[1].position}

            assert list((await agent.spans(**SINCE, order=api.ORDER_SLOWEST, after=after)).spans) == list(rows[2:])

    in_house(body)


def test_a_log_record_without_times_tells_when_it_arrived_and_no_other_does(tmp_path: Path):
    async def body():
        async with house(tmp_path) as agent:
            await agent.export_logs(
                log_request(log(1, time_unix_nano=0), log(2), log(3, time_unix_nano=0, observed_time_unix_nano=5))
            )
            rows = (await agent.logs(start_time={"nanos": 1})).log_records
            told = {row.body: row.HasField("arrival_time") for row in rows}

            assert told == {"record 1": True, "record 2": False, "record 3": False}

    in_house(body)


def test_an_instance_lasts_as_long_as_the_process(tmp_path: Path):
    async def body():
        async with house(tmp_path) as agent:
            first, again = await agent.info(), await agent.info()
        async with house(tmp_path) as agent:
            restarted = await agent.info()
        assert first.instance_id == again.instance_id
        assert len({first.instance_id, restarted.instance_id, ""}) == 3

    in_house(body)


def test_a_bad_window_for_summaries_is_refused_and_a_good_one_counts(tmp_path: Path):
    async def body():
        async with house(tmp_path) as agent:
            await agent.export(request(*(span(n) for n in range(7))))
            window: dict[str, Any] = {"start_time": {"seconds": START // 10**9}, "end_time": {"seconds": START // 10**9 + 60}}
            answer = await agent.query.QuerySpanSummaries(api.QuerySpanSummariesRequest(**window))
            assert sum(summary.count for summary in answer.summaries) == 7
            with pytest.raises(grpc.aio.AioRpcError, match="the window is empty"):
                await agent.query.QuerySpanSummaries(
                    api.QuerySpanSummariesRequest(start_time=window["end_time"], end_time=window["start_time"])
                )

    in_house(body)
