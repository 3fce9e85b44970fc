"""Who goes on at once, who waits, who is told to retry."""

import asyncio
from collections.abc import Callable

import pytest

from agent import errors
from agent.receive.admission import Admission
from tests.agent.receive.recording import run


async def _until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110  # only the loop's own steps pass; run() bounds it
        await asyncio.sleep(0)


def test_a_request_that_fits_goes_on_at_once_and_gives_its_bytes_back():
    async def test() -> None:
        admission = Admission(10)
        async with admission.room(4), admission.room(6):
            assert admission.bytes_in_flight == 10
        assert admission.bytes_in_flight == 0

    run(test())


def test_bytes_are_given_back_when_the_write_fails():
    async def test() -> None:
        admission = Admission(10)
        with pytest.raises(RuntimeError, match="fault"):
            async with admission.room(4):
                raise RuntimeError("fault")
        assert admission.bytes_in_flight == 0

    run(test())


def test_a_request_without_room_within_the_patience_is_told_to_retry():
    async def test() -> None:
        admission = Admission(10, patience_seconds=0.01)
        async with admission.room(8):
            with pytest.raises(errors.QueueFull, match=r"limits\.queue_bytes"):
                async with admission.room(3):
                    pytest.fail("there is no room")
        assert admission.bytes_in_flight == 0
        assert admission.requests_waiting == 0

    run(test())


def test_a_request_that_waits_goes_on_when_room_is_given_back():
    async def test() -> None:
        admission = Admission(10)
        went_on = asyncio.Event()

        async def wait() -> None:
            async with admission.room(4):
                went_on.set()

        async with asyncio.TaskGroup() as tasks:
            async with admission.room(8):
                tasks.create_task(wait())
                await _until(lambda: admission.requests_waiting == 1)
                assert not went_on.is_set()
            await went_on.wait()

    run(test())


def test_a_small_request_does_not_overtake_a_large_one_that_waits():
    async def test() -> None:
        admission = Admission(10)
        order: list[str] = []
        leave = asyncio.Event()

        async def hold(name: str, nbytes: int) -> None:
            async with admission.room(nbytes):
                order.append(name)
                await leave.wait()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(hold("first", 6))
            await _until(lambda: order)
            tasks.create_task(hold("large", 6))
            await _until(lambda: admission.requests_waiting == 1)
            tasks.create_task(hold("small", 3))
            await _until(lambda: admission.requests_waiting == 2)
            leave.set()
        assert order == ["first", "large", "small"]

    run(test())


def test_more_than_the_whole_budget_is_admitted_only_when_nothing_else_is_in_flight():
    async def test() -> None:
        admission = Admission(10, patience_seconds=0.01)
        async with admission.room(25):
            assert admission.bytes_in_flight == 25
            with pytest.raises(errors.QueueFull):
                async with admission.room(0):
                    pytest.fail("there is no room")
        async with admission.room(1):
            with pytest.raises(errors.QueueFull):
                async with admission.room(25):
                    pytest.fail("it is not alone")

    run(test())


def test_requests_are_bounded_too():
    async def test() -> None:
        admission = Admission(10, max_requests=2, patience_seconds=0.01)
        async with admission.room(0), admission.room(0):
            with pytest.raises(errors.QueueFull):
                async with admission.room(0):
                    pytest.fail("two are in flight")

    run(test())


def test_those_who_wait_are_bounded_by_the_budget_and_refused_at_once():
    async def test() -> None:
        admission = Admission(10, patience_seconds=60)

        async def wait(nbytes: int) -> None:
            async with admission.room(nbytes):
                pass

        async with admission.room(10), asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(wait(10))
            await _until(lambda: admission.requests_waiting == 1)
            with pytest.raises(errors.QueueFull):
                await wait(1)
            waiting.cancel()

    run(test())


def test_one_who_is_cancelled_leaves_the_line_to_the_next():
    async def test() -> None:
        admission = Admission(10)
        admitted = asyncio.Event()

        async def wait(nbytes: int) -> None:
            async with admission.room(nbytes):
                admitted.set()

        async with admission.room(6), asyncio.TaskGroup() as tasks:
            large = tasks.create_task(wait(6))
            await _until(lambda: admission.requests_waiting == 1)
            tasks.create_task(wait(4))
            await _until(lambda: admission.requests_waiting == 2)
            large.cancel()
            await admitted.wait()
        assert admission.bytes_in_flight == 0

    run(test())


def test_one_who_is_cancelled_in_the_step_in_which_the_turn_comes_gives_the_room_back():
    async def test() -> None:
        admission = Admission(10)

        async def wait() -> None:
            async with admission.room(10):
                pytest.fail("it was cancelled")

        async with asyncio.TaskGroup() as tasks:
            async with admission.room(10):
                waiting = tasks.create_task(wait())
                await _until(lambda: admission.requests_waiting == 1)
            assert admission.bytes_in_flight == 10
            waiting.cancel()
        assert admission.bytes_in_flight == 0

    run(test())
