"""The embedded uvicorn: sockets, refusals, and a goodbye that lets requests finish."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from agent import errors
from agent.endpoint import Endpoint
from agent.web import bind, serving_app

ANY_PORT = Endpoint.parse("127.0.0.1:0")


def hello(_: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


APP = Starlette(routes=[Route("/", hello)])


async def get_over(path: str) -> str:
    transport = httpx.AsyncHTTPTransport(uds=path)
    async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
        return (await client.get("http://agent/")).text


def test_a_unix_socket_answers_and_is_removed_afterwards(tmp_path: Path):
    path = tmp_path / "agent.sock"

    async def scenario() -> str:
        async with asyncio.timeout(5), serving_app(APP, Endpoint.parse(f"unix://{path}"), "k") as address:
            assert address == f"unix://{path}"
            return await get_over(str(path))

    assert asyncio.run(scenario()) == "hello"
    assert not path.exists()


def test_the_socket_of_a_process_that_is_gone_is_replaced(tmp_path: Path):
    path = tmp_path / "agent.sock"
    bind(Endpoint.parse(f"unix://{path}"), "k").close()
    assert path.exists()

    bind(Endpoint.parse(f"unix://{path}"), "k").close()


def test_a_unix_socket_that_answers_is_not_taken_over(tmp_path: Path):
    endpoint = Endpoint.parse(f"unix://{tmp_path / 'agent.sock'}")
    with bind(endpoint, "k"), pytest.raises(errors.ConfigError, match="already in use"):
        bind(endpoint, "k")


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("192.0.2.1:4318", "this machine has no such address"),
        ("no-such-host.invalid:4318", "the host name is not known"),
        ("unix:///no/such/directory/agent.sock", "its directory does not exist"),
    ],
)
def test_an_address_that_cannot_be_had_is_refused_by_key_and_reason(address: str, reason: str):
    with pytest.raises(errors.ConfigError) as refused:
        bind(Endpoint.parse(address), "otlp.http.endpoint")

    assert refused.value.message.startswith(f'otlp.http.endpoint = "{address}": {reason}')


def test_a_request_in_flight_is_finished_when_the_server_closes():
    entered = asyncio.Event()
    finish = asyncio.Event()

    async def slow(_: Request) -> PlainTextResponse:
        entered.set()
        await finish.wait()
        return PlainTextResponse("finished")

    async def scenario() -> str:
        async with asyncio.timeout(5), httpx.AsyncClient(trust_env=False) as client, asyncio.TaskGroup() as tasks:
            async with serving_app(Starlette(routes=[Route("/", slow)]), ANY_PORT, "k") as address:
                asking = tasks.create_task(client.get(f"http://{address}/"))
                await entered.wait()
                asyncio.get_running_loop().call_soon(finish.set)
            return (await asking).text

    assert asyncio.run(scenario()) == "finished"


def test_signals_stay_with_whoever_has_them():
    async def scenario() -> None:
        before = signal.getsignal(signal.SIGTERM)
        async with asyncio.timeout(5), serving_app(APP, ANY_PORT, "k") as address, httpx.AsyncClient() as client:
            await client.get(f"http://{address}/")
            assert signal.getsignal(signal.SIGTERM) is before

    asyncio.run(scenario())


def test_an_error_inside_closes_the_server():
    async def scenario() -> str:
        with pytest.raises(KeyError) as error:
            async with asyncio.timeout(5), serving_app(APP, ANY_PORT, "k") as address:
                raise KeyError(address)
        bound: str = error.value.args[0]
        return bound

    address = asyncio.run(scenario())

    bind(Endpoint.parse(address), "k").close()
