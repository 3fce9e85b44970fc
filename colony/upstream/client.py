"""One of other people's servers, for as long as the colony runs: calls within a deadline, and again where that does no harm."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from mcp_types import Tool

from colony.instruments import Instruments
from colony.upstream.faults import Throttled, TimedOut, UpstreamError
from colony.upstream.keeper import FindUrl, Keeper, State
from colony.upstream.patience import RetryBudget
from colony.upstream.said import Said, only_reads
from colony.upstream.settings import UpstreamSettings

_AGAIN_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of a server; ``last_fault`` stays after it came back."""

    name: str
    kind: str
    url: str
    state: State
    era: str = ""
    server: str = ""
    tools: tuple[Tool, ...] = ()
    last_fault: str = ""
    reconnects: int = 0


class Upstream:
    """A server; ``run`` owns its connections, calls come from any task of the same loop."""

    def __init__(
        self,
        settings: UpstreamSettings,
        instruments: Instruments,
        find_url: FindUrl | None = None,
        draw: random.Random | None = None,
    ) -> None:
        self.settings = settings
        self.instruments = instruments
        self._keeper = Keeper(settings, instruments, find_url, draw)
        self._budget = RetryBudget()
        self._places = asyncio.Semaphore(settings.max_in_flight)

    @property
    def name(self) -> str:
        """As configured."""
        return self.settings.name

    @property
    def tools(self) -> tuple[Tool, ...]:
        """As the server listed them last; they stay while it is away."""
        return self._keeper.tools

    @property
    def is_tempo(self) -> bool:
        """Whether Tempo's tools are expected."""
        return self.settings.kind in ("tempo", "grafana")

    @property
    def status(self) -> Status:
        """What is known of it now."""
        kept, kind = self._keeper, self.settings.kind
        url = kept.url or self.settings.url
        fault = kept.fault.message if kept.fault else ""
        reconnects = max(0, kept.begun - 1)
        return Status(self.name, kind, url, kept.state, kept.era, kept.server, kept.tools, fault, reconnects)

    def on_tools(self, tell: Callable[[], None]) -> None:
        """Call ``tell`` when the list of tools has changed."""
        self._keeper.on_tools.append(tell)

    async def run(self) -> None:
        """Keep connected until cancelled."""
        await self._keeper.run()

    async def settled(self) -> Status:
        """What is known after the first attempt to connect."""
        await self._keeper.settled()
        return self.status

    async def call(self, tool: str, arguments: Mapping[str, Any], seconds: float | None = None) -> Said:
        """Call a tool, within ``seconds`` and the configured deadline; one that only reads is tried twice.

        Raises:
            UpstreamError: it did not answer.
        """
        limit, word = min(seconds or self.settings.deadline_seconds, self.settings.deadline_seconds), "cancelled"
        began = time.monotonic()
        try:
            async with asyncio.timeout(limit):
                said = await self._called(tool, dict(arguments), began + limit)
            word = "error" if said.is_error else "answered"
        except TimeoutError:
            word = TimedOut.word
            raise TimedOut(f"{self.name}: no answer within {limit:g} s") from None
        except UpstreamError as error:
            word = error.word
            raise
        finally:
            self.instruments.upstream_calls.labels(self.name, word).inc()
            self.instruments.upstream_seconds.labels(self.name).observe(time.monotonic() - began)
        return said

    async def _called(self, tool: str, arguments: dict[str, Any], until: float) -> Said:
        self._budget.call()
        async with self._places:
            link = await self._keeper.linked(0)
            try:
                return await link.call(tool, arguments, until - time.monotonic())
            except UpstreamError as error:
                if error.is_connection:
                    link.retire(error)
                if not (error.is_transient and self._may_repeat(tool) and self._budget.take()):
                    raise
                await self._wait_before_again(error, until)
            self.instruments.upstream_retries.labels(self.name).inc()
            link = await self._keeper.linked(link.generation if link.retired.is_set() else 0)
            return await link.call(tool, arguments, until - time.monotonic())

    def _may_repeat(self, tool: str) -> bool:
        return any(one.name == tool and only_reads(one, is_tempo=self.is_tempo) for one in self.tools)

    async def _wait_before_again(self, error: UpstreamError, until: float) -> None:
        """As long as the server asks for, when that fits; raises the error when it does not."""
        pause = _AGAIN_SECONDS
        if isinstance(error, Throttled) and error.retry_after_seconds is not None:
            pause = error.retry_after_seconds
        if error.is_connection:
            return
        if time.monotonic() + pause >= until:
            raise error
        await asyncio.sleep(pause)


def quieten() -> None:
    """The SDK's own log would hold session ids and whole messages; each of its failures comes to us as an error."""
    for name in ("mcp.client", "httpx2", "httpcore2", "client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


@asynccontextmanager
async def keeping(upstream: Upstream) -> AsyncIterator[Upstream]:
    """A server that is kept connected until left."""
    quieten()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(upstream.run())
        try:
            yield upstream
        finally:
            running.cancel()
