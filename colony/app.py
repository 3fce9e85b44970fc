"""The composition root: opens the rooms from the agents upward, and keeps them fresh while the colony runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from colony.admin import serving_admin
from colony.clock import Clock, SystemClock
from colony.config.model import AgentsTls, Config
from colony.config.upstream import Upstream
from colony.desk import Desk
from colony.instruments import Instruments
from colony.orchestrator.asking import AskSettings
from colony.orchestrator.orchestrator import OrchestratorSettings, orchestrating
from colony.registry.discovery import Sources
from colony.registry.registry import RegistrySettings, registering
from colony.server.guard import Access
from colony.server.protocol import ColonyServer, mcp_server
from colony.server.serving import Pair, serving_mcp, speak, token_of
from colony.summaries.summaries import Summaries, SummarySettings, summarising
from colony.tls import TlsSettings, certified
from colony.tools.tool import Surroundings
from colony.upstream.credentials import Credentials
from colony.upstream.factory import upstreaming
from colony.upstream.settings import UpstreamSettings


@dataclass(frozen=True, slots=True)
class Rooms:
    """The open colony. Nothing is polled or pulled by itself yet."""

    desk: Desk
    summaries: Summaries
    instruments: Instruments
    clock: Clock


@dataclass(frozen=True, slots=True)
class Listening:
    """The bound address of every door."""

    admin: str
    mcp: str


@asynccontextmanager
async def opened(config: Config, *, keeps_summaries: bool, clock: Clock | None = None) -> AsyncIterator[Rooms]:
    """The rooms; summaries lie in memory unless they are kept, since only one colony may have the file.

    Raises:
        ConfigError: something cannot be had: a certificate, the directory of summaries.
    """
    clock = clock or SystemClock()
    instruments = Instruments(CollectorRegistry())
    agents, summaries = config.agents, config.summaries
    ask = AskSettings(agents.deadline.seconds, agents.max_in_flight)
    wanted = OrchestratorSettings(ask, config.cache.ttl.seconds, config.cache.max_bytes.bytes)
    kept = SummarySettings(summaries.dir if keeps_summaries else None, summaries.retention.ns, summaries.interval.seconds)
    async with AsyncExitStack() as house:
        certificate = await house.enter_async_context(certified(_tls_settings(agents.tls), clock, instruments))
        registry = await house.enter_async_context(registering(_registry_settings(config), clock, instruments, certificate))
        orchestrator = await house.enter_async_context(orchestrating(registry, wanted, clock, instruments))
        summing = await house.enter_async_context(summarising(registry, kept, clock, instruments))
        servers = [settings_of(one) for one in config.upstream]
        upstreams = await house.enter_async_context(upstreaming(servers, instruments)) if servers else None
        yield Rooms(Desk(registry, orchestrator, summing, upstreams), summing, instruments, clock)


async def run(config: Config, stop: asyncio.Event, ready: Callable[[Listening], None], clock: Clock | None = None) -> None:
    """The colony until ``stop`` is set.

    Raises:
        ConfigError: something cannot be had: an address, a certificate, the directory of summaries.
    """
    async with opened(config, keeps_summaries=True, clock=clock) as rooms, asyncio.TaskGroup() as tasks:
        registry = rooms.desk.registry

        def why_not() -> str | None:
            return None if registry.has_polled else "agents have not been asked yet"

        async with AsyncExitStack() as doors:
            admin = await doors.enter_async_context(serving_admin(config.admin.endpoint, rooms.instruments, why_not))
            mcp = await doors.enter_async_context(serving_tools(config, rooms))
            loops = _keeping_fresh(rooms, config, tasks)
            ready(Listening(admin, mcp))
            await stop.wait()
            for loop in loops:
                loop.cancel()


async def run_stdio(config: Config, stop: asyncio.Event, clock: Clock | None = None) -> None:
    """The colony for one MCP host that started it, over standard input and output; no ports, summaries in memory.

    Raises:
        ConfigError: something cannot be had: a certificate.
    """
    async with opened(config, keeps_summaries=False, clock=clock) as rooms, asyncio.TaskGroup() as tasks:
        loops = _keeping_fresh(rooms, config, tasks)
        server = server_of(config, rooms)
        speaking = tasks.create_task(speak(server))
        if server.foreign:
            loops.append(tasks.create_task(server.foreign.announce_forever(server)))
        stopping = tasks.create_task(stop.wait())
        await asyncio.wait([speaking, stopping], return_when=asyncio.FIRST_COMPLETED)
        for task in (*loops, speaking, stopping):
            task.cancel()


def server_of(config: Config, rooms: Rooms) -> ColonyServer:
    """The MCP server of an open colony."""
    return mcp_server(Surroundings(rooms.desk, rooms.clock, config.mcp.answer_tokens), rooms.instruments)


@asynccontextmanager
async def serving_tools(config: Config, rooms: Rooms) -> AsyncIterator[str]:
    """MCP over HTTP; yields the bound address.

    Raises:
        ConfigError: the address, the token or the certificate cannot be had.
    """
    wanted = config.mcp
    access = Access(wanted.endpoint, wanted.allowed_hosts, wanted.allowed_origins, token_of(wanted.bearer_token_file))
    pair = Pair(wanted.tls.cert_file, wanted.tls.key_file) if wanted.tls else None
    server = server_of(config, rooms)
    async with serving_mcp(server, access, pair) as address, asyncio.TaskGroup() as tasks:
        announcing = tasks.create_task(server.foreign.announce_forever(server)) if server.foreign else None
        try:
            yield address
        finally:
            if announcing:
                announcing.cancel()


def settings_of(upstream: Upstream) -> UpstreamSettings:
    """One table of ``[[upstream]]`` as its room takes it."""
    headers = {name: value.said for name, value in upstream.headers.items()}
    credentials = Credentials(upstream.bearer_token_file, upstream.bearer_token_env, headers)
    return UpstreamSettings(
        name=upstream.name,
        kind=upstream.kind,
        url=upstream.url or "",
        command=upstream.command,
        datasource=upstream.datasource,
        credentials=credentials,
        tools=upstream.tools,
        deadline_seconds=upstream.deadline.seconds,
        max_in_flight=upstream.max_in_flight,
        max_reply_bytes=upstream.max_reply_bytes.bytes,
    )


def _keeping_fresh(rooms: Rooms, config: Config, tasks: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
    """The loops that poll agents and pull summaries."""
    return [
        tasks.create_task(rooms.desk.registry.poll_forever()),
        tasks.create_task(_pull_when_polled(rooms, config)),
    ]


async def _pull_when_polled(rooms: Rooms, config: Config) -> None:
    """Summaries need to know the agents first."""
    await rooms.desk.registry.poll()
    await rooms.summaries.puller.pull_forever(config.summaries.interval.seconds)


def _registry_settings(config: Config) -> RegistrySettings:
    agents = config.agents
    sources = Sources(agents.listed, agents.dns, agents.file)
    return RegistrySettings(sources, agents.poll.seconds, agents.deadline.seconds, agents.max_in_flight)


def _tls_settings(tls: AgentsTls | None) -> TlsSettings | None:
    if tls is None:
        return None
    return TlsSettings(tls.cert_file, tls.key_file, tls.ca_file, tls.server_name, tls.reload_interval.seconds)
