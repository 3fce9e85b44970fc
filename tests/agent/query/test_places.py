"""Places for queries: so many at a time, shared among peers, a short queue, and nobody left out by another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from agent.errors import TooManyQueries
from agent.query import places
from agent.query.places import WAITING, Places


class Now:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await scenario()

    asyncio.run(bounded())


async def taken(rooms: Places, peer: str, number: int) -> None:
    for _ in range(number):
        await rooms.take(peer)


async def refused(rooms: Places, peer: str) -> None:
    with pytest.raises(TooManyQueries, match=r"query\.max_concurrent"):
        await rooms.take(peer)


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "QUEUE_SECONDS", 0.02)


def test_callers_that_nobody_tells_apart_may_have_every_place_and_no_more():
    async def scenario() -> None:
        rooms = Places(4)
        await taken(rooms, "", 4)
        await refused(rooms, "")
        rooms.give("")
        await rooms.take("")

    run(scenario)


def test_one_colony_leaves_places_for_another_that_comes_for_the_first_time():
    async def scenario() -> None:
        rooms = Places(8)
        await taken(rooms, "greedy", 6)
        await refused(rooms, "greedy")
        await rooms.take("newcomer")

    run(scenario)


def test_colonies_that_ask_have_equal_shares_and_get_back_what_nobody_asks_for():
    async def scenario() -> None:
        now = Now()
        rooms = Places(8, now)
        for peer in ("a", "b", "c", "d"):
            await taken(rooms, peer, 2)
        await refused(rooms, "a")
        for peer in ("b", "c", "d"):
            rooms.give(peer)
            rooms.give(peer)
        await refused(rooms, "a")
        now.seconds = places.RECENT_SECONDS + 1
        await taken(rooms, "a", 4)
        assert rooms.share("a") == 6

    run(scenario)


def test_a_place_that_falls_free_goes_to_whoever_has_the_fewest(monkeypatch):
    monkeypatch.setattr(places, "QUEUE_SECONDS", 10)

    async def scenario() -> None:
        rooms = Places(2)
        order: list[str] = []

        async def ask(peer: str) -> None:
            async with rooms.place(peer):
                order.append(peer)

        await taken(rooms, "greedy", 1)
        await taken(rooms, "other", 1)
        async with asyncio.TaskGroup() as tasks:
            for peer in ("greedy", "greedy", "third"):
                tasks.create_task(ask(peer))
            await asyncio.sleep(0)
            rooms.give("other")
            await asyncio.sleep(0)
            rooms.give("greedy")
        assert order[0] == "third"
        assert sorted(order) == ["greedy", "greedy", "third"]

    run(scenario)


def test_a_queue_is_short_and_of_one_peer_alone(monkeypatch):
    monkeypatch.setattr(places, "QUEUE_SECONDS", 10)

    async def scenario() -> None:
        rooms = Places(1)
        await rooms.take("a")
        async with asyncio.TaskGroup() as tasks:
            waiting = [tasks.create_task(rooms.take("a")) for _ in range(WAITING)]
            await asyncio.sleep(0)
            await refused(rooms, "a")
            newcomer = tasks.create_task(rooms.take("b"))
            await asyncio.sleep(0)
            rooms.give("a")
            await newcomer
            for one in waiting:
                one.cancel()
        rooms.give("b")
        await rooms.take("c")

    run(scenario)


def test_a_caller_that_leaves_as_its_turn_comes_gives_the_place_to_the_next(monkeypatch):
    monkeypatch.setattr(places, "QUEUE_SECONDS", 10)

    async def scenario() -> None:
        rooms = Places(1)
        await rooms.take("")
        async with asyncio.TaskGroup() as tasks:
            leaving, _ = (tasks.create_task(rooms.take("")) for _ in range(2))
            await asyncio.sleep(0)
            rooms.give("")
            leaving.cancel()
        assert leaving.cancelled()

    run(scenario)


def test_more_places_wake_those_who_wait(monkeypatch):
    monkeypatch.setattr(places, "QUEUE_SECONDS", 10)

    async def scenario() -> None:
        rooms = Places(1)
        await rooms.take("")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(rooms.take(""))
            await asyncio.sleep(0)
            rooms.resize(2)

    run(scenario)
