"""Real exporters, with their own settings, through five seconds in which the disk takes nothing and the queue is full.

Nothing is lost that they were willing to send again. Node's gRPC exporter is willing to send nothing again: all it has is
the half second that the agent waits for room.
"""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter as JsonExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from prometheus_client import CollectorRegistry

from agent.batch import Export, Receipt, Signal
from agent.instruments import Instruments
from agent.receive.admission import Admission
from agent.receive.otlp_grpc import GrpcSettings, serving_otlp_grpc
from agent.receive.otlp_http import serving_otlp_http
from agent.receive.receiver import Receiver
from tests.agent.receive.calling import ANY, settings
from tests.agent.receive.recording import SIGNALS
from tests.flow.house import TRACES, in_house
from tests.flow.roundtrip import WIRES, records
from tests.needs import needs
from tests.otlp_json import message_of_json
from tests.telemetry import request, span

QUEUE_BYTES = 64 << 10
OVERLOAD_SECONDS = 5.0
SHORT_SECONDS = 0.3
SPANS = 2000
FLOOD = request(span(1, name="x" * QUEUE_BYTES))
NODE = Path(__file__).parent.parent / "node"


class HangingDisk:
    """A Sink that answers nobody before it ``works``; it keeps everything."""

    def __init__(self) -> None:
        self.exports: list[Export] = []
        self.hangs, self.works = asyncio.Event(), asyncio.Event()

    async def write(self, export: Export) -> Receipt:
        self.hangs.set()
        await self.works.wait()
        self.exports.append(export)
        return Receipt(accepted=export.records)

    def kept(self, signal: Signal) -> list[Any]:
        """All but the flood."""
        requests = [WIRES[one.signal].request.FromString(one.payload) for one in self.exports if one.signal is signal]
        return [one for one in requests if one != FLOOD]


@dataclass
class Doors:
    """Both, in front of a queue that another sender has just filled."""

    grpc: str
    http: str
    disk: HangingDisk
    registry: CollectorRegistry

    def refused(self) -> float:
        """Requests that were told to come again, over both transports."""
        name = "coral_agent_receiver_refused_requests_total"
        found = [sample for metric in self.registry.collect() for sample in metric.samples if sample.name == name]
        assert {sample.labels["reason"] for sample in found if sample.value} <= {"queue_full"}
        return sum(sample.value for sample in found)


@asynccontextmanager
async def overloaded(seconds: float) -> AsyncIterator[Doors]:
    disk, registry = HangingDisk(), CollectorRegistry()
    receiver = Receiver(disk, Admission(QUEUE_BYTES), Instruments(registry), max_records=65536)
    async with (
        asyncio.timeout(20),
        serving_otlp_grpc(GrpcSettings(ANY, drain_seconds=0), receiver, SIGNALS) as grpc_port,
        serving_otlp_http(settings(), receiver, SIGNALS) as http_port,
        grpc.aio.insecure_channel(f"127.0.0.1:{grpc_port}") as other,
    ):
        flood = other.unary_unary(TRACES)(FLOOD.SerializeToString())
        await disk.hangs.wait()
        asyncio.get_running_loop().call_later(seconds, disk.works.set)
        yield Doors(f"127.0.0.1:{grpc_port}", f"127.0.0.1:{http_port}", disk, registry)
        await flood


EXPORTERS: dict[str, Callable[[Doors], Any]] = {
    "grpc": lambda doors: GrpcExporter(f"http://{doors.grpc}", insecure=True),
    "http/protobuf": lambda doors: HttpExporter(f"http://{doors.http}/v1/traces"),
    "http/json": lambda doors: JsonExporter(endpoint=f"http://{doors.http}/v1/traces"),
}


def record_spans(protocol: str, exporter: Any) -> None:
    """More than one batch of the SDK's own processor, which has its defaults."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    for number in range(SPANS):
        provider.get_tracer("library").start_span(f"{protocol} {number}").end()
    assert provider.force_flush(20_000)
    provider.shutdown()


def test_the_python_sdk_loses_no_span():
    async def test() -> None:
        async with overloaded(OVERLOAD_SECONDS) as doors:
            async with asyncio.TaskGroup() as tasks:  # at once: an overload takes as long for three
                for protocol, make in EXPORTERS.items():
                    tasks.create_task(asyncio.to_thread(record_spans, protocol, make(doors)))
            assert doors.refused() >= 2 * len(EXPORTERS)
            groups = [group for sent in doors.disk.kept(Signal.TRACES) for group in sent.resource_spans]
        names = {one.name for group in groups for scope in group.scope_spans for one in scope.spans}
        assert names == {f"{protocol} {number}" for protocol in EXPORTERS for number in range(SPANS)}

    in_house(test)


@pytest.fixture
def _node() -> None:
    needs(shutil.which("node"), "Node (apt-get install nodejs npm)")
    needs((NODE / "node_modules" / "@opentelemetry").is_dir(), "the Node SDK (make node)")


async def sent_by_node(protocol: str, endpoint: str) -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, what was acknowledged, and the errors."""
    command = ["node", str(NODE / "send.mjs"), protocol, f"http://{endpoint}"]
    # Not asyncio's: it forks, and gRPC, busy with a call, does not survive that in the child.
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=20, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode()


@pytest.mark.usefixtures("_node")
@pytest.mark.parametrize(
    ("protocols", "seconds"),
    [(("http/protobuf", "http/json"), OVERLOAD_SECONDS), (("grpc",), SHORT_SECONDS)],
    ids=["http", "grpc"],
)
def test_the_node_sdk_loses_nothing(protocols, seconds):
    async def test() -> None:
        async with overloaded(seconds) as doors:
            sending = (sent_by_node(one, doors.grpc if one == "grpc" else doors.http) for one in protocols)
            ended = await asyncio.gather(*sending)
            assert [(code, errors) for code, _, errors in ended] == [(0, "")] * len(protocols)
            said = [one for _, lines, _ in ended for one in lines]
            assert protocols == ("grpc",) or doors.refused() >= len(protocols)
            for signal in Signal:
                acknowledged = [message(one) for one in said if one["signal"] == signal]
                assert acknowledged
                assert records(*acknowledged) == records(*doors.disk.kept(signal))

    in_house(test)


def message(said: dict[str, Any]) -> Any:
    body, kind = base64.b64decode(said["body"]), WIRES[Signal(said["signal"])].request
    return message_of_json(body, kind) if said["encoding"] == "Json" else kind.FromString(body)


@pytest.mark.usefixtures("_node")
def test_the_grpc_exporter_of_node_is_told_soon_that_it_loses_what_it_will_not_send_again():
    async def test() -> None:
        async with overloaded(OVERLOAD_SECONDS) as doors:
            began = asyncio.get_running_loop().time()
            code, _, errors = await sent_by_node("grpc", doors.grpc)
            assert asyncio.get_running_loop().time() - began < OVERLOAD_SECONDS + 5
            assert code == 1
            assert "UNAVAILABLE" in errors
            assert doors.refused() >= 1

    in_house(test)
