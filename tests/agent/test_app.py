"""The house opened as configured: one OTLP door alone, and TLS on every door that has it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import httpx
import trustme
import uvloop

from agent.app import Listening, run
from agent.config.model import Config
from tests.agent.certificates import channel_credentials, client_context, files_in
from tests.agent.receive.recording import spans

ANY = "127.0.0.1:0"
CA = trustme.CA()
CLIENT = CA.issue_cert("client.localhost")
TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def opened(directory: Path, otlp: Mapping[str, Any], visit: Callable[[Listening], Awaitable[None]], **query: Any) -> None:
    """The agent on its own event loop, as ``coral-agent run`` has it, for as long as ``visit`` takes."""
    config = Config.model_validate(
        {
            "otlp": otlp,
            "store": {"dir": directory / "store"},
            "query": {"endpoint": ANY, **query},
            "admin": {"endpoint": ANY},
        }
    )

    async def scenario() -> None:
        stop = asyncio.Event()
        listening = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            tasks.create_task(run(config, stop, listening.set_result))
            try:
                await visit(await listening)
            finally:
                stop.set()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())


def port(address: str) -> str:
    return address.rpartition(":")[2]


async def post(url: str, **session: Any) -> int:
    async with httpx.AsyncClient(trust_env=False, **session) as client:
        return (await client.post(url, content=spans(1), headers={"content-type": "application/x-protobuf"})).status_code


def test_http_alone_is_served_on_the_paths_that_are_configured(tmp_path):
    async def visit(listening: Listening) -> None:
        assert listening.otlp_grpc == ""
        assert await post(f"http://{listening.otlp_http}/in") == 200

    opened(tmp_path, {"grpc": {"endpoint": ""}, "http": {"endpoint": ANY, "traces_url_path": "in"}}, visit)


def test_grpc_alone_is_served(tmp_path):
    async def visit(listening: Listening) -> None:
        assert listening.otlp_http == ""
        async with grpc.aio.insecure_channel(listening.otlp_grpc) as channel:
            assert await channel.unary_unary(TRACES)(spans(1), timeout=5) == b""

    opened(tmp_path, {"grpc": {"endpoint": ANY}, "http": {"endpoint": ""}}, visit)


def test_every_door_has_the_tls_that_is_configured_and_tells_when_its_certificate_expires(tmp_path):
    files = files_in(tmp_path)
    files.write(CA)
    tls = {name: str(path) for name, path in vars(files).items()}

    async def visit(listening: Listening) -> None:
        assert await post(f"https://localhost:{port(listening.otlp_http)}/v1/traces", verify=client_context(CA, CLIENT)) == 200
        credentials = channel_credentials(CA, CLIENT)
        for address, method in ((listening.otlp_grpc, TRACES), (listening.query, "/coral.agent.v1.TelemetryQuery/No")):
            async with grpc.aio.secure_channel(f"localhost:{port(address)}", credentials) as channel:
                try:
                    assert await channel.unary_unary(method)(spans(1), timeout=5) == b""
                except grpc.aio.AioRpcError as error:
                    assert error.code() is grpc.StatusCode.PERMISSION_DENIED  # noqa: PT017  # of the query door, behind TLS
        async with httpx.AsyncClient(trust_env=False) as client:
            page = (await client.get(f"http://{listening.admin}/metrics")).text
        for door in ("otlp.grpc", "otlp.http", "query"):
            assert f'coral_agent_tls_not_after_seconds{{endpoint="{door}"}}' in page
            assert f'coral_agent_tls_reload_failures_total{{endpoint="{door}"}} 0.0' in page

    opened(tmp_path, {"grpc": {"endpoint": ANY, "tls": tls}, "http": {"endpoint": ANY, "tls": tls}}, visit, tls=tls)
