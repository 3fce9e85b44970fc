"""What the receivers' tests stand on: a Sink that remembers, requests to send, and counters to read."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client import CollectorRegistry

from agent.batch import Export, Receipt, Signal
from agent.instruments import Instruments
from agent.receive.admission import Admission
from agent.receive.receiver import Receiver

SIGNALS = (Signal.TRACES, Signal.METRICS, Signal.LOGS)


class RecordingSink:
    """Remembers every export; answers with ``answer``, else keeps all; waits at ``gate`` when there is one."""

    def __init__(self, answer: Receipt | Exception | None = None, gate: asyncio.Event | None = None) -> None:
        self.exports: list[Export] = []
        self.arrived = asyncio.Event()
        self._answer = answer
        self._gate = gate

    async def write(self, export: Export) -> Receipt:
        self.exports.append(export)
        self.arrived.set()
        if self._gate:
            await self._gate.wait()
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer or Receipt(accepted=export.records)


class House:
    """A Receiver with its Sink and its counters."""

    def __init__(self, sink: RecordingSink | None = None, *, max_records: int = 100, queue_bytes: int = 1 << 30) -> None:
        self.sink = sink or RecordingSink()
        self.registry = CollectorRegistry()
        self.admission = Admission(queue_bytes, patience_seconds=0.02)
        self.receiver = Receiver(self.sink, self.admission, Instruments(self.registry), max_records=max_records)

    def count(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"coral_agent_receiver_{name}_total", labels)


def spans(count: int, name: str = "") -> bytes:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for _ in range(count):
        scope.spans.add(trace_id=b"\x01" * 16, span_id=b"\x02" * 8, name=name)
    return request.SerializeToString()


def records(count: int) -> bytes:
    """A request of any signal: OTLP's envelopes have the same numbers in all three. As a metric, a record has one point."""
    scope = b"\x12\x04\x2a\x02\x0a\x00" * count
    resource = b"\x12" + bytes([len(scope)]) + scope
    return b"\x0a" + bytes([len(resource)]) + resource


def run(test: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await test

    asyncio.run(bounded())
