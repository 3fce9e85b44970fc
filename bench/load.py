"""The client: a process of its own that sends requests as raw bytes, over gRPC or HTTP, and times every acknowledgement.

It reads one Order as JSON from standard input and writes one Outcome as JSON to standard output. Saturating, every connection
sends as soon as it is answered. Paced, requests leave at fixed moments whether or not earlier ones are answered, and latency
counts from the moment a request was due, so that a stalled server cannot hide behind a waiting client.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

import uvloop
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from agent.clock import SystemClock
from bench.connections import TIMEOUT_SECONDS, Connection, Refused, connected
from bench.machine import REPOSITORY, pinned
from bench.shapes import Requests

SAMPLES = 2000
"""Trace ids kept for queries."""

PAUSE_SECONDS = 0.05
"""After an error, so that a refusing server is not hammered."""

OUTSTANDING = 1024
"""Paced requests without an answer; more are counted as missed."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to send. Whichever of ``seconds`` and ``requests`` comes first ends it; ``rate`` is records a second, 0 saturates.

    ``endpoint`` is as in ``bench.connections``. ``first_ns`` and ``step_ns`` date the requests; without them they happen now.
    """

    endpoint: str
    shape: str = "usual"
    signal: str = "traces"
    seed: int = 1
    connections: int = 8
    requests: int = 1_000_000
    seconds: float = 10.0
    rate: float = 0.0
    first_ns: int = 0
    step_ns: int = 0


@dataclass(slots=True)
class Outcome:
    """What came of it. ``latencies_ms`` are of acknowledged requests only."""

    requests: int = 0
    records: int = 0
    bytes: int = 0
    accepted: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    missed: int = 0
    seconds: float = 0.0
    client_cpu_seconds: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    trace_ids: list[str] = field(default_factory=list)


class Client:
    """Sends one Order."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._requests = Requests(order.signal, order.shape, order.seed)
        self._made = self._requests.at(itertools.islice(self._times(), order.requests))
        self._errors: Counter[str] = Counter()
        self._outcome = Outcome()
        self._keep_every = 1

    def _times(self) -> Iterator[int]:
        order, clock = self._order, SystemClock()
        return (order.first_ns + k * order.step_ns if order.first_ns else clock.now_ns() for k in itertools.count())

    async def run(self) -> Outcome:
        order = self._order
        opening = (connected(order.endpoint, order.signal) for _ in range(order.connections))
        connections = await asyncio.gather(*opening)
        cpu, began = time.process_time(), time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            if order.rate:
                tasks.create_task(self._pace(connections, tasks, began))
            else:
                for connection in connections:
                    tasks.create_task(self._saturate(connection, began + order.seconds))
        self._outcome.seconds = time.monotonic() - began
        self._outcome.client_cpu_seconds = time.process_time() - cpu
        self._outcome.errors = dict(self._errors)
        for connection in connections:
            await connection.close()
        return self._outcome

    async def _saturate(self, connection: Connection, until: float) -> None:
        while time.monotonic() < until and (made := next(self._made, None)) is not None:
            await self._send(connection, made, time.monotonic())

    async def _pace(self, connections: list[Connection], tasks: asyncio.TaskGroup, began: float) -> None:
        order = self._order
        gap = self._requests.records / order.rate
        outstanding: set[asyncio.Task[None]] = set()
        for number, made in enumerate(self._made):  # made before it is due
            due = began + number * gap
            if due - began > order.seconds:
                return
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if len(outstanding) >= OUTSTANDING:
                self._outcome.missed += 1
                continue
            task = tasks.create_task(self._send(connections[number % len(connections)], made, due))
            outstanding.add(task)
            task.add_done_callback(outstanding.discard)

    async def _send(self, connection: Connection, made: tuple[bytes, bytes], since: float) -> None:
        outcome, (payload, trace_id) = self._outcome, made
        outcome.requests += 1
        outcome.records += self._requests.records
        outcome.bytes += len(payload)
        try:
            reply = await connection.export(payload)
        except Refused as refused:
            self._errors[str(refused)] += 1
            await asyncio.sleep(PAUSE_SECONDS)
            return
        outcome.latencies_ms.append((time.monotonic() - since) * 1000)
        # Every signal's response has the count of what was rejected at the same place.
        rejected = ExportTraceServiceResponse.FromString(reply).partial_success.rejected_spans if reply else 0
        outcome.accepted += self._requests.records - rejected
        self._remember(trace_id)

    def _remember(self, trace_id: bytes) -> None:
        """Every trace at first, then fewer: an even sample of all that was acknowledged."""
        kept = self._outcome.trace_ids
        if len(self._outcome.latencies_ms) % self._keep_every == 0:
            kept.append(trace_id.hex())
        if len(kept) == SAMPLES:
            del kept[::2]
            self._keep_every *= 2


class Running:
    """A client process on one core. Its answer goes to a file: a pipe would fill and hold it up."""

    def __init__(self, order: Order, core: int) -> None:
        self._until = time.monotonic() + order.seconds + 4 * TIMEOUT_SECONDS
        self._answer = tempfile.TemporaryFile()  # noqa: SIM115 open until the outcome is read
        with pinned(core):
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bench.load"], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=self._answer
            )
        assert self._process.stdin is not None
        with self._process.stdin as stdin:
            stdin.write(json.dumps(asdict(order)).encode())

    def alive(self) -> bool:
        """Whether it still sends, and still may."""
        return self._process.poll() is None and time.monotonic() < self._until

    def outcome(self) -> Outcome:
        """What came of it, when it has ended.

        Raises:
            RuntimeError: it failed, or did not end in its time.
        """
        try:
            code = self._process.wait(max(0.0, self._until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise RuntimeError("the load process did not end in its time") from None
        if code:
            raise RuntimeError(f"the load process ended with {code}")
        with self._answer as answer:
            answer.seek(0)
            return Outcome(**json.load(answer))


def main() -> None:
    order = Order(**json.load(sys.stdin))
    json.dump(asdict(uvloop.run(Client(order).run())), sys.stdout)


if __name__ == "__main__":
    main()
