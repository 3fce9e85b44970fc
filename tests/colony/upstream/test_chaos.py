"""Under load while connections are harmed and the server is killed and started again.

``CORAL_UPSTREAM_RESTARTS`` (20) and ``CORAL_UPSTREAM_CALLS`` (120) make the runs longer.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from functools import partial

import psutil
import pytest

from colony.upstream.faults import UpstreamError
from tests.colony.agents import eventually
from tests.colony.upstream.chaos import chaos
from tests.colony.upstream.servers import Seen, asked, run, strict

RESTARTS = int(os.environ.get("CORAL_UPSTREAM_RESTARTS", "20"))
CALLS = int(os.environ.get("CORAL_UPSTREAM_CALLS", "120"))
_CALLERS = 6
_DEADLINE = 3.0


def _grown(counted: list[int], to: int) -> bool:
    return counted[0] >= to


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_calls_through_harm_end_in_time_rightly_or_with_a_kind_of_fault(era):
    async def body():
        seen, outcomes, slowest = Seen(), Counter[str](), 0.0
        async with strict(seen, era=era) as server, chaos(server.port) as proxy:
            url = f"http://127.0.0.1:{proxy.port}/mcp"
            async with asked(url, deadline_seconds=_DEADLINE) as upstream:

                async def calls(number: int) -> None:
                    nonlocal slowest
                    for n in range(CALLS // _CALLERS):
                        text, began = f"{number}-{n}", time.monotonic()
                        try:
                            assert (await upstream.call("echo", {"text": text})).text == text
                            outcomes["answered"] += 1
                        except UpstreamError as error:
                            outcomes[error.word] += 1
                        slowest = max(slowest, time.monotonic() - began)

                async with asyncio.TaskGroup() as tasks:
                    for number in range(_CALLERS):
                        tasks.create_task(calls(number))
                assert sum(outcomes.values()) == CALLS
                assert slowest < _DEADLINE + 1, outcomes
                assert outcomes["answered"] >= CALLS * 0.5, (outcomes, proxy.done)
                proxy.one_in = 0
                await eventually(lambda: upstream.status.state.value == "up")
                for n in range(5):
                    assert (await upstream.call("echo", {"text": str(n)})).text == str(n), "all is well once harm ends"

    run(body, 100)


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_restarts_under_load_leave_no_call_hanging_none_failing_once_it_is_back_and_nothing_behind(era):
    async def body():
        process, seen = psutil.Process(), Seen()
        async with strict(seen, era=era) as server, asked(server.url, deadline_seconds=_DEADLINE) as upstream:
            await upstream.call("echo", {"text": "x"})
            before = process.num_fds(), len(asyncio.all_tasks())
            up, stop, answered = [True], asyncio.Event(), [0]

            async def load() -> None:
                while not stop.is_set():
                    began, was_up, turns = time.monotonic(), up[0], restarts[0]
                    try:
                        await upstream.call("echo", {"text": "x"})
                        answered[0] += 1
                    except UpstreamError as error:
                        stayed = was_up and up[0] and turns == restarts[0]
                        wrong.extend([error.message] if stayed else [])
                        await asyncio.sleep(0.01)
                    assert time.monotonic() - began < _DEADLINE + 1

            restarts: list[int] = [0]
            wrong: list[str] = []
            async with asyncio.TaskGroup() as tasks:
                for _ in range(4):
                    tasks.create_task(load())
                for _ in range(RESTARTS):
                    await eventually(partial(_grown, answered, answered[0] + 8))
                    up[0] = False
                    restarts[0] += 1
                    await server.stop()
                    await server.start()
                    up[0] = True
                await eventually(partial(_grown, answered, answered[0] + 8))
                stop.set()
            assert (restarts, wrong) == ([RESTARTS], []), "a call failed while the server was there"
            await eventually(lambda: process.num_fds() <= before[0] + 8 and len(asyncio.all_tasks()) <= before[1] + 8)

    run(body, 110)
