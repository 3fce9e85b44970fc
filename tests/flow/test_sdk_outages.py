"""The Python SDK with default settings, over gRPC and HTTP, through outages of a whole agent: no span lost, none kept twice."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import grpc
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tests.flow.disks import fill, small_disk
from tests.flow.house import TRACES
from tests.flow.programs import Program, program
from tests.telemetry import attributes, request, span

SERVICE = "steady"
SPANS, SECONDS = 1500, 6.0
"""The SDK sends when it has 512 spans, or after five seconds, and queues 2,048: it sends during the outage, and does not overflow."""


class Steady(threading.Thread):
    """One exporter as it comes, behind the SDK's own processor: spans at an even pace, then a shutdown that flushes."""

    def __init__(self, exporter: Any) -> None:
        super().__init__()
        self.made: list[str] = []
        self._provider = TracerProvider(resource=Resource({"service.name": SERVICE}), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))

    def run(self) -> None:
        tracer, began = self._provider.get_tracer("steady"), time.monotonic()
        for number in range(SPANS):
            with tracer.start_as_current_span("work") as one:
                self.made.append(f"{one.get_span_context().span_id:016x}")
            threading.Event().wait(max(0.0, began + number * SECONDS / SPANS - time.monotonic()))
        self._provider.shutdown()


@contextmanager
def two_sdks(agent: Program) -> Iterator[None]:
    """Both protocols at work; when they have finished, all that they made is kept once."""
    exporters = [
        GrpcExporter(endpoint=f"http://127.0.0.1:{agent.ports[0]}", insecure=True),
        HttpExporter(endpoint=f"http://127.0.0.1:{agent.ports[1]}/v1/traces"),
    ]
    sdks = [Steady(exporter) for exporter in exporters]
    for one in sdks:
        one.start()
    threading.Event().wait(0.5)
    yield
    for one in sdks:
        one.join(40)
    found = agent.kept(SERVICE)
    assert len(found) == len(set(found)), "kept twice"
    assert [sum(made in set(found) for made in one.made) for one in sdks] == [SPANS, SPANS], "lost, of gRPC's and of HTTP's"


def refused(agent: Program, reason: str) -> float:
    return agent.metric(f'coral_agent_receiver_refused_requests_total{{reason="{reason}"')


def test_nothing_is_lost_to_four_seconds_of_full_disk(tmp_path):
    with small_disk(tmp_path / "disk") as disk, program(disk / "store") as agent, two_sdks(agent):
        ballast = fill(disk)
        threading.Event().wait(4)
        assert refused(agent, "store_unavailable") >= 2
        ballast.unlink()


def test_nothing_is_lost_to_a_restart(tmp_path):
    with ExitStack() as running:
        agent = running.enter_context(program(tmp_path))
        with two_sdks(agent):
            agent.process.terminate()
            assert agent.process.wait(10) == 0
            running.enter_context(program(tmp_path, ports=agent.ports))


class Flood(threading.Thread):
    """Half a megabyte after the other, sixteen at a time, for some seconds: five times what the queue holds."""

    def __init__(self, port: int, seconds: float) -> None:
        super().__init__()
        self.codes: set[grpc.StatusCode] = set()
        self._port, self._seconds = port, seconds

    def run(self) -> None:
        large = request(*(span(n, attributes=attributes({"k": "x" * 30_000})) for n in range(16))).SerializeToString()
        ended, numbers = threading.Event(), itertools.count()
        timer = threading.Timer(self._seconds, ended.set)
        timer.start()
        places = threading.Semaphore(16)
        with grpc.insecure_channel(f"127.0.0.1:{self._port}") as channel:
            export = channel.unary_unary(TRACES)

            def answered(call: Any) -> None:
                self.codes.add(call.code())
                places.release()

            while not ended.is_set():
                places.acquire()
                # Requests that are the same would count once: each has a span of its own at its end.
                tail = request(span(100 + next(numbers))).SerializeToString()
                export.future(large + tail, timeout=10).add_done_callback(answered)
            for _ in range(16):
                places.acquire()
        timer.join()


def test_nothing_is_lost_to_five_seconds_of_overload_and_queries_are_answered_meanwhile(tmp_path):
    small = {"OTLP__GRPC__MAX_RECV_MSG_SIZE_MIB": "1", "OTLP__HTTP__MAX_REQUEST_BODY_SIZE": "1MiB"}
    environ = {f"CORAL_AGENT__{name}": value for name, value in small.items()}
    with program(tmp_path, environ=environ, LIMITS__QUEUE_BYTES="1MiB") as agent, two_sdks(agent):
        flood = Flood(agent.ports[0], 5)
        flood.start()
        while flood.is_alive():
            agent.shown("nobody")
            flood.join(0.5)
        assert flood.codes == {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}
        assert refused(agent, "queue_full") >= 10
        assert agent.metric("process_resident_memory_bytes") < 400 << 20
