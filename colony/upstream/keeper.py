"""Keeps one server connected: one task owns every connection, pauses between attempts, and lists the tools.

Others only take the connection that stands (``linked``) and retire it when it is of no more use.
"""

from __future__ import annotations

import asyncio
import enum
import random
import time
from collections.abc import Awaitable, Callable

import structlog
from mcp_types import Tool

from colony.instruments import Instruments
from colony.upstream.faults import Broken, Down, ProtocolFault, Throttled, UpstreamError, WrongAddress
from colony.upstream.link import Link
from colony.upstream.patience import Pauses
from colony.upstream.settings import UpstreamSettings, mcp_url

_log = structlog.get_logger(__name__)

_LEGACY_SECONDS = 600.0
"""How long a server that knows only the older era is not asked for the newer."""
_ASKED_PAUSE_SECONDS = 0.3
"""The longest pause while a call waits for a connection."""
_STOOD_SECONDS = 5.0
"""A connection that stood so long was a good one."""

FindUrl = Callable[[bool], Awaitable[str]]
"""Tells the address before each connection, and hears when the one before was wrong."""


class State(enum.StrEnum):
    """Whether a server can be asked."""

    NEW = "new"
    UP = "up"
    DOWN = "down"


class Keeper:
    """The connections of one server."""

    def __init__(
        self,
        settings: UpstreamSettings,
        instruments: Instruments,
        find_url: FindUrl | None = None,
        draw: random.Random | None = None,
    ) -> None:
        self.name = settings.name
        self.state = State.NEW
        self.tools: tuple[Tool, ...] = ()
        """As it listed them last; they stay while it is away."""
        self.on_tools: list[Callable[[], None]] = []
        """Called when the list has changed."""
        self.era = self.server = self.url = ""
        self.fault: UpstreamError | None = None
        """The last one; it stays after the server came back."""
        self.begun = 0
        self._settings = settings
        self._instruments = instruments
        self._find_url = find_url or self._configured_url
        self._pauses = Pauses(
            settings.least_pause_seconds,
            settings.most_pause_seconds,
            draw or random.Random(),  # noqa: S311 jitter
        )
        self._link: Link | None = None
        self._failed = 0
        self._changed = asyncio.Event()
        self._wanted = asyncio.Event()
        self._is_closed = False
        self._legacy_until = 0.0
        self._set(State.NEW)

    async def run(self) -> None:
        """Keep connected until cancelled."""
        try:
            async with asyncio.TaskGroup() as links:
                while True:
                    await self._connect(links)
                    await self._pause()
        finally:
            self._is_closed, self._link = True, None
            self._tell()

    async def settled(self) -> None:
        """What is known after the first attempt to connect."""
        while self.state is State.NEW and not self._is_closed:
            await self._changed.wait()

    async def linked(self, after: int) -> Link:
        """A connection newer than ``after``: there already, or of an attempt that begins from now on.

        Raises:
            Down: that attempt failed.
        """
        needed = self.begun + 1
        while True:
            link = self._link
            if link is not None and link.generation > after and not link.retired.is_set():
                return link
            if self._is_closed or self._failed >= needed:
                why = self.fault.message.removeprefix(f"{self.name}: ") if self.fault else "not connected"
                raise Down(f"{self.name} is down: {why}")
            self._wanted.set()
            await self._changed.wait()

    async def _connect(self, links: asyncio.TaskGroup) -> None:
        """One connection until it is retired; its task may live on while calls under way end."""
        self.begun += 1
        number = self.begun
        if number > 1:
            self._instruments.upstream_reconnects.labels(self.name).inc()
        link = Link(self._settings, number)
        try:
            async with asyncio.timeout(self._settings.deadline_seconds):
                self.url = await self._find_url(isinstance(self.fault, WrongAddress))
        except (UpstreamError, TimeoutError) as error:
            link.retire(error if isinstance(error, UpstreamError) else Broken(f"{self.name}: no answer within the deadline"))
        else:
            holding = links.create_task(link.hold(self.url, self._mode, lambda _: self._tell()))
            try:
                await self._attend(link)
            except asyncio.CancelledError:
                link.retire(None)
                await _ended(holding, is_connected=link.client is not None)
                raise
        self._fell(link, number)

    async def _attend(self, link: Link) -> None:
        """Wait for the handshake, list the tools, hand the link out; list again when told, and now and then."""
        try:
            if not await self._has_shaken_hands(link):
                return
            await self._list(link)
        except UpstreamError as error:
            link.retire(error)
            return
        self.era, self.server = link.era, link.server
        if not link.is_modern:
            self._legacy_until = time.monotonic() + _LEGACY_SECONDS
        self._link, up_at = link, time.monotonic()
        self._set(State.UP)
        await self._stay(link)
        if time.monotonic() - up_at >= _STOOD_SECONDS:  # one that falls at once again and again is asked less and less
            self._pauses.reset()

    async def _has_shaken_hands(self, link: Link) -> bool:
        while link.client is None and not link.retired.is_set():
            await _first(link.retired, self._changed)
        return not link.retired.is_set()

    async def _stay(self, link: Link) -> None:
        """List again when told, and now and then; a server that does not answer that is gone."""
        while not link.retired.is_set():
            await _first(link.retired, link.changed, seconds=self._settings.refresh_seconds)
            link.changed.clear()
            try:
                if not link.retired.is_set():
                    await self._list(link)
            except Throttled as error:
                self.fault = error
            except UpstreamError as error:
                link.retire(error)

    async def _list(self, link: Link) -> None:
        try:
            async with asyncio.timeout(self._settings.deadline_seconds):
                found = tuple(await link.tools())
        except TimeoutError:
            raise Broken(f"{self.name}: no answer within the deadline") from None
        if found != self.tools:
            self.tools = found
            for tell in self.on_tools:
                tell()

    def _fell(self, link: Link, number: int) -> None:
        was_up = self._link is link
        self._link = None
        if link.fault is not None:
            self.fault = link.fault
            if isinstance(link.fault, ProtocolFault):
                self._legacy_until = 0.0
            _log.warning(
                "an upstream was lost" if was_up else "an upstream cannot be reached", name=self.name, why=link.fault.word
            )
        self._failed = number if not was_up else self._failed
        self._set(State.DOWN)

    async def _pause(self) -> None:
        """Before the next attempt; short when a call waits for it."""
        pause = self._pauses.take()
        is_asked = self._wanted.is_set()
        if not is_asked and pause > _ASKED_PAUSE_SECONDS:
            is_asked = not await _first(self._wanted, seconds=pause - _ASKED_PAUSE_SECONDS)
        self._wanted.clear()
        await asyncio.sleep(min(pause, _ASKED_PAUSE_SECONDS))

    @property
    def _mode(self) -> str:
        return "legacy" if time.monotonic() < self._legacy_until else "auto"

    async def _configured_url(self, _again: bool) -> str:
        return "" if self._settings.command else mcp_url(self._settings.url, self._settings.kind)

    def _set(self, state: State) -> None:
        self.state = state
        for each in State:
            self._instruments.upstreams.labels(self.name, each.value).set(each is state)
        self._tell()

    def _tell(self) -> None:
        """Wake whoever waits for a change."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


async def _first(*events: asyncio.Event, seconds: float | None = None) -> bool:
    """Wait for the first of these; whether it was none within the time."""
    async with asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(event.wait()) for event in events]
        done, _ = await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
    return not done


async def _ended(task: asyncio.Task[None], *, is_connected: bool) -> None:
    """Let a connection say goodbye before what it stands on is cancelled."""
    if not is_connected:
        task.cancel()
    await asyncio.wait([task], timeout=3.0)
