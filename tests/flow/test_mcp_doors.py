"""Who may speak to the MCP server, in which eras, and that whoever hangs up is heard by the agents."""

from __future__ import annotations

import asyncio
import json
import ssl
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from mcp.client import Client
from prometheus_client import CollectorRegistry

from colony.config.model import Config
from colony.desk import Desk
from colony.endpoint import Endpoint
from colony.errors import ConfigError
from colony.instruments import Instruments
from colony.server.guard import Access
from colony.server.protocol import ColonyServer, mcp_server
from colony.server.serving import Pair, serving_mcp, token_of
from colony.tools import TOOLS, Surroundings
from tests.colony.agents import SmallAgent, colony_of, eventually
from tests.colony.rows import span
from tests.flow.mcp import ERAS, LEGACY, told
from tests.flow.town import in_town

FREE = Endpoint("127.0.0.1", 0)
TOKEN = "a token of this test only".replace(" ", "-")


def server_over(colony: Any) -> ColonyServer:
    desk = Desk(colony.registry, colony.orchestrator, None)  # type: ignore[arg-type] # no summaries are asked for here
    return mcp_server(Surroundings(desk, colony.clock), Instruments(CollectorRegistry()))


def initialize(version: str = "2025-11-25") -> dict[str, Any]:
    client = {"name": "test", "version": "1"}
    return {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"protocolVersion": version, "capabilities": {}, "clientInfo": client},
    }


HEADERS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


async def post(url: str, *, verify: Any = True, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(verify=verify) as client:
        return await client.post(url, json=initialize(), headers=HEADERS | headers)


@pytest.mark.parametrize("path", ["/mcp", "/api/mcp"])
def test_a_foreign_host_or_origin_is_refused_on_both_paths(path):
    async def body():
        async with colony_of() as colony, serving_mcp(server_over(colony), Access(FREE)) as address:
            url = f"http://{address}{path}"
            assert (await post(url)).status_code == 200
            assert (await post(url, origin="http://localhost:3000")).status_code == 200
            assert (await post(url, host="evil.example")).status_code == 421
            assert (await post(url, origin="http://evil.example")).status_code == 403
            assert (await post(url, origin="null")).status_code == 403
            assert (await post(f"http://{address}/other")).status_code == 404

    in_town(body)


def test_without_the_bearer_token_nothing_is_said():
    async def body():
        access = Access(FREE, token=TOKEN)
        async with colony_of() as colony, serving_mcp(server_over(colony), access) as address:
            url = f"http://{address}/mcp"
            for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {TOKEN}"}):
                refused = await post(url, **headers)
                assert (refused.status_code, refused.headers["www-authenticate"].startswith("Bearer")) == (401, True)
            assert (await post(url, authorization=f"Bearer {TOKEN}")).status_code == 200

    in_town(body)


def test_tls_answers_those_who_trust_the_certificate(tmp_path: Path):
    async def body():
        authority = trustme.CA()
        pair = authority.issue_cert("localhost")
        pair.cert_chain_pems[0].write_to_path(str(tmp_path / "cert"))
        pair.private_key_pem.write_to_path(str(tmp_path / "key"))
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        tls = Pair(tmp_path / "cert", tmp_path / "key")
        async with colony_of() as colony, serving_mcp(server_over(colony), Access(FREE), tls) as address:
            url = f"https://localhost:{address.rpartition(':')[2]}/mcp"
            assert (await post(url, verify=trusting)).status_code == 200

    in_town(body)


def test_off_loopback_a_token_and_names_are_needed(tmp_path: Path):
    (tmp_path / "token").write_text(TOKEN)
    far = {"CORAL_COLONY__MCP__ENDPOINT": "0.0.0.0:4321"}
    with pytest.raises(ConfigError, match=r"set mcp\.bearer_token_file") as refusal:
        Config.load(None, far)
    assert "set mcp.allowed_hosts" in refusal.value.message
    whole = far | {
        "CORAL_COLONY__MCP__BEARER_TOKEN_FILE": str(tmp_path / "token"),
        "CORAL_COLONY__MCP__ALLOWED_HOSTS": "colony:*",
    }
    assert token_of(Config.load(None, whole).mcp.bearer_token_file) == TOKEN
    (tmp_path / "token").write_text("short")
    with pytest.raises(ConfigError, match="at least 16"):
        token_of(tmp_path / "token")


@pytest.mark.parametrize("era", [LEGACY, "auto"])
def test_both_eras_list_the_same_few_tools(era):
    async def body():
        async with colony_of() as colony, serving_mcp(server_over(colony), Access(FREE)) as address:
            async with Client(f"http://{address}/mcp", mode=era) as client:
                tools = (await client.list_tools()).tools
                assert client.instructions
                assert len(client.instructions.splitlines()) <= 20
            size = len(json.dumps([tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]))
            assert size < 12_000
            assert [tool.name for tool in TOOLS] == [tool.name for tool in tools]
            assert len(tools) <= 10
            assert all(tool.output_schema and tool.annotations and tool.annotations.read_only_hint for tool in tools)

    in_town(body)


@pytest.mark.parametrize("era", ERAS)
def test_whoever_waits_hears_progress_and_whoever_hangs_up_is_heard_by_the_agent(era):
    async def body():
        agent = SmallAgent("slow")
        agent.add(span("a"))
        async with AsyncExitStack() as house:
            colony = await house.enter_async_context(colony_of(agent, deadline=30))
            address = await house.enter_async_context(serving_mcp(server_over(colony), Access(FREE)))
            client = await house.enter_async_context(Client(f"http://{address}/mcp", mode=era))
            agent.stuck.add("QuerySpans")
            heard = asyncio.Event()

            async def hear(progress: float, total: float | None, message: str | None) -> None:
                heard.set()

            asking = asyncio.ensure_future(  # noqa: TID251 what is cancelled here
                client.call_tool("coral_query_raw_spans", {"service_name": "shop"}, progress_callback=hear)
            )
            async with asyncio.timeout(10):
                await heard.wait()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            await eventually(lambda: agent.cancelled == 1)
            agent.stuck.clear()
            assert "1 span of 1" in await told(client, "coral_query_raw_spans", service_name="shop")

    in_town(body)


def test_a_session_that_was_ended_is_not_known():
    async def body():
        async with colony_of() as colony, serving_mcp(server_over(colony), Access(FREE)) as address:
            url = f"http://{address}/mcp"
            session = (await post(url)).headers["mcp-session-id"]
            async with httpx.AsyncClient(headers=HEADERS | {"mcp-session-id": session}) as client:
                assert (await client.delete(url)).status_code == 200
                ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
                assert (await client.post(url, json=ping)).status_code == 404
            async with Client(url, mode=LEGACY) as client:
                assert client.server_info is not None
                assert client.server_info.name == "coral-colony"

    in_town(body)
