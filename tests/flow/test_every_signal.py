"""The promises that hold for spans, log records and data points alike."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import httpx
import pytest
from coral.agent.v1 import telemetry_query_pb2 as api

from agent.batch import Signal
from tests.flow.house import House, SetClock, eventually, house, in_house
from tests.flow.signals import KITS, Kit
from tests.telemetry import START, attributes

SINCE: dict[str, Any] = {"start_time": {"seconds": 1}}


@pytest.fixture(params=list(KITS.values()), ids=list(KITS))
def kit(request: pytest.FixtureRequest) -> Kit:
    kit: Kit = request.param
    return kit


def time_of(number: int) -> dict[str, int]:
    """When a record was, by its number."""
    return dict(zip(("seconds", "nanos"), divmod(START + number * 1000, 10**9), strict=True))


def test_a_record_is_in_the_answer_to_a_query_begun_after_its_ok_a_thousand_times_in_a_row(tmp_path, kit):
    numbers = iter(range(1000))

    async def lane(agent: House) -> None:
        for number in numbers:
            await kit.send(agent, kit.request(kit.record(number)))
            got = await kit.ask(agent, start_time=time_of(number), end_time=time_of(number + 1))
            assert kit.numbers(got) == [number], "it was acknowledged and is not shown"

    async def body():
        async with house(tmp_path) as agent, asyncio.TaskGroup() as tasks:
            for _ in range(4):
                tasks.create_task(lane(agent))

    in_house(body)


def test_pages_return_each_of_the_first_records_once_while_as_many_arrive(tmp_path, kit):
    async def more(agent: House) -> None:
        for chunk in range(50):
            await kit.send(agent, kit.request(*(kit.record(100_000 + chunk * 100 + i) for i in range(100))))

    async def pages(agent: House) -> list[int]:
        seen: list[int] = []
        token = ""
        while True:
            page = await kit.ask(agent, **SINCE, limit=170, page_token=token)
            assert page.total_count >= 5000
            seen += kit.numbers(page)
            if not page.has_more:
                return seen
            token = page.next_page_token

    async def body():
        async with house(tmp_path) as agent:
            await kit.send(agent, kit.request(*(kit.record(number) for number in range(5000))))
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(more(agent))
                paging = tasks.create_task(pages(agent))
            assert sorted(n for n in paging.result() if n < 5000) == list(range(5000))

    in_house(body)


@pytest.mark.parametrize("order", [api.ORDER_NEWEST, api.ORDER_OLDEST])
def test_order_offset_and_tokens_agree(tmp_path, kit, order):
    async def body():
        async with house(tmp_path) as agent:
            for numbers in (range(300, 500), range(300)):
                await kit.send(agent, kit.request(*(kit.record(n) for n in numbers)))
            whole = await kit.ask(agent, **SINCE, order=order)
            expected = list(range(500)) if order == api.ORDER_OLDEST else list(range(499, -1, -1))
            assert kit.numbers(whole) == expected
            assert (whole.total_count, whole.total_is_exact, whole.has_more) == (500, True, False)
            by_offset = [
                number
                for offset in range(0, 500, 90)
                for number in kit.numbers(await kit.ask(agent, **SINCE, order=order, limit=90, offset=offset))
            ]
            assert by_offset == expected

    in_house(body)


def test_a_service_a_window_and_an_attribute_select_exactly(tmp_path, kit):
    async def body():
        async with house(tmp_path) as agent:
            await kit.send(agent, kit.request(*(kit.record(n) for n in range(5))))
            await kit.send(agent, kit.request(kit.record(5, attributes=attributes({"code": 500}))))
            await kit.send(agent, kit.request(kit.record(6), service="payment"))
            third = time_of(3)
            for fields, expected in (
                (SINCE | {"service_name": "payment"}, [6]),
                (SINCE | {"attributes": [{"key": "code", "value": "500"}]}, [5]),
                ({"start_time": third}, [6, 5, 4, 3]),
                ({"end_time": third}, [2, 1, 0]),
                (SINCE | {"service_name": "nobody"}, []),
            ):
                assert kit.numbers(await kit.ask(agent, **fields)) == expected, fields
            info = {signal.signal: signal for signal in (await agent.info()).signals}
            assert [(s.service_name, s.rows) for s in info[kit.signal].services] == [("checkout", 6), ("payment", 1)]

    in_house(body)


def test_records_are_gone_after_their_time_with_their_files(tmp_path, kit):
    clock = SetClock(START)

    async def body():
        async with house(tmp_path, clock, STORE__RETENTION="10s", STORE__SEGMENT="2s") as agent:
            await kit.send(agent, kit.request(kit.record(1)))
            clock.advance(9.9)
            assert kit.numbers(await kit.ask(agent, **SINCE)) == [1]
            clock.advance(2.2)

            async def gone() -> bool:
                return not kit.numbers(await kit.ask(agent, **SINCE)) and not list(tmp_path.glob("*.duckdb"))

            await eventually(gone, "it is still there")

    in_house(body)


def test_a_bad_record_is_refused_alone_and_counted(tmp_path, kit):
    async def body():
        async with house(tmp_path) as agent:
            reply = await kit.send(agent, kit.request(kit.record(1), kit.record(2, **kit.bad), kit.record(3)))
            assert getattr(reply.partial_success, kit.rejected) == 1
            assert "1 of 3" in reply.partial_success.error_message
            assert kit.numbers(await kit.ask(agent, **SINCE)) == [3, 1]

    in_house(body)


def test_malformed_bodies_are_refused_on_both_doors(tmp_path, kit):
    async def body():
        async with house(tmp_path) as agent, httpx.AsyncClient() as client:
            for media, content in (("application/x-protobuf", b"\xff\xff"), ("application/json", b"{")):
                url = f"http://{agent.listening.otlp_http}/v1/{kit.signal}"
                answer = await client.post(url, content=content, headers={"content-type": media})
                assert answer.status_code == 400
            service = {Signal.TRACES: "trace.v1.Trace", Signal.LOGS: "logs.v1.Logs", Signal.METRICS: "metrics.v1.Metrics"}
            method = f"/opentelemetry.proto.collector.{service[kit.signal]}Service/Export"
            with pytest.raises(grpc.aio.AioRpcError) as refusal:
                await agent.otlp.unary_unary(method)(b"\xff\xff")
            assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT

    in_house(body)


def test_a_resent_request_counts_once_and_survives_a_restart(tmp_path, kit):
    sent = kit.request(*(kit.record(n) for n in range(3)))

    async def body():
        async with house(tmp_path) as agent:
            await kit.send(agent, sent)
            await kit.send(agent, sent)
        async with house(tmp_path) as agent:
            await kit.send(agent, sent)
            got = await kit.ask(agent, **SINCE)
            assert (kit.numbers(got), got.total_count) == ([2, 1, 0], 3)

    in_house(body)


def test_secrets_do_not_leave_and_cannot_be_asked_for(tmp_path, kit):
    secret = "AKIA" + "IOSFODNN7EXAMPLE"

    async def body():
        async with house(tmp_path) as agent:
            planted = attributes({"password": "hunter2", "note": f"key {secret}", "plain": "yes"})
            await kit.send(agent, kit.request(kit.record(1, attributes=planted), deep={"in": [secret]}))
            for fields in ({}, {"encoding": api.ENCODING_OTLP}):
                got = await kit.ask(agent, **SINCE, **fields)
                assert secret.encode() not in got.SerializeToString()
                assert b"hunter2" not in got.SerializeToString()
            for key, value in (("password", "hunter2"), ("note", f"key {secret}")):
                wanted = [{"key": key, "value": value}]
                assert (await kit.ask(agent, **SINCE, attributes=wanted)).total_count == 0
            (row,) = kit.rows(await kit.ask(agent, **SINCE))
            for key in ("password", "note", "plain"):
                wanted = [{"key": key, "value": row.attributes[key]}]
                assert kit.numbers(await kit.ask(agent, **SINCE, attributes=wanted)) == [1], key

    in_house(body)
