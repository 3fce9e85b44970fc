"""The heartbeat sees a loop that is blocked, whatever blocks it, and not a machine that is busy."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from tests.conformance.heartbeat import Heartbeat


def spin(seconds: float = 0.15) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def hold_the_lock() -> None:
    """One call that gives the interpreter's lock to nobody; in another thread."""
    thread = threading.Thread(target=lambda: sum(range(12_000_000)))
    thread.start()
    thread.join()


async def measured(block: Callable[[], None], in_thread: bool = False) -> float:
    heart = Heartbeat()
    beating = asyncio.create_task(heart.beat())  # noqa: TID251  # cancelled below, in the same function
    await asyncio.sleep(0.03)
    heart.reset()
    if in_thread:
        await asyncio.to_thread(block)
    else:
        block()
    await asyncio.sleep(0.03)
    beating.cancel()
    return heart.blocked_seconds


@pytest.mark.parametrize(
    ("block", "in_thread"),
    [(spin, False), (lambda: time.sleep(0.15), False), (hold_the_lock, True)],
    ids=["work", "a call that sleeps", "the interpreter's lock"],
)
def test_a_block_is_seen(block, in_thread):
    assert max(asyncio.run(measured(block, in_thread)) for _ in range(3)) > 0.08


def test_work_in_threads_that_gives_the_lock_is_no_block():
    assert min(asyncio.run(measured(spin, in_thread=True)) for _ in range(3)) < 0.03


def test_a_busy_machine_is_no_block():
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(6)]
    try:
        assert min(asyncio.run(measured(lambda: time.sleep(0.5), in_thread=True)) for _ in range(3)) < 0.03
    finally:
        for other in others:
            other.kill()
            other.wait()
