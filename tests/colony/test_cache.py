"""Answers are given again while they are fresh and fit, and asked for once by many."""

from __future__ import annotations

import asyncio

import pytest
import uvloop
from prometheus_client import CollectorRegistry

from colony.cache import Cache, Cached
from colony.errors import InvalidQuestion
from colony.instruments import Instruments


class Kitchen:
    """Makes values, counted; a stopped timer."""

    def __init__(self, tasks: asyncio.TaskGroup, max_bytes: int = 100, ttl: float = 30) -> None:
        self.now, self.made = 0.0, 0
        told = Instruments(CollectorRegistry())
        self.cache: Cache[int] = Cache(max_bytes, ttl, tasks, told, lambda: self.now)

    async def get(self, key: str, size: int = 40, *, may_stay: bool = True) -> int:
        async def make() -> Cached[int]:
            self.made += 1
            return Cached(self.made, size, may_stay)

        return await self.cache.get(key, make)


def test_a_value_is_made_again_when_it_is_old_and_when_others_needed_its_room():
    async def body():
        async with asyncio.TaskGroup() as tasks:
            kitchen = Kitchen(tasks)
            assert [await kitchen.get("a"), await kitchen.get("a")] == [1, 1]
            kitchen.now = 30.1
            assert await kitchen.get("a") == 2
            assert [await kitchen.get(key) for key in ("b", "c", "a")] == [3, 4, 5]
            assert [await kitchen.get("large", 101), await kitchen.get("large", 101)] == [6, 7]
            assert [await kitchen.get("once", may_stay=False), await kitchen.get("once")] == [8, 9]

    uvloop.run(body())


def test_with_no_time_to_live_nothing_is_kept():
    async def body():
        async with asyncio.TaskGroup() as tasks:
            kitchen = Kitchen(tasks, ttl=0)
            assert [await kitchen.get("a"), await kitchen.get("a")] == [1, 2]

    uvloop.run(body())


def test_one_waiter_that_gives_up_leaves_the_flight_to_the_others():
    async def body():
        async with asyncio.TaskGroup() as tasks:
            kitchen, go = Kitchen(tasks), asyncio.Event()

            async def make() -> Cached[int]:
                await go.wait()
                return Cached(7, 1, may_stay=True)

            first = tasks.create_task(kitchen.cache.get("a", make))
            second = tasks.create_task(kitchen.cache.get("a", make))
            await asyncio.sleep(0)
            first.cancel()
            await asyncio.sleep(0)
            go.set()
            assert await second == 7

    uvloop.run(body())


def test_an_error_reaches_everyone_who_waits_and_ends_no_other_flight():
    async def body():
        async with asyncio.TaskGroup() as tasks:
            kitchen = Kitchen(tasks)

            async def make() -> Cached[int]:
                raise InvalidQuestion("no")

            for _ in range(2):
                with pytest.raises(InvalidQuestion):
                    await kitchen.cache.get("a", make)
            assert await kitchen.get("b") == 1

    uvloop.run(body())
