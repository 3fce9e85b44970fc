"""The agents as they are now: found again and polled every ``agents.poll``."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog
from coral.agent.v1 import telemetry_query_pb2 as api

from colony.agent_client import AgentClient
from colony.clock import MINUTE_NS, SECOND_NS, Clock
from colony.endpoint import Endpoint
from colony.instruments import Instruments
from colony.outcome import AgentFailure, Result
from colony.registry.agents import Kept, Known, inventory_of, name_all
from colony.registry.discovery import Discovery, Sources
from colony.signals import Signal
from colony.tls import Certificate

LINGER_NS = 5 * MINUTE_NS
"""An agent that no source names any more is asked this long: a crashed one leaves DNS at once, and would not be missed."""

_WATCH_SECONDS = 1.0
_REFRESH_NS = SECOND_NS

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """``[agents]``, as far as finding and polling need it."""

    sources: Sources
    poll_seconds: float = 15.0
    deadline_seconds: float = 2.0
    max_in_flight: int = 64


@dataclass(slots=True)
class _Entry:
    known: Known
    client: AgentClient
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Registry:
    """Every agent with its client. Only ``agents`` that are asked are listed, unless ``everyone`` is."""

    def __init__(
        self, settings: RegistrySettings, clock: Clock, instruments: Instruments, certificate: Certificate | None = None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._instruments = instruments
        self._certificate = certificate
        self._discovery = Discovery(settings.sources, instruments)
        self._entries: dict[str, _Entry] = {}
        self._places = asyncio.Semaphore(settings.max_in_flight)
        self._round = asyncio.Lock()
        self._polled_ns: int | None = None

    @property
    def has_polled(self) -> bool:
        """Whether every agent has been asked once."""
        return self._polled_ns is not None

    @property
    def faults(self) -> dict[str, str]:
        """The sources of agents that cannot be read now, and why."""
        return self._discovery.faults

    @property
    def everyone(self) -> list[Known]:
        """Every address, by name; also those that stand behind another."""
        return sorted((entry.known for entry in self._entries.values()), key=lambda known: (known.name, str(known.endpoint)))

    @property
    def agents(self) -> list[Known]:
        """The agents that are asked, by name."""
        return [known for known in self.everyone if not known.stands_behind]

    def hosting(self, service: str, signal: Signal | None = None) -> list[Known]:
        """The agents that have a service; all of them without one."""
        return [known for known in self.agents if known.may_host(service, signal)]

    def services(self) -> dict[str, dict[str, dict[str, Kept]]]:
        """By service, signal and agent: what is kept, as polled last."""
        found: dict[str, dict[str, dict[str, Kept]]] = {}
        for known in self.agents:
            for signal, services in known.inventory.services.items() if known.inventory else ():
                for service, kept in services.items():
                    found.setdefault(service, {}).setdefault(signal, {})[known.name] = kept
        return found

    async def call(self, known: Known, rpc: str, request: object, timeout_seconds: float) -> object:
        """Ask one agent.

        Raises:
            AgentFailure: it did not answer.
        """
        entry = self._entries.get(str(known.endpoint))
        if entry is None:
            raise AgentFailure(Result.UNREACHABLE, "it is gone")
        response: object = await entry.client.call(rpc, request, timeout_seconds)
        return response

    async def poll(self) -> None:
        """Look for agents and ask every one what it keeps; together with a round that runs already."""
        if self._round.locked():
            async with self._round:
                return
        async with self._round:
            await self._update(await self._discovery.look())
            await self._poll_entries(self._entries.values())
            self._polled_ns = self._clock.now_ns()

    async def refresh(self) -> None:
        """Poll now, unless that was less than a second ago."""
        if self._polled_ns is None or self._clock.now_ns() - self._polled_ns >= _REFRESH_NS:
            await self.poll()

    async def poll_one(self, known: Known) -> None:
        """Ask one agent again what it keeps."""
        entry = self._entries.get(str(known.endpoint))
        if entry is not None:
            await self._poll_entries([entry])

    async def poll_forever(self) -> None:
        """Every ``agents.poll``, and when the file changes."""
        while True:
            await self.poll()
            for _ in range(math.ceil(self._settings.poll_seconds / _WATCH_SECONDS)):
                await asyncio.sleep(min(self._settings.poll_seconds, _WATCH_SECONDS))
                if self._discovery.file_has_changed():
                    break

    async def close(self) -> None:
        """End every client."""
        entries, self._entries = self._entries, {}
        for entry in entries.values():
            await entry.client.close()

    async def _update(self, found: list[Endpoint]) -> None:
        now = self._clock.now_ns()
        addresses = {str(endpoint): endpoint for endpoint in found}
        for address, endpoint in addresses.items():
            if address not in self._entries:
                client = AgentClient(endpoint, self._certificate, self._instruments)
                self._entries[address] = _Entry(Known(endpoint, address), client)
                _log.info("an agent was found", address=address)
            self._entries[address].known.vanished_ns = None
        for address in [address for address in self._entries if address not in addresses]:
            known = self._entries[address].known
            known.vanished_ns = known.vanished_ns or now
            is_replaced = bool(known.stands_behind) or known.inventory is None
            if is_replaced or now - known.vanished_ns >= LINGER_NS:
                await self._entries.pop(address).client.close()
                _log.info("an agent is gone", address=address)

    async def _poll_entries(self, entries: Iterable[_Entry]) -> None:
        async with asyncio.TaskGroup() as tasks:
            for entry in list(entries):
                tasks.create_task(self._ask(entry))
        name_all(entry.known for entry in self._entries.values())
        states = Counter(known.result.value if known.result else "new" for known in self.everyone)
        for state in (*Result, "new"):
            self._instruments.agents.labels(str(state)).set(states[str(state)])

    async def _ask(self, entry: _Entry) -> None:
        known = entry.known
        async with self._places, entry.lock:
            asked, began = self._clock.now_ns(), time.monotonic_ns()
            try:
                response = await entry.client.call("GetDataInfo", api.GetDataInfoRequest(), self._settings.deadline_seconds)
            except AgentFailure as failure:
                if (known.result, known.reason) != (failure.result, failure.reason):
                    _log.warning("an agent did not answer", agent=known.name, result=failure.result, reason=failure.reason)
                known.result, known.reason = failure.result, failure.reason
            else:
                known.inventory = inventory_of(response, asked, asked + time.monotonic_ns() - began)
                known.result, known.reason = Result.ANSWERED, ""
            known.polled_ns = self._clock.now_ns()


@asynccontextmanager
async def registering(
    settings: RegistrySettings, clock: Clock, instruments: Instruments, certificate: Certificate | None = None
) -> AsyncIterator[Registry]:
    """A registry whose agents are not polled yet; closes its clients when left."""
    registry = Registry(settings, clock, instruments, certificate)
    try:
        yield registry
    finally:
        await registry.close()
