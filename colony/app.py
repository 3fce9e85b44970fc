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
from colony.desk import Desk
from colony.instruments import Instruments
from colony.orchestrator.asking import AskSettings
from colony.orchestrator.orchestrator import OrchestratorSettings, orchestrating
from colony.registry.discovery import Sources
from colony.registry.registry import RegistrySettings, registering
from colony.summaries.summaries import Summaries, SummarySettings, summarising
from colony.tls import TlsSettings, certified


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
        yield Rooms(Desk(registry, orchestrator, summing), summing, instruments, clock)


async def run(config: Config, stop: asyncio.Event, ready: Callable[[Listening], None], clock: Clock | None = None) -> None:
    """The colony until ``stop`` is set.

    Raises:
        ConfigError: something cannot be had: an address, a certificate, the directory of summaries.
    """
    async with opened(config, keeps_summaries=True, clock=clock) as rooms, asyncio.TaskGroup() as tasks:
        registry = rooms.desk.registry

        def why_not() -> str | None:
            return None if registry.has_polled else "agents have not been asked yet"

        async with serving_admin(config.admin.endpoint, rooms.instruments, why_not) as admin:
            loops = [
                tasks.create_task(registry.poll_forever()),
                tasks.create_task(_pull_when_polled(rooms, config)),
            ]
            ready(Listening(admin))
            await stop.wait()
            for loop in loops:
                loop.cancel()


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
