"""A client that lives: against a strict server of the official SDK, in both eras."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from colony.upstream.faults import Broken, Down, TimedOut, TooLarge, UpstreamError
from colony.upstream.keeper import State
from tests.colony.agents import eventually
from tests.colony.upstream.servers import Seen, asked, counted, run, strict, strict_server

ERAS = ["legacy", "modern"]


@asynccontextmanager
async def pair(era: str, seen: Seen | None = None, **fields):
    """A strict server that speaks this era, and a client of it."""
    seen = seen or Seen()
    async with strict(seen, era=era) as server, asked(server.url, **fields) as upstream:
        yield server, upstream, seen


@pytest.mark.parametrize("era", ERAS)
def test_it_connects_lists_and_calls(era):
    async def body():
        async with pair(era) as (_, upstream, _seen):
            assert upstream.status.state is State.UP
            assert upstream.status.era == ("2025-11-25" if era == "legacy" else "2026-07-28")
            assert upstream.status.server == "strict 1"
            assert "echo" in {tool.name for tool in upstream.tools}
            assert (await upstream.call("echo", {"text": "hello"})).text == "hello"
            assert (await upstream.call("structured", {"number": 3})).structured == {"number": 3}
            failed = await upstream.call("fails", {"text": "no"})
            assert (failed.is_error, failed.text) == (True, "Error executing tool fails: no")
            assert counted(upstream, "upstream_calls_total", outcome="answered") == 2
            assert counted(upstream, "upstream_calls_total", outcome="error") == 1
            assert counted(upstream, "upstreams", state="up") == 1

    run(body)


@pytest.mark.parametrize("era", ERAS)
def test_an_answer_as_json_or_as_an_event_stream_is_the_same(era):
    async def body():
        async with pair(era) as (_, upstream, _seen):
            assert (await upstream.call("says", {})).text == "said"

    run(body)


@pytest.mark.parametrize("era", ERAS)
def test_after_a_restart_the_next_call_succeeds(era):
    async def body():
        async with pair(era) as (server, upstream, _):
            await server.stop()
            await server.start()
            assert (await upstream.call("echo", {"text": "y"})).text == "y"

    run(body)


def test_a_call_that_may_do_something_is_not_made_twice():
    async def body():
        async with pair("legacy") as (server, upstream, seen):
            await server.stop()
            await server.start()
            with pytest.raises(UpstreamError):
                await upstream.call("write", {"text": "y"})
            assert seen.calls == []
            assert (await upstream.call("write", {"text": "y"})).text == "y"
            assert seen.calls == ["write"]

    run(body)


@pytest.mark.parametrize("era", ERAS)
def test_a_server_that_is_down_says_so_at_once_and_keeps_its_tools(era):
    async def body():
        async with pair(era) as (server, upstream, _):
            await server.stop()
            began = time.monotonic()
            with pytest.raises(Down, match=r"there is down: .*cannot connect"):
                await upstream.call("echo", {"text": "x"})
            assert time.monotonic() - began < 3
            assert upstream.status.state is State.DOWN
            assert "echo" in {tool.name for tool in upstream.tools}
            await server.start()
            assert (await upstream.call("echo", {"text": "y"})).text == "y"
            assert counted(upstream, "upstream_reconnects_total") >= 1

    run(body)


@pytest.mark.parametrize("era", ERAS)
def test_no_call_outlives_its_deadline(era):
    async def body():
        async with pair(era) as (_, upstream, _seen):
            began = time.monotonic()
            with pytest.raises(TimedOut, match=r"no answer within 0.3 s"):
                await upstream.call("wait", {}, 0.3)
            assert time.monotonic() - began < 2
            assert (await upstream.call("echo", {"text": "y"})).text == "y"

    run(body)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("json_response", [True, False])
def test_a_reply_that_is_too_large_is_refused_and_costs_itself_alone(era, json_response):
    async def body():
        seen = Seen()
        async with (
            strict(seen, era=era, json_response=json_response) as server,
            asked(server.url, max_reply_bytes=100_000) as upstream,
        ):
            with pytest.raises(TooLarge, match="over 100000 bytes"):
                await upstream.call("large", {"size": 300_000})
            assert (await upstream.call("large", {"size": 50_000})).text == "x" * 50_000

    run(body)


def test_calls_at_once_have_ids_of_their_own_and_get_their_own_answers():
    async def body():
        async with pair("legacy") as (_, upstream, _seen):
            texts = [str(n) for n in range(40)]
            said = await asyncio.gather(*(upstream.call("echo", {"text": text}) for text in texts))
            assert texts == [each.text for each in said]

    run(body)


@pytest.mark.parametrize("era", ERAS)
def test_a_list_that_changes_is_asked_for_again(era):
    async def body():
        seen = Seen()
        server = strict_server(seen)
        async with strict(seen, era=era, server=server) as here, asked(here.url, refresh_seconds=600) as upstream:
            heard = asyncio.Event()
            upstream.on_tools(heard.set)
            await eventually(lambda: seen.methods("GET") >= 1 or era == "modern")
            server.tool("new", structured_output=False)(lambda: "new")
            await upstream.call("change", {})
            async with asyncio.timeout(5):
                await heard.wait()
            assert "new" in {tool.name for tool in upstream.tools}

    run(body)


def test_a_list_is_asked_for_now_and_then_and_tells_that_a_server_went():
    async def body():
        async with pair("modern", refresh_seconds=0.05) as (server, upstream, _):
            await server.stop()
            await eventually(lambda: upstream.status.state is State.DOWN)
            await server.start()
            await eventually(lambda: upstream.status.state is State.UP)

    run(body)


def test_a_session_ends_with_delete_and_never_with_a_cancellation():
    async def body():
        seen = Seen()
        async with strict(seen, era="legacy") as server:
            async with asked(server.url) as upstream:
                await upstream.call("echo", {"text": "x"})
            assert seen.methods("DELETE") == 1
            method, headers = next(one for one in seen.requests if one[0] == "DELETE")
            assert (method, bool(headers["mcp-session-id"])) == ("DELETE", True)

    run(body)


def test_a_server_that_hangs_at_the_newer_era_is_asked_in_the_older():
    async def body():
        seen = Seen()
        async with strict(seen, era="hangs") as server:
            began = time.monotonic()
            async with asked(server.url, deadline_seconds=2.0) as upstream:
                assert upstream.status.era == "2025-11-25", upstream.status
                assert time.monotonic() - began < 2
                await server.stop()
                await server.start()
                began = time.monotonic()
                assert (await upstream.call("echo", {"text": "x"})).text == "x"
                assert time.monotonic() - began < 0.9, "what it cannot do is remembered"

    run(body)


def test_nothing_is_left_behind():
    async def body():
        process, seen = psutil.Process(), Seen()
        async with strict(seen, era="legacy") as server:
            async with asked(server.url) as upstream:
                await upstream.call("echo", {"text": "x"})
            before = process.num_fds(), len(asyncio.all_tasks())
            for _ in range(3):
                async with asked(server.url) as upstream:
                    await upstream.call("echo", {"text": "x"})
                    with pytest.raises(TimedOut):
                        await upstream.call("wait", {}, 0.05)
                seen.gate.set()
                seen.gate = asyncio.Event()
            await eventually(lambda: process.num_fds() <= before[0] and len(asyncio.all_tasks()) <= before[1])

    run(body)


PROGRAM = """
import anyio
from mcp.server.mcpserver import MCPServer
server = MCPServer("program", version="2", log_level="ERROR")
@server.tool(structured_output=False)
def echo(text: str) -> str:
    if text == "die":
        import os
        os._exit(1)
    return text
server.run("stdio")
"""


def test_a_program_is_spoken_to_over_its_pipes_and_started_again_when_it_died(tmp_path: Path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)

    async def body():
        async with asked("", command=(sys.executable, str(program)), deadline_seconds=20.0) as upstream:
            assert upstream.status.server == "program 2", upstream.status
            assert (await upstream.call("echo", {"text": "x"})).text == "x"
            with pytest.raises(Broken):
                await upstream.call("echo", {"text": "die"})
            assert (await upstream.call("echo", {"text": "y"})).text == "y"

    run(body)


def test_a_program_that_is_not_there_is_down():
    async def body():
        async with asked("", command=("/no/such/program",)) as upstream:
            assert upstream.status.state is State.DOWN
            with pytest.raises(Down, match="cannot start it: No such file"):
                await upstream.call("echo", {})

    run(body)


def test_whoever_calls_may_give_up():
    async def body():
        async with pair("modern") as (_, upstream, seen):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await upstream.call("wait", {})
            assert seen.calls == ["wait"]
            assert (await upstream.call("echo", {"text": "y"})).text == "y"
            assert counted(upstream, "upstream_calls_total", outcome="cancelled") == 1

    run(body)
