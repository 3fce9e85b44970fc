"""An agent that cannot keep its promise says so within two seconds, in /readyz and in /metrics, and says when it can again."""

from __future__ import annotations

import asyncio
import os
import threading
import time

import httpx

from agent.clock import SystemClock
from tests.flow.certificates import Authority
from tests.flow.house import House, SetClock, eventually, house, in_house
from tests.telemetry import request, span

NOT_READY_SECONDS = 2.5
"""The half second is that of a busy machine."""


async def seen(agent: House) -> tuple[str, str]:
    """What /readyz and ``coral_agent_ready`` say."""
    async with httpx.AsyncClient(base_url=f"http://{agent.listening.admin}", trust_env=False, timeout=5) as client:
        ready = (await client.get("/readyz")).text.strip()
        (gauge,) = [line for line in (await client.get("/metrics")).text.splitlines() if line.startswith("coral_agent_ready ")]
    return ready, gauge.split()[1]


async def says(agent: House, reason: str) -> None:
    """Wait until both say it."""

    async def both() -> bool:
        ready, gauge = await seen(agent)
        return reason in ready and gauge == "0.0"

    await eventually(both, f"it does not say {reason}")


async def is_ready(agent: House) -> bool:
    return await seen(agent) == ("ready", "1.0")


def test_a_sync_that_hangs_is_said_within_two_seconds_and_the_export_is_kept_once_it_answers(tmp_path, monkeypatch):
    goes_on, sync = threading.Event(), os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: (goes_on.wait(10), sync(fd)))
    goes_on.set()

    async def body():
        async with house(tmp_path) as agent:
            await agent.export(request(span(1)))
            assert await is_ready(agent)
            goes_on.clear()
            began = time.monotonic()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(agent.export(request(span(2))))
                await says(agent, "the disk has not answered")
                assert time.monotonic() - began < NOT_READY_SECONDS
                goes_on.set()
            await eventually(lambda: is_ready(agent), "it does not say that it is ready again")
            assert len((await agent.spans(start_time={"seconds": 1})).spans) == 2

    in_house(body)


def test_a_certificate_that_has_expired_is_said_by_its_door_until_another_is_there(tmp_path):
    authority, clock = Authority(), SetClock(SystemClock().now_ns())
    files = authority.issue("spiffe://coral/agent/a1", valid_days=0.5).write(tmp_path, "agent")
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    tls = dict(zip(("CERT_FILE", "KEY_FILE", "CLIENT_CA_FILE"), [*map(str, files), str(tmp_path / "ca.pem")], strict=True))
    settings = {f"QUERY__TLS__{key}": value for key, value in tls.items()} | {"QUERY__TLS__RELOAD_INTERVAL": "1s"}

    async def body():
        async with house(tmp_path / "store", clock, **settings) as agent:
            assert await is_ready(agent)
            clock.advance(13 * 3600)
            await says(agent, "the certificate of query has expired")
            authority.issue("spiffe://coral/agent/a1").write(tmp_path, "agent")
            await eventually(lambda: is_ready(agent), "the new certificate was not taken up")

    in_house(body)


def test_a_disk_that_fails_when_nobody_sends_is_found_by_the_probe(tmp_path, monkeypatch):
    fails, sync = threading.Event(), os.fdatasync

    def failing(fd: int) -> None:
        if fails.is_set():
            raise OSError(5, "Input/output error")
        sync(fd)

    monkeypatch.setattr(os, "fdatasync", failing)

    async def body():
        async with house(tmp_path) as agent:
            assert await is_ready(agent)
            fails.set()
            began = time.monotonic()
            await says(agent, "the journal cannot be written")
            assert time.monotonic() - began < NOT_READY_SECONDS
            fails.clear()
            await eventually(lambda: is_ready(agent), "it does not say that it is ready again")

    in_house(body)
