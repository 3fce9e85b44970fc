"""A client that lives: against a strict server of the official SDK, in both eras."""

from __future__ import annotations

import asyncio

import pytest

from colony.upstream.client import State
from colony.upstream.faults import Broken, Down, SessionLost, TimedOut, TooLarge, UpstreamError
from tests.colony.agents import eventually
from tests.colony.upstream.servers import Seen, asked, counted, run, strict


def test_it_connects_lists_and_calls():
    async def body():
        async with strict(Seen()) as server, asked(server.url) as upstream:
            assert upstream.status.state is State.UP
            assert upstream.status.era == "2026-07-28"
            assert upstream.status.server == "strict 1"
            assert "echo" in {tool.name for tool in upstream.tools}
            said = await upstream.call("echo", {"text": "hello"})
            assert said.text == "hello"
            assert not said.is_error
            assert (await upstream.call("structured", {"number": 3})).structured == {"number": 3}
            assert counted(upstream, "upstream_calls_total", outcome="answered") == 2

    run(body)


def test_after_a_restart_the_next_read_succeeds():
    async def body():
        async with strict(Seen()) as server, asked(server.url) as upstream:
            await server.stop()
            with pytest.raises(UpstreamError):
                await upstream.call("echo", {"text": "x"})
            await server.start()
            assert (await upstream.call("echo", {"text": "y"})).text == "y"

    run(body)
