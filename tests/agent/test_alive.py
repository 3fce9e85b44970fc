"""When the agent is said to live, for systemd's watchdog: not once only another process would help."""

from __future__ import annotations

import asyncio
import threading

import pytest
from prometheus_client import CollectorRegistry

from agent.health import DEAD_SECONDS, Health, living
from agent.instruments import Instruments


async def beats_of(health: Health) -> int:
    """How often it was said to live after its first look."""
    beats: list[None] = []
    async with asyncio.timeout(5), living(health, Instruments(CollectorRegistry()), lambda: beats.append(None)):
        for _ in range(3):
            await asyncio.sleep(0)
        return len(beats)


@pytest.mark.parametrize(("stuck_seconds", "beats"), [(0.0, 1), (DEAD_SECONDS, 1), (DEAD_SECONDS + 1, 0)])
def test_it_is_said_to_live_until_a_commit_will_not_come_back(stuck_seconds, beats):
    health = Health({"writer": threading.current_thread()}, lambda: stuck_seconds, is_open=True)
    assert asyncio.run(beats_of(health)) == beats


def test_a_fault_that_heals_ends_readiness_and_no_life():
    health = Health({}, lambda: 0.0, [lambda: "the journal cannot be written"], is_open=True)
    assert health.fault() == "the journal cannot be written"
    assert asyncio.run(beats_of(health)) == 1
