"""Runs the official MCP conformance suite and the Inspector against the colony's server: ``make conformance``.

The suite's fixtures live on a server of the same factory; the production server is held to the scenarios that need none.
Exits with 0 and says so when there is no Node, or no suite: ``npm ci --prefix tests/conformance/mcp`` brings it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvloop
from prometheus_client import CollectorRegistry

from colony.app import Rooms, opened, server_of
from colony.config.model import Config
from colony.endpoint import Endpoint
from colony.instruments import Instruments
from colony.server.guard import Access
from colony.server.protocol import mcp_server
from colony.server.serving import serving_mcp
from colony.tools import Surroundings
from tests.conformance.mcp import fixtures, rounds

HERE = Path(__file__).parent
SUITE = HERE / "node_modules/@modelcontextprotocol/conformance/dist/index.js"
INSPECTOR = HERE / "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
LEAST_NODE = (22, 19)
REQUIREMENTS = {"2026-07-28": 37, "2025-11-25": 30}
WITHOUT_FIXTURES = {
    "2025-11-25": (
        *("server-initialize", "ping", "tools-list", "resources-list", "prompts-list"),
        *("dns-rebinding-protection", "server-session-lifecycle", "server-sse-multiple-streams"),
    ),
    "2026-07-28": (
        *("caching", "http-header-validation", "sep-2164-resource-not-found", "input-required-result-unsupported-methods"),
        "dns-rebinding-protection",
    ),
}
_ANYWHERE = Access(Endpoint("127.0.0.1", 0))
_SECONDS = 240


async def node() -> str:
    """The path of a Node that is new enough; empty when there is none. ``CORAL_NODE`` names one."""
    found = os.environ.get("CORAL_NODE") or shutil.which("node") or ""
    if not found:
        return ""
    _, version = await output(found, "--version")
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    return found if numbers >= LEAST_NODE else ""


async def output(*command: str) -> tuple[int, str]:
    """Exit code and all that was printed."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    try:
        async with asyncio.timeout(_SECONDS):
            printed, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        printed, _ = await process.communicate()
    return process.returncode or 0, printed.decode("utf-8", "replace")


@asynccontextmanager
async def everything(rooms: Rooms) -> AsyncIterator[str]:
    """The URL of a server of our factory with the suite's fixtures."""
    here = Surroundings(rooms.desk, rooms.clock)
    server = mcp_server(here, Instruments(CollectorRegistry()), ())
    for add in (
        fixtures.add_contents,
        fixtures.add_talking,
        fixtures.add_eliciting,
        fixtures.add_resources,
        fixtures.add_prompts,
        fixtures.add_requests,
        rounds.add_single_rounds,
        rounds.add_stateful_rounds,
        rounds.add_schema,
        fixtures.describe,
    ):
        add(server)
    async with serving_mcp(server, _ANYWHERE, events=fixtures.Events()) as address:
        yield f"http://{address}/mcp"


async def required(program: str, url: str, version: str) -> bool:
    """All that a revision requires, of the server with fixtures."""
    code, printed = await output(program, str(SUITE), "server", "--url", url, "--requirements", version)
    tail = "\n".join(line for line in printed.splitlines() if line.startswith(("✗", "Total", "Required")))
    sys.stdout.write(f"--- required by {version} ({REQUIREMENTS[version]} scenarios): exit code {code}\n{tail}\n")
    return code == 0


async def bare(program: str, url: str, version: str) -> bool:
    """The scenarios that need no fixtures, of the production server."""
    good = True
    for scenario in WITHOUT_FIXTURES[version]:
        command = (program, str(SUITE), "server", "--url", url, "--scenario", scenario, "--spec-version", version)
        code, printed = await output(*command)
        sys.stdout.write(f"--- production, {version}, {scenario}: {'pass' if code == 0 else 'FAIL'}\n")
        if code:
            sys.stdout.write(printed[-2000:] + "\n")
        good = good and code == 0
    return good


async def inspected(program: str, url: str) -> bool:
    """The production server's tools are portable, says the Inspector."""
    command = (program, str(INSPECTOR), "--cli", url, "--transport", "http", "--method", "tools/list", "--strict")
    code, printed = await output(*command)
    sys.stdout.write(f"--- Inspector --strict: {'clean' if code == 0 else printed[-2000:]}\n")
    return code == 0


async def run() -> int:
    """Everything; 0 when all holds, or when it cannot be run."""
    logging.basicConfig(level=logging.ERROR)
    program = await node()
    if not program or not SUITE.is_file():
        what = f"Node {'.'.join(map(str, LEAST_NODE))} or newer" if not program else "the suite (npm ci)"
        sys.stdout.write(f"--- MCP conformance is skipped: {what} is missing\n")
        return 0
    with tempfile.TemporaryDirectory() as directory:
        environ = {"CORAL_COLONY__SUMMARIES__DIR": directory, "CORAL_COLONY__AGENTS__STATIC": "127.0.0.1:1"}
        config = Config.load(None, environ)
        async with opened(config, keeps_summaries=False) as rooms:
            async with everything(rooms) as url:
                good = [await required(program, url, version) for version in REQUIREMENTS]
            async with serving_mcp(server_of(config, rooms), _ANYWHERE) as address:
                url = f"http://{address}/mcp"
                good += [await bare(program, url, version) for version in WITHOUT_FIXTURES]
                good.append(await inspected(program, url))
    sys.stdout.write(f"--- MCP conformance: {'all holds' if all(good) else 'FAILED'}\n")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(uvloop.run(run()))
