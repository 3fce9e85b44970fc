"""Answers given again within seconds, bounded by their bytes; and one flight for the same question asked by many."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from cachetools import TTLCache

from colony.instruments import Instruments

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Cached(Generic[Value]):
    """A value, what it takes, and whether it may be given again."""

    value: Value
    size_bytes: int
    may_stay: bool


@dataclass(slots=True)
class _Flight(Generic[Value]):
    task: asyncio.Task[Cached[Value] | Exception]
    """Returns its error: raised, it would end every other flight too."""
    waiting: int = 0


class Cache(Generic[Value]):
    """By key. The flight of a question ends when nobody waits for it any more."""

    def __init__(
        self,
        max_bytes: int,
        ttl_seconds: float,
        tasks: asyncio.TaskGroup,
        instruments: Instruments,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kept: TTLCache[Hashable, Cached[Value]] = TTLCache(
            max_bytes, ttl_seconds, timer, getsizeof=lambda cached: cached.size_bytes
        )
        self._flights: dict[Hashable, _Flight[Value]] = {}
        self._tasks = tasks
        self._instruments = instruments

    async def get(self, key: Hashable, make: Callable[[], Awaitable[Cached[Value]]]) -> Value:
        """The value kept under ``key``, or on its way, or made now."""
        kept = self._kept.get(key)
        if kept is not None:
            self._instruments.cache_hits.labels("kept").inc()
            return kept.value
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(self._tasks.create_task(self._made(key, make)))
        else:
            self._instruments.cache_hits.labels("shared").inc()
        flight.waiting += 1
        try:
            made = await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                flight.task.cancel()
                self._flights.pop(key, None)
        if isinstance(made, Exception):
            raise made
        return made.value

    def cancel(self) -> None:
        """Cancel every flight."""
        for flight in self._flights.values():
            flight.task.cancel()

    async def _made(self, key: Hashable, make: Callable[[], Awaitable[Cached[Value]]]) -> Cached[Value] | Exception:
        try:
            made = await make()
        except Exception as error:  # noqa: BLE001 whoever waits gets it
            return error
        finally:
            if self._flights.get(key) is not None and self._flights[key].task is asyncio.current_task():
                del self._flights[key]
        if made.may_stay and made.size_bytes <= self._kept.maxsize and self._kept.ttl > 0:
            self._kept[key] = made
            self._instruments.cache_bytes.set(self._kept.currsize)
        return made
