"""What /livez and /readyz follow: threads, the writer's heartbeat, and whoever else has a reason."""

from __future__ import annotations

import asyncio
import threading

import pytest
from prometheus_client import CollectorRegistry

from agent.errors import Broken
from agent.health import DEAD_SECONDS, STUCK_SECONDS, Health, living
from agent.instruments import Instruments


def running(stop: threading.Event) -> threading.Thread:
    thread = threading.Thread(target=stop.wait, args=(10,))
    thread.start()
    return thread


def health(stop: threading.Event, stuck: float = 0.0) -> Health:
    return Health({"writer": running(stop)}, lambda: stuck, is_open=True)


@pytest.mark.parametrize(
    ("stuck", "alive", "ready"),
    [
        (STUCK_SECONDS, None, None),
        (STUCK_SECONDS + 0.1, None, "the disk has not answered for 2 s"),
        (DEAD_SECONDS + 1, "the writer has been stuck for 61 s", "the writer has been stuck for 61 s"),
    ],
)
def test_a_commit_that_hangs_is_said_within_two_seconds_and_kills_after_a_minute(stuck, alive, ready):
    assert STUCK_SECONDS < 2
    stop = threading.Event()
    found = health(stop, stuck)
    assert (found.dead(), found.fault()) == (alive, ready)
    stop.set()


def test_the_first_reason_is_told_and_a_door_that_is_shut_is_one():
    stop = threading.Event()
    found = health(stop)
    found.reasons += [lambda: None, lambda: "the disk is full", lambda: "the certificate has expired"]
    assert (found.dead(), found.fault()) == (None, "the disk is full")
    found.is_open = False
    assert (found.dead(), found.fault()) == (None, "starting or draining")
    stop.set()


def test_a_thread_that_has_ended_is_said_at_once_and_ends_the_process():
    stop, instruments = threading.Event(), Instruments(CollectorRegistry())
    found = health(stop)

    async def test() -> None:
        async with asyncio.timeout(2), living(found, instruments):
            assert instruments.registry.get_sample_value("coral_agent_ready") == 1
            stop.set()
            await asyncio.to_thread(found.threads["writer"].join)
            assert (found.dead(), found.fault()) == ("the writer has stopped", "the writer has stopped")
            assert instruments.registry.get_sample_value("coral_agent_ready") == 0
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as raised:
        asyncio.run(test())
    assert raised.group_contains(Broken, match="the writer has stopped; the agent ends")
