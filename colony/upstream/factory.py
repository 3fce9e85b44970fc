"""All servers of a configuration: opened together, each for itself; their tools under their names."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase

from mcp_types import Tool

from colony.instruments import Instruments
from colony.upstream.client import Status, Upstream, quieten
from colony.upstream.grafana import finding
from colony.upstream.history import History
from colony.upstream.settings import UpstreamSettings
from colony.upstream.tempo import TempoClient

LONGEST_NAME = 64
"""What the strictest hosts take for a tool's name."""
MOST_TOOLS = 128
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True)
class Offered:
    """A tool of another's server under the name that the colony offers it by."""

    name: str
    upstream: Upstream
    tool: Tool


class Upstreams:
    """Every configured server. ``history`` is the first that is a Tempo."""

    def __init__(self, each: Sequence[Upstream]) -> None:
        self.each = tuple(each)
        self.changed = asyncio.Event()
        """Set when any server's list of tools has changed."""
        for upstream in self.each:
            upstream.on_tools(self._heard)
        tempo = next((upstream for upstream in self.each if upstream.is_tempo), None)
        self.history = History(TempoClient(tempo)) if tempo else None
        self._offered: dict[str, Offered] | None = None

    @property
    def statuses(self) -> list[Status]:
        """What is known of each."""
        return [upstream.status for upstream in self.each]

    def offered(self) -> dict[str, Offered]:
        """Their tools by offered name, in the order of the configuration and of each server."""
        if self._offered is None:
            self._offered = {}
            for upstream in self.each:
                for tool in _wanted(upstream):
                    name = offered_name(upstream.name, tool.name, self._offered)
                    self._offered[name] = Offered(name, upstream, tool)
        return self._offered

    def _heard(self) -> None:
        self._offered = None
        self.changed.set()

    async def settled(self) -> list[Status]:
        """What is known of each after its first attempt to connect."""
        return list(await asyncio.gather(*(upstream.settled() for upstream in self.each)))


def _wanted(upstream: Upstream) -> list[Tool]:
    patterns = upstream.settings.tools
    kept = [tool for tool in upstream.tools if not patterns or any(fnmatchcase(tool.name, each) for each in patterns)]
    return kept[:MOST_TOOLS]


def offered_name(prefix: str, tool: str, taken: Sequence[str] | dict[str, Offered] = ()) -> str:
    """``prefix_tool``, of characters and a length that every host takes; with a digest where that is not the name itself."""
    name = f"{prefix}_{_UNSAFE.sub('_', tool)}"
    if name == f"{prefix}_{tool}" and len(name) <= LONGEST_NAME and name not in taken:
        return name
    digest = hashlib.blake2b(tool.encode("utf-8", "surrogatepass"), digest_size=3).hexdigest()
    return f"{name[: LONGEST_NAME - 7]}_{digest}"


def upstream_of(settings: UpstreamSettings, instruments: Instruments) -> Upstream:
    """One server, not yet connected."""
    return Upstream(settings, instruments, finding(settings))


@asynccontextmanager
async def upstreaming(each: Sequence[UpstreamSettings], instruments: Instruments) -> AsyncIterator[Upstreams]:
    """Keep every server connected until left; one that is down holds nobody up."""
    quieten()
    upstreams = Upstreams([upstream_of(settings, instruments) for settings in each])
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(upstream.run()) for upstream in upstreams.each]
        try:
            yield upstreams
        finally:
            for task in running:
                task.cancel()
