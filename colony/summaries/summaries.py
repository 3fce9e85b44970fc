"""Summaries as tools and commands ask for them: from the store, saying which agents' minutes are missing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from colony.clock import MINUTE_NS, Clock
from colony.errors import InvalidQuestion
from colony.instruments import Instruments
from colony.question import normal
from colony.registry.registry import Registry
from colony.summaries.puller import Puller
from colony.summaries.store import SummaryStore, Wanted, summary_store
from colony.summaries.told import SummaryAnswer, counted_kinds, slot_minutes, told


@dataclass(frozen=True, slots=True)
class SummarySettings:
    """``[summaries]``; in memory without a directory."""

    directory: Path | None = None
    retention_ns: int = 24 * 60 * MINUTE_NS
    interval_seconds: float = 60.0


class Summaries:
    """Answers from the store; ``puller`` fills it."""

    def __init__(
        self, registry: Registry, store: SummaryStore, puller: Puller, clock: Clock, settings: SummarySettings
    ) -> None:
        self._registry = registry
        self._store = store
        self._clock = clock
        self._settings = settings
        self.puller = puller

    async def find(
        self,
        service: str,
        last_ns: int | None = None,
        start_ns: int | None = None,
        end_ns: int | None = None,
        operation: str | None = None,
    ) -> SummaryAnswer:
        """A service's summary over the minutes that a window touches; looks back ``last_ns`` from now, else an hour.

        Raises:
            InvalidQuestion: the window is empty.
            SummariesUnavailable: the store does not answer.
        """
        now = self._clock.now_ns()
        end = -(-(now if end_ns is None else end_ns) // MINUTE_NS) * MINUTE_NS
        begins = start_ns if start_ns is not None else (now if end_ns is None else end_ns) - (last_ns or 60 * MINUTE_NS)
        start = begins // MINUTE_NS * MINUTE_NS
        if start >= end:
            raise InvalidQuestion("the window is empty: its start must be before its end")
        wanted = normal(service)
        of = Wanted(wanted, start, end, operation)
        operations = await self._store.operations(of)
        kinds = counted_kinds(operations)
        slots = await self._store.slots(of, slot_minutes(start, end), kinds) if kinds else {}
        return told(wanted, (start, end), operations, slots, await self._gaps(wanted, start, end))

    async def services(self, last_ns: int) -> list[str]:
        """The services with spans in the time up to now."""
        now = self._clock.now_ns()
        return await self._store.services(now - last_ns, now)

    async def _gaps(self, service: str, start_ns: int, end_ns: int) -> list[str]:
        """What the store does not have of this window, by agent."""
        now = self._clock.now_ns()
        whole = (min(end_ns, now) - max(start_ns, now - self._settings.retention_ns)) // MINUTE_NS
        covered = await self._store.covered(start_ns, end_ns)
        hosts = {known.name for known in self._registry.hosting(service)}
        gaps = []
        for name in sorted(hosts | await self._store.agents(service, start_ns, end_ns)):
            states = covered.get(name, {})
            missing = max(0, whole - states.get("final", 0) - states.get("open", 0))
            fault = self.puller.faults.get(name)
            if missing or fault:
                reason = f": {fault}" if fault else ""
                gaps.append(f"{name}: {missing} of {whole} minutes are missing{reason}")
        return gaps


@asynccontextmanager
async def summarising(
    registry: Registry, settings: SummarySettings, clock: Clock, instruments: Instruments
) -> AsyncIterator[Summaries]:
    """Summaries over their store; nothing is pulled until the puller is told to.

    Raises:
        ConfigError: the directory cannot be used.
    """
    async with summary_store(settings.directory) as store:
        puller = Puller(registry, store, clock, instruments, settings.retention_ns)
        yield Summaries(registry, store, puller, clock, settings)
