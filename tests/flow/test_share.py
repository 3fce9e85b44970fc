"""A noisy service cannot evict the others: over its share it is told to come again, which is counted, and they are kept."""

from __future__ import annotations

import random

import grpc.aio
import httpx
import pytest

from tests.flow.house import House, eventually, house, in_house
from tests.telemetry import attributes, request, span

NOISE = random.Random(7)


async def metrics(agent: House) -> str:
    async with httpx.AsyncClient(timeout=10) as client:
        return (await client.get(f"http://{agent.listening.admin}/metrics")).text


async def send(agent: House, service: str, number: int, count: int = 20) -> None:
    wide = [span(number * 100 + n, attributes=attributes({"note": NOISE.randbytes(2000).hex()})) for n in range(count)]
    await agent.export(request(*wide, service=service))


def test_over_its_share_a_service_is_told_to_retry_and_the_others_are_kept(tmp_path):
    async def body():
        async with house(tmp_path, STORE__MAX_BYTES="8MiB", STORE__MAX_SERVICE_PERCENT="10") as agent:
            await send(agent, "quiet", 0, 1)
            refused: list[grpc.aio.AioRpcError] = []

            async def is_refused() -> bool:
                try:
                    await send(agent, "noisy", 1 + len(refused))
                except grpc.aio.AioRpcError as error:
                    refused.append(error)
                return bool(refused)

            await eventually(is_refused, "the noisy service has its share")
            assert refused[0].code() is grpc.StatusCode.UNAVAILABLE
            assert "google.rpc.retryinfo-bin" in str(refused[0].trailing_metadata())
            await send(agent, "quiet", 90, 1)
            found = await agent.spans(service_name="quiet", start_time={"seconds": 1})
            assert found.total_count == 2
            page = await metrics(agent)
            assert 'coral_agent_receiver_refused_spans_total{reason="share_full",transport="grpc"} 20.0' in page
            assert "noisy" not in page

    in_house(body)


@pytest.mark.parametrize("percent", ["100"])
def test_off_by_default_a_service_may_have_all(tmp_path, percent):
    async def body():
        async with house(tmp_path, STORE__MAX_BYTES="8MiB", STORE__MAX_SERVICE_PERCENT=percent) as agent:
            for number in range(20):
                await send(agent, "noisy", number)

    in_house(body)
