"""A host starts the colony as its child: the protocol on standard output alone, no ports, gone when the host is."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from tests.colony.agents import SmallAgent, serving
from tests.colony.rows import span
from tests.flow.mcp import ERAS, told
from tests.flow.town import in_town

ROOT = Path(__file__).parents[2]
COMMAND = ["-W", "error", "-m", "colony", "run", "--stdio"]


def environ_of(target: str) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT / "proto"), "CORAL_COLONY__AGENTS__STATIC": target}


@pytest.mark.parametrize("era", ERAS)
def test_a_host_asks_over_standard_input_and_no_port_is_opened(era):
    async def body():
        agent = SmallAgent("n1")
        agent.add(span("a"))
        before = set(psutil.Process().children())
        async with serving(agent) as endpoint:
            parameters = StdioServerParameters(command=sys.executable, args=COMMAND, env=environ_of(str(endpoint)), cwd=ROOT)
            async with Client(stdio_client(parameters), mode=era) as client:
                assert "shop traces=1" in await told(client, "coral_list_services")
                (colony,) = set(psutil.Process().children()) - before
                assert [one for one in colony.net_connections() if one.status == psutil.CONN_LISTEN] == []
            assert not colony.is_running()

    in_town(body)


@pytest.mark.parametrize("ends", ["sigterm", "end of input"])
def test_it_ends_when_it_is_told_to_and_when_its_input_ends(ends):
    async def body():
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *COMMAND,
            cwd=ROOT,
            env=environ_of("127.0.0.1:1"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n')
        async with asyncio.timeout(30):
            assert b'"id":1' in await process.stdout.readline()
            if ends == "sigterm":
                process.send_signal(signal.SIGTERM)
            else:
                process.stdin.close()
            assert await process.wait() == 0

    in_town(body)


def test_input_that_no_event_loop_can_watch_ends_it_too(tmp_path):
    """A file, and /dev/null: libuv would end the process by SIGABRT."""
    (tmp_path / "asked").write_text('{"jsonrpc":"2.0","id":1,"method":"ping"}\n')

    def fed(name: str) -> tuple[int, bool]:
        with Path(name).open("rb") as asked:
            command, environ = [sys.executable, *COMMAND], environ_of("127.0.0.1:1")
            done = subprocess.run(command, cwd=ROOT, env=environ, stdin=asked, capture_output=True, timeout=30, check=False)
        return done.returncode, b"Traceback" in done.stderr

    with ThreadPoolExecutor() as both:
        assert list(both.map(fed, ("/dev/null", str(tmp_path / "asked")))) == [(0, False)] * 2
