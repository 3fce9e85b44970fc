"""``--follow`` against a running agent: the real program in a process of its own, ended by Ctrl-C."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from agent.clock import SECOND_NS, SystemClock
from tests.flow.house import House, house, in_house
from tests.telemetry import log, log_request, request, span


@asynccontextmanager
async def following(agent: House, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """``coral-agent`` with ``--follow``; at the end Ctrl-C, which is no failure and says nothing."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "agent", *words, "--follow", "--target", agent.listening.query),
        env=os.environ | {"COLUMNS": "160"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
        process.send_signal(signal.SIGINT)
        left, errors = await process.communicate()
        assert (left, errors, process.returncode) == (b"", b"", 0)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def lines(process: asyncio.subprocess.Process, count: int) -> list[str]:
    """The next lines; the house's own limit of a minute bounds the wait."""
    assert process.stdout
    return [(await process.stdout.readline()).decode().rstrip() for _ in range(count)]


async def send(agent: House, number: int, age_seconds: float = 0) -> None:
    """A log record with this number for a body, so old by its own time."""
    time_ns = SystemClock().now_ns() - round(age_seconds * SECOND_NS)
    record: Any = log(number, time_unix_nano=time_ns)
    await agent.export_logs(log_request(record))


def test_followed_logs_are_each_printed_once_and_those_that_are_late_too(tmp_path):
    async def body():
        async with house(tmp_path) as agent:
            await send(agent, 0, age_seconds=3600)
            await send(agent, 1, age_seconds=2)
            async with following(agent, "logs", "-o", "json", "--last", "1m") as process:
                found = await lines(process, 1)
                await send(agent, 2, age_seconds=6)
                found += await lines(process, 1)
                await send(agent, 3)
                await send(agent, 4, age_seconds=7)
                found += await lines(process, 2)
                await send(agent, 5)
                found += await lines(process, 1)
        bodies = [json.loads(line)["body"] for line in found]
        assert bodies[:2] == ["record 1", "record 2"]
        assert sorted(bodies[2:4]) == ["record 3", "record 4"]
        assert bodies[4] == "record 5"

    in_house(body)


def test_followed_spans_are_a_table_that_grows(tmp_path):
    async def body():
        async with house(tmp_path) as agent:
            now_ns = SystemClock().now_ns()
            await agent.export(request(span(1, start_time_unix_nano=now_ns, end_time_unix_nano=now_ns + 1000)))
            async with following(agent, "spans") as process:
                found = await lines(process, 2)
                await agent.export(request(span(2, start_time_unix_nano=now_ns, end_time_unix_nano=now_ns + 1000)))
                found += await lines(process, 1)
        assert found[0].split() == ["START", "DURATION", "SERVICE", "OPERATION", "KIND", "STATUS", "TRACE", "ID"]
        assert [line.split()[-1] for line in found[1:]] == [f"{2:032x}", f"{3:032x}"]

    in_house(body)
