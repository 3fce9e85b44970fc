"""The admin server: what each path answers, and how a taken address is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from prometheus_client import CollectorRegistry

from agent import errors
from agent.admin import serving_admin
from agent.endpoint import Endpoint
from agent.instruments import Instruments

ANY_PORT = Endpoint.parse("127.0.0.1:0")


@asynccontextmanager
async def admin(ready: Callable[[], str | None] = lambda: None) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        asyncio.timeout(5),
        serving_admin(ANY_PORT, Instruments(CollectorRegistry()), ready) as address,
        httpx.AsyncClient(base_url=f"http://{address}", trust_env=False) as client,
    ):
        yield client


def get(path: str, ready: Callable[[], str | None] = lambda: None, **headers: str) -> httpx.Response:
    async def scenario() -> httpx.Response:
        async with admin(ready) as client:
            return await client.get(path, headers=headers)

    return asyncio.run(scenario())


def test_metrics_are_the_registry_and_the_process():
    response = get("/metrics")

    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    assert "coral_agent_queue_bytes 0.0" in response.text
    assert "process_resident_memory_bytes" in response.text


def test_metrics_speak_openmetrics_to_who_asks():
    response = get("/metrics", accept="application/openmetrics-text; version=1.0.0")

    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")


def test_livez_is_alive_even_when_not_ready():
    assert get("/livez", lambda: "draining").status_code == 200


def test_readyz_is_ready_when_nothing_stands_against_it():
    assert get("/readyz").text == "ready\n"


def test_readyz_gives_the_reason_why_not():
    response = get("/readyz", lambda: "the store reopens")

    assert (response.status_code, response.text) == (503, "not ready: the store reopens\n")


def test_any_other_path_is_not_found():
    assert get("/").status_code == 404


def test_a_taken_address_is_refused_in_one_line_that_names_the_key():
    async def scenario() -> str:
        async with asyncio.timeout(5), serving_admin(ANY_PORT, Instruments(CollectorRegistry()), lambda: None) as address:
            second = serving_admin(Endpoint.parse(address), Instruments(CollectorRegistry()), lambda: None)
            with pytest.raises(errors.ConfigError) as refused:
                await second.__aenter__()
            return refused.value.message

    message = asyncio.run(scenario())

    assert message.startswith("admin.endpoint = ")
    assert "already in use" in message
    assert "\n" not in message


def test_the_address_is_free_again_afterwards():
    async def scenario() -> None:
        async with asyncio.timeout(5):
            async with serving_admin(ANY_PORT, Instruments(CollectorRegistry()), lambda: None) as address:
                pass
            async with serving_admin(Endpoint.parse(address), Instruments(CollectorRegistry()), lambda: None) as again:
                assert again == address

    asyncio.run(scenario())
