"""Real agents in this process, and a colony that asks them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from colony.app import Rooms, opened
from colony.config.model import Config
from tests.colony.agents import SetClock
from tests.flow.house import House, one_of_many

Got = TypeVar("Got")


@dataclass
class Town:
    """Agents by name, and the colony; both have the clock."""

    agents: dict[str, House]
    rooms: Rooms
    clock: SetClock


@asynccontextmanager
async def colony(
    targets: Sequence[str], clock: SetClock | None = None, /, *, keeps: Path | None = None, **settings: str
) -> AsyncIterator[Rooms]:
    """A colony of these addresses whose agents have been polled; ``settings`` are environment names without prefix."""
    environ = {f"CORAL_COLONY__{name}": value for name, value in settings.items()}
    environ |= {"CORAL_COLONY__AGENTS__STATIC": ",".join(targets), "CORAL_COLONY__CACHE__TTL": "0s"}
    if keeps is not None:
        environ["CORAL_COLONY__SUMMARIES__DIR"] = str(keeps)
    config = Config.load(None, environ)
    async with opened(config, keeps_summaries=keeps is not None, clock=clock) as rooms:
        await rooms.desk.registry.poll()
        yield rooms


@asynccontextmanager
async def town(directory: Path, *names: str, clock: SetClock | None = None) -> AsyncIterator[Town]:
    """These agents over ``directory``, and their colony."""
    clock = clock or SetClock()
    async with AsyncExitStack() as stack:
        agents = {name: await stack.enter_async_context(one_of_many(directory / name, clock, AGENT__ID=name)) for name in names}
        rooms = await stack.enter_async_context(colony([agent.listening.query for agent in agents.values()], clock))
        yield Town(agents, rooms, clock)


def in_town(test: Callable[[], Awaitable[Got]]) -> Got:
    """Run a test's body on the loop that the colony runs on; an error in its task groups comes out bare."""

    async def bounded() -> Got:
        async with asyncio.timeout(100):
            return await test()

    try:
        return uvloop.run(bounded())
    except BaseExceptionGroup as group:
        raise _first(group) from group


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
