"""Three generations of mcp-go, and a session that is lost in every form that servers have for it."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from colony.upstream.faults import (
    NoSuchTool,
    NotAllowed,
    PassingFault,
    ProtocolFault,
    ServerFault,
    SessionLost,
    Throttled,
    WrongAddress,
)
from colony.upstream.keeper import State
from tests.colony.upstream.goish import GENERATIONS, NEW, OLD, GoServer, rpc_error
from tests.colony.upstream.servers import Restartable, asked, counted, run
from tests.colony.upstream.small_tempo import SmallTempo, base, tempo_at

QUERY = {"query": "{}"}


@asynccontextmanager
async def tempo(server: GoServer, **fields):
    """A client of this server, by its base address."""
    async with tempo_at(server) as here, asked(base(here), kind="tempo", **fields) as upstream:
        yield upstream


@pytest.mark.parametrize("generation", GENERATIONS, ids=lambda one: one.name)
@pytest.mark.parametrize("tools", [7, 8, 9])
def test_each_generation_is_spoken_to_in_the_newest_revision_that_it_knows(generation, tools):
    async def body():
        server = SmallTempo().server(generation, tools)
        async with tempo(server) as upstream:
            assert (upstream.status.era, upstream.status.server) == (generation.newest, "tempo 0.1.0")
            assert len(upstream.tools) == tools
            assert (await upstream.call("docs-traceql", {"name": "basic"})).text.startswith("# TraceQL")
        methods = [message["method"] for message in server.requests]
        assert methods[:4] == ["server/discover", "initialize", "notifications/initialized", "tools/list"]
        assert "notifications/cancelled" not in methods
        assert server.http[-1] == "DELETE"
        ids = [message["id"] for message in server.requests if message.get("id") is not None]
        assert len(ids) == len(set(ids))

    run(body)


LOST = [
    pytest.param(lambda: PlainTextResponse("Invalid session ID\n", 404), id="404 text"),
    pytest.param(lambda: PlainTextResponse("Invalid session ID\n", 400), id="400 text"),
    pytest.param(lambda: Response(status_code=404), id="404 nothing"),
    pytest.param(lambda: rpc_error(-32600, "Session not found", 404), id="404 -32600"),
    pytest.param(lambda: rpc_error(-32001, "Session not found", 404), id="404 -32001"),
    pytest.param(lambda: rpc_error(-32001, "no such thing", 400), id="400 -32001"),
    pytest.param(lambda: rpc_error(32600, "Session terminated", 404), id="404 32600"),
    pytest.param(lambda: rpc_error(-32000, "Bad Request: No valid session ID provided", 400), id="400 -32000"),
]


@pytest.mark.parametrize("lost", LOST)
def test_a_lost_session_is_made_again_and_a_read_repeated_once_with_another_id(lost):
    async def body():
        here = SmallTempo()
        server = here.server()
        async with tempo(server) as upstream:
            server.refuse.append(lost())
            assert (await upstream.call("traceql-search", QUERY)).text.startswith("{")
            calls = [message["id"] for message in server.requests if message["method"] == "tools/call"]
            assert len(here.asked) == 1
            assert (
                len(calls),
                len({message["method"] for message in server.requests if message["method"] == "initialize"}),
            ) == (2, 1)
            assert counted(upstream, "upstream_retries_total") == 1
            assert counted(upstream, "upstream_reconnects_total") == 1
            sessions = {headers["mcp-session-id"] for headers in server.headers if "mcp-session-id" in headers}
            assert len(sessions) == 2

    run(body)


def test_a_session_that_is_lost_again_at_once_is_an_error_and_no_loop():
    async def body():
        server = SmallTempo().server()
        async with tempo(server) as upstream:
            server.refuse += [PlainTextResponse("Invalid session ID\n", 404) for _ in range(2)]
            with pytest.raises(SessionLost):
                await upstream.call("traceql-search", QUERY)
            assert (await upstream.call("traceql-search", QUERY)).text.startswith("{")

    run(body)


REFUSALS = [
    (lambda: PlainTextResponse("who are you\n", 401), NotAllowed, "HTTP 401: who are you; look at its token and tenant"),
    (lambda: JSONResponse({"message": "no"}, 403), NotAllowed, "HTTP 403"),
    (lambda: PlainTextResponse("slow", 429, {"retry-after": "60"}), Throttled, "HTTP 429: slow"),
    (lambda: PlainTextResponse("boom", 500), ServerFault, "HTTP 500: boom"),
    (lambda: rpc_error(-32602, "tool 'x' not found: tool not found"), NoSuchTool, "tool 'x' not found"),
    (lambda: rpc_error(-32601, "Method not found"), ProtocolFault, "error -32601: Method not found"),
    (lambda: PlainTextResponse("<html>"), ProtocolFault, "error -32600: Unexpected content type"),
    (lambda: JSONResponse({"hello": 1}), ProtocolFault, "error -32700"),
    (
        lambda: Response(b"\x1f\x8b", media_type="application/json", headers={"content-encoding": "gzip"}),
        ProtocolFault,
        "compressed",
    ),
    (lambda: Response(status_code=302, headers={"location": "http://elsewhere.invalid/"}), ProtocolFault, "not followed"),
]


@pytest.mark.parametrize(("answer", "kind", "said"), REFUSALS)
def test_a_refusal_is_told_by_its_kind_and_costs_its_call_alone(answer, kind, said):
    async def body():
        server = SmallTempo().server()
        async with tempo(server, deadline_seconds=2.0) as upstream:
            server.refuse += [answer(), answer()]
            with pytest.raises(kind) as refused:
                await upstream.call("traceql-search", QUERY)
            assert said in refused.value.message
            server.refuse.clear()
            assert (await upstream.call("traceql-search", QUERY)).text.startswith("{")
            assert upstream.status.state is State.UP

    run(body)


@pytest.mark.parametrize(
    ("status", "headers"), [(503, {"retry-after": "0"}), (429, {"retry-after": "0.2"}), (502, {}), (504, {})]
)
def test_what_passes_is_asked_again_once_when_the_server_says(status, headers):
    async def body():
        here = SmallTempo()
        server = here.server()
        async with tempo(server) as upstream:
            server.refuse.append(PlainTextResponse("later", status, headers))
            assert (await upstream.call("traceql-search", QUERY)).text.startswith("{")
            server.refuse += [PlainTextResponse("later", status, headers) for _ in range(2)]
            with pytest.raises((Throttled, PassingFault)):
                await upstream.call("traceql-search", QUERY)

    run(body)


def test_second_tries_have_a_budget():
    async def body():
        server = SmallTempo().server()
        async with tempo(server) as upstream:
            server.refuse += [PlainTextResponse("later", 502) for _ in range(60)]
            for _ in range(30):
                with pytest.raises(PassingFault):
                    await upstream.call("traceql-search", QUERY)
            assert 10 <= counted(upstream, "upstream_retries_total") <= 16

    run(body)


@pytest.mark.parametrize("suffix", ["", "/", "/api/mcp", "/api/mcp/", "/api/mcp/api/mcp"])
@pytest.mark.parametrize("prefix", ["", "/tempo"])
def test_base_or_full_address_with_or_without_prefix_is_never_doubled(prefix, suffix):
    async def body():
        server = SmallTempo().server(path=f"{prefix}/api/mcp")
        async with tempo_at(server) as here, asked(base(here) + prefix + suffix, kind="tempo") as upstream:
            assert upstream.status.state is State.UP, upstream.status
            assert upstream.status.url == f"{base(here)}{prefix}/api/mcp"

    run(body)


def test_an_address_without_a_server_says_what_to_look_at():
    async def body():
        server = SmallTempo().server(path="/elsewhere")
        async with tempo(server) as upstream:
            assert upstream.status.state is State.DOWN
            assert "no MCP server at this address; look at url" in upstream.status.last_fault
            assert isinstance(upstream._keeper.fault, WrongAddress)

    run(body)


def test_an_event_stream_of_the_older_generation_is_read():
    async def body():
        server = SmallTempo().server(OLD, streams=True)
        async with tempo(server) as upstream:
            assert (await upstream.call("traceql-search", QUERY)).text.startswith("{")

    run(body)


def test_a_server_that_came_back_as_another_generation_is_taken_as_it_is():
    async def body():
        here = SmallTempo()
        now = [here.server(OLD)]
        place = Restartable(lambda: (now[0], None))
        await place.start()
        async with asked(base(place), kind="tempo") as upstream:
            assert upstream.status.era == "2025-06-18"
            now[0].closing.set()
            await place.stop()
            now[0] = here.server(NEW, 7)
            await place.start()
            server = now[0]
            server.refuse.append(PlainTextResponse("Invalid session ID\n", 404))
            assert (await upstream.call("traceql-search", QUERY)).text.startswith("{")
            assert (upstream.status.era, len(upstream.tools)) == ("2025-11-25", 7)
            server.closing.set()
        await place.stop()

    run(body)
