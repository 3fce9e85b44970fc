"""A storm of queries of one colony: senders are answered all along, and so is another colony."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc.aio
from coral.agent.v1 import telemetry_query_pb2 as api
from coral.agent.v1 import telemetry_query_pb2_grpc as api_grpc

from tests.flow.certificates import SERVER_NAME
from tests.flow.house import House, in_house
from tests.flow.test_mtls import AUTHORITY, COLONY, credentials, guarded
from tests.telemetry import attributes, request, span

SINCE: dict[str, Any] = {"start_time": {"seconds": 1}}
SLOW = api.QuerySpansRequest(**SINCE, attributes=[{"key": "note", "value": "mail [REDACTED:email] 7"}])
"""Scrubs every candidate."""


def channel(agent: House, colony: str) -> grpc.aio.Channel:
    options = [("grpc.ssl_target_name_override", SERVER_NAME), ("grpc.use_local_subchannel_pool", 1)]
    return grpc.aio.secure_channel(agent.listening.query, credentials(AUTHORITY.issue(colony)), options)


def noted(number: int) -> bytes:
    notes = [attributes({"note": f"mail ada{n}@example.com {number}"}) for n in range(200)]
    return request(*(span(number * 1000 + n, attributes=note) for n, note in enumerate(notes))).SerializeToString()


def test_one_colony_starves_neither_another_nor_the_senders(tmp_path):
    async def body() -> None:
        async with guarded(tmp_path, QUERY__MAX_CONCURRENT="4") as agent:
            for number in range(10):
                await agent.export(noted(number))
            done = asyncio.Event()
            refused: set[grpc.StatusCode] = set()
            answered = [0]

            async def storm(stub: Any) -> None:
                while not done.is_set():
                    try:
                        await stub.QuerySpans(SLOW, timeout=20)
                        answered[0] += 1
                    except grpc.aio.AioRpcError as error:
                        refused.add(error.code())

            async with (
                channel(agent, COLONY) as greedy,
                channel(agent, "spiffe://coral/colony/c2") as modest,
                asyncio.TaskGroup() as tasks,
            ):
                for _ in range(30):
                    tasks.create_task(storm(api_grpc.TelemetryQueryStub(greedy)))
                for number in range(10, 20):
                    async with asyncio.timeout(10):
                        await agent.export(noted(number))
                    found = await api_grpc.TelemetryQueryStub(modest).QuerySpans(SLOW, timeout=20)
                    assert found.total_count == 200
                done.set()
            assert answered[0] > 0
            assert refused <= {grpc.StatusCode.RESOURCE_EXHAUSTED}

    in_house(body)
