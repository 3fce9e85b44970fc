"""The HTTP receiver as a server: connections, drain, addresses."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from agent import errors
from agent.endpoint import Endpoint
from agent.receive.otlp_http import serving_otlp_http
from tests.agent.receive.calling import PROTOBUF, head, settings
from tests.agent.receive.recording import SIGNALS, House, RecordingSink, run, spans


def test_a_hundred_requests_go_over_one_connection():
    async def test() -> None:
        async with serving_otlp_http(settings(), House().receiver, SIGNALS) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for _ in range(100):
                writer.write(head(len(spans(1))) + spans(1))
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            writer.close()
            await writer.wait_closed()

    run(test())


def test_a_sender_that_hangs_up_in_the_middle_leaves_nothing_behind():
    async def test() -> None:
        house = House()
        async with serving_otlp_http(settings(), house.receiver, SIGNALS) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                f"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: {PROTOBUF}\r\ncontent-length: 9\r\n\r\nx".encode()
            )
            writer.close()
            await writer.wait_closed()
            async with httpx.AsyncClient() as client:
                url = f"http://127.0.0.1:{port}/v1/traces"
                assert (await client.post(url, content=spans(1), headers={"content-type": PROTOBUF})).status_code == 200
        assert len(house.sink.exports) == 1
        assert len(asyncio.all_tasks()) == 1

    run(test())


def test_a_request_in_flight_finishes_while_the_server_drains_and_the_port_is_free_at_once():
    async def test() -> None:
        gate = asyncio.Event()
        house = House(RecordingSink(gate=gate))
        closing = asyncio.Event()
        bound = asyncio.get_running_loop().create_future()

        async def serve() -> None:
            async with serving_otlp_http(settings(), house.receiver, SIGNALS) as port:
                bound.set_result(port)
                await closing.wait()

        async with asyncio.TaskGroup() as tasks, httpx.AsyncClient() as client:
            serving = tasks.create_task(serve())
            url = f"http://127.0.0.1:{await bound}/v1/traces"
            call = tasks.create_task(client.post(url, content=spans(1), headers={"content-type": PROTOBUF}))
            await house.sink.arrived.wait()
            closing.set()
            gate.set()
            assert (await call).status_code == 200
            await serving
            with pytest.raises(httpx.TransportError):
                await client.post(url, content=spans(1))
        async with serving_otlp_http(
            settings(endpoint=Endpoint("127.0.0.1", bound.result())), House().receiver, SIGNALS
        ) as again:
            assert bound.result() == again

    run(test())


def test_a_request_that_outlives_the_drain_is_told_to_come_again():
    async def test() -> None:
        house = House(RecordingSink(gate=asyncio.Event()))
        bound = asyncio.get_running_loop().create_future()

        async def serve() -> None:
            async with serving_otlp_http(settings(drain_seconds=0), house.receiver, SIGNALS) as port:
                bound.set_result(port)
                await house.sink.arrived.wait()

        async with asyncio.TaskGroup() as tasks, httpx.AsyncClient() as client:
            tasks.create_task(serve())
            url = f"http://127.0.0.1:{await bound}/v1/traces"
            response = await client.post(url, content=spans(1), headers={"content-type": PROTOBUF})
        assert (response.status_code, response.headers["retry-after"]) == (503, "2")
        assert len(asyncio.all_tasks()) == 1

    run(test())


def test_the_body_of_the_context_sees_its_own_errors():
    async def test() -> None:
        with pytest.raises(ZeroDivisionError):
            async with serving_otlp_http(settings(), House().receiver, SIGNALS):
                raise ZeroDivisionError

    run(test())


def test_a_port_in_use_is_a_configuration_error_in_one_line():
    async def test() -> None:
        async with serving_otlp_http(settings(), House().receiver, SIGNALS) as port:
            with pytest.raises(errors.ConfigError) as caught:
                async with serving_otlp_http(settings(endpoint=Endpoint("127.0.0.1", port)), House().receiver, SIGNALS):
                    pytest.fail("two servers share a port")
        assert f'otlp.http.endpoint = "127.0.0.1:{port}"' in caught.value.message
        assert "already in use" in caught.value.message
        assert "\n" not in caught.value.message

    run(test())


def test_a_unix_socket_serves_and_is_gone_afterwards(tmp_path):
    async def test() -> None:
        path = tmp_path / "otlp.sock"
        async with serving_otlp_http(settings(endpoint=Endpoint.parse(f"unix://{path}")), House().receiver, SIGNALS) as port:
            assert port == 0
            async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(path))) as client:
                url = "http://agent/v1/traces"
                assert (await client.post(url, content=spans(1), headers={"content-type": PROTOBUF})).status_code == 200
        assert not path.exists()

    run(test())
