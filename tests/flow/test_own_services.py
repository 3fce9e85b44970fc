"""Only the node's own services: what is stored of others, and what is of nobody, cannot be told apart by any method."""

from __future__ import annotations

from typing import Any

import pytest

from agent.batch import Signal
from tests.flow.house import House, house, in_house
from tests.flow.signals import KITS
from tests.telemetry import START

SINCE: dict[str, Any] = {"start_time": {"seconds": 1}}
STEPPED: dict[str, Any] = {
    "start_time": {"seconds": START // 10**9 - 60},
    "end_time": {"seconds": START // 10**9 + 60},
    "step": {"seconds": 60},
}


async def said_of(agent: House, service: str) -> list[str]:
    """What every method says of a service."""
    answers: list[Any] = [await agent.names(service_name=service), await agent.points(service_name=service, **STEPPED)]
    for more in ({}, {"limit": 1}, {"offset": 1}, {"encoding": 2}):
        answers += [await kit.ask(agent, service_name=service, **SINCE, **more) for kit in KITS.values()]
    return [str(answer) for answer in answers]


@pytest.mark.parametrize("foreign", ["payment", "Checkout", "checkout2", "nobody"])
def test_a_foreign_service_and_one_that_does_not_exist_answer_alike_even_where_its_rows_are_stored(tmp_path, foreign):
    async def fill() -> None:
        async with house(tmp_path) as agent:
            for kit in KITS.values():
                for service in ("checkout", "payment", "Checkout", "checkout2"):
                    await kit.send(agent, kit.request(kit.record(1), kit.record(2), service=service))

    async def body() -> None:
        async with house(tmp_path, AGENT__SERVICES="checkout") as agent:
            assert await said_of(agent, foreign) == await said_of(agent, "none like it")
            assert await said_of(agent, " checkout ") != await said_of(agent, "none like it")
            info = await agent.info()
            assert {service.service_name for signal in info.signals for service in signal.services} == {"checkout"}
            assert [signal.rows for signal in info.signals] == [2, 2, 2]
            for kit in KITS.values():
                found = await kit.ask(agent, **SINCE)
                assert ({row.service_name for row in kit.rows(found)}, found.total_count) == ({"checkout"}, 2)

    in_house(fill)
    in_house(body)


@pytest.mark.parametrize("signal", Signal)
def test_at_the_door_foreign_records_are_refused_and_counted_and_the_others_kept(tmp_path, signal):
    kit = KITS[signal]

    async def body() -> None:
        async with house(tmp_path, AGENT__SERVICES="checkout") as agent:
            reply = await kit.send(agent, kit.request(kit.record(1), kit.record(2), service="payment"))
            assert getattr(reply.partial_success, kit.rejected) == 2
            reply = await kit.send(agent, kit.request(kit.record(1), service="checkout"))
            assert getattr(reply.partial_success, kit.rejected) == 0
            assert (await kit.ask(agent, **SINCE)).total_count == 1

    in_house(body)
