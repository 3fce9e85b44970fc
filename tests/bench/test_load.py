"""The client sends to any OTLP endpoint, over gRPC and HTTP, and counts what was acknowledged; an agent is measured beside a peer."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from rich.console import Console

from bench import peer
from bench.load import Client, Order, Outcome
from bench.machine import held
from bench.phases import Plan
from bench.target import Agent
from tests.flow.house import House, house, in_house

REQUESTS = 16
"""One of every sender: two of each of eight services."""


def endpoint(agent: House, door: str, signal: str) -> str:
    return agent.listening.otlp_grpc if door == "grpc" else f"http://{agent.listening.otlp_http}/v1/{signal}"


async def sent(address: str, requests: int, **wishes) -> Outcome:
    async with asyncio.timeout(30):
        return await Client(Order(address, requests=requests, seconds=30, connections=2, **wishes)).run()


@pytest.mark.parametrize("door", ["grpc", "http"])
@pytest.mark.parametrize("signal", ["traces", "logs", "metrics"])
def test_everything_that_is_acknowledged_is_kept(tmp_path, door, signal):
    async def test():
        async with house(tmp_path) as agent:
            outcome = await sent(endpoint(agent, door, signal), 3, signal=signal)
            assert (outcome.requests, outcome.accepted, outcome.errors) == (3, 3 * 512, {})
            assert len(outcome.latencies_ms) == 3
            assert sum(kept.rows for kept in (await agent.info()).signals) == 3 * 512

    in_house(test)


@pytest.mark.parametrize("door", ["grpc", "http"])
def test_what_an_acknowledgement_rejects_is_not_accepted(tmp_path, door):
    async def test():
        async with house(tmp_path, AGENT__SERVICES="cart") as agent:
            outcome = await sent(endpoint(agent, door, "traces"), REQUESTS)
            assert (outcome.records, outcome.accepted, outcome.errors) == (REQUESTS * 512, 2 * 512, {})

    in_house(test)


def test_an_http_status_that_is_not_2xx_is_an_error(tmp_path):
    async def test():
        async with house(tmp_path) as agent:
            outcome = await sent(f"http://{agent.listening.otlp_http}/nowhere", 2)
            assert (outcome.accepted, outcome.errors) == (0, {"HTTP 404": 2})

    in_house(test)


def test_a_paced_client_keeps_its_connections_in_turn(tmp_path):
    async def test():
        async with house(tmp_path) as agent:
            outcome = await sent(endpoint(agent, "http", "traces"), 6, rate=512 * 100.0)
            assert (outcome.accepted, outcome.missed, outcome.errors) == (6 * 512, 0, {})

    in_house(test)


@asynccontextmanager
async def answering(reply: bytes) -> AsyncIterator[tuple[str, list[int]]]:
    """A server that answers every request alike, closing after ``Connection: close``; the requests of each connection."""
    served: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(served)
        served.append(0)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                (length,) = (line.split()[1] for line in head.split(b"\r\n") if line.startswith(b"Content-Length:"))
                await reader.readexactly(int(length))
                served[number] += 1
                writer.write(reply)
                if b"close" in reply or not reply:
                    break
        except asyncio.IncompleteReadError:
            pass  # the client has gone
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 20)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}/insert/v1/traces", served


OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
CLOSED = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("reply", [OK, CHUNKED], ids=["length", "chunked"])
def test_http_connections_stay_open_and_any_2xx_accepts(reply):
    async def test():
        async with answering(reply) as (address, served):
            outcome = await sent(address, 6)
            assert (outcome.accepted, outcome.errors) == (6 * 512, {})
            assert (len(served), sum(served)) == (2, 6)

    in_house(test)


def test_a_connection_that_the_server_closes_is_opened_again():
    async def test():
        async with answering(CLOSED) as (address, served):
            outcome = await sent(address, 5)
            assert (outcome.accepted, outcome.errors) == (5 * 512, {})
            assert {1} <= set(served) <= {0, 1}

    in_house(test)


@pytest.mark.parametrize("reply", [b"", b"what is this?\r\n\r\n"], ids=["nothing", "not HTTP"])
def test_no_answer_is_an_error_that_says_what_became_of_the_connection(reply):
    async def test():
        async with answering(reply) as (address, _):
            outcome = await sent(address, 3)
            assert (outcome.accepted, outcome.errors) == (0, {"ConnectionResetError": 3})

    in_house(test)


def test_nobody_listening_is_said_at_once():
    async def test():
        async with answering(OK) as (address, _):
            pass
        with pytest.raises(OSError, match="Connect"):
            await sent(address, 1)

    in_house(test)


def test_all_threads_of_another_process_are_held_on_one_core_and_let_go():
    program = (
        "import threading; [threading.Thread(target=input, daemon=True).start() for _ in range(3)]; print(flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        before = os.sched_getaffinity(process.pid)
        threads = [int(place.name) for place in Path(f"/proc/{process.pid}/task").iterdir()]
        core = max(before)
        with held(process.pid, core):
            assert [{core}] * 4 == [os.sched_getaffinity(thread) for thread in threads]
        assert [before] * 4 == [os.sched_getaffinity(thread) for thread in threads]
        process.kill()


def test_an_agent_and_a_peer_are_measured_in_turns(tmp_path):
    core = max(os.sched_getaffinity(0))
    plan = Plan("usual", 2, 10.0, 4, 0, 1, 1.0, 0.0, core, core, signal="logs")
    other = Agent(tmp_path / "peer", core, {})
    try:
        target = peer.Peer(other.target.pid, f"http://{other.target.otlp_http}/v1/logs", tmp_path / "peer")
        figures = peer.in_turns(plan, target, 2, tmp_path / "agent", quiet_seconds=0.3)
        assert other.accepted("log_records") == 2 * 4 * 512
    finally:
        other.kill()
    assert [{"agent", "peer", "ratio"}] * 2 == [set(of) for of in figures["rounds"]]
    assert list(figures["rounds"][1])[:2] == ["peer", "agent"]
    assert [figures["totals"][side]["spans_accepted"] for side in ("agent", "peer")] == [2 * 4 * 512] * 2
    assert min(figures["totals"][side]["bytes_per_span_on_disk"] for side in ("agent", "peer")) > 0
    first, second = (of["ratio"] for of in figures["rounds"])
    assert round((first + second) / 2, 2) == pytest.approx(figures["ratio_median"], abs=0.01)
    told = io.StringIO()
    peer.show_rounds(figures, Console(width=200, file=told))
    assert f"{figures['ratio_median']}" in told.getvalue().splitlines()[-2]
