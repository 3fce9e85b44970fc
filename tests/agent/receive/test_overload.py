"""Python's own exporters through a short overload: nothing is lost that they were willing to send again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter as JsonExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult

from agent import errors
from agent.batch import Export, Receipt
from agent.receive.otlp_grpc import GrpcSettings, serving_otlp_grpc
from agent.receive.otlp_http import serving_otlp_http
from tests.agent.receive.calling import ANY, settings
from tests.agent.receive.recording import SIGNALS, House, RecordingSink

OVERLOAD_SECONDS = 2.0


class OverloadedSink(RecordingSink):
    """Refuses everything until two seconds after the first request; remembers what it kept and counts what it refused."""

    def __init__(self, fault: errors.AgentError) -> None:
        super().__init__()
        self.refused = 0
        self._fault = fault
        self._until: float | None = None

    async def write(self, export: Export) -> Receipt:
        now = asyncio.get_running_loop().time()
        self._until = self._until or now + OVERLOAD_SECONDS
        if now < self._until:
            self.refused += 1
            raise self._fault
        return await super().write(export)


def span() -> ReadableSpan:
    ended = TracerProvider().get_tracer("t").start_span("s")
    ended.end()
    assert isinstance(ended, ReadableSpan)
    return ended


@pytest.mark.parametrize(
    "make",
    [
        lambda grpc, _http: GrpcExporter(f"http://127.0.0.1:{grpc}", insecure=True),
        lambda _grpc, http: HttpExporter(f"http://127.0.0.1:{http}/v1/traces"),
        lambda _grpc, http: JsonExporter(endpoint=f"http://127.0.0.1:{http}/v1/traces"),
    ],
    ids=["grpc", "http", "json"],
)
@pytest.mark.parametrize("fault", [errors.QueueFull("full"), errors.StoreUnavailable("reopening")], ids=["full", "store"])
def test_an_exporter_passes_through_two_seconds_of_refusals(make: Callable[[int, int], Any], fault: errors.AgentError):
    sink = OverloadedSink(fault)
    house = House(sink)

    async def test() -> None:
        async with (
            asyncio.timeout(30),
            serving_otlp_grpc(GrpcSettings(ANY, drain_seconds=0), house.receiver, SIGNALS) as grpc,
            serving_otlp_http(settings(), house.receiver, SIGNALS) as http,
        ):
            exporters = [make(grpc, http) for _ in range(8)]
            results = await asyncio.gather(*(asyncio.to_thread(one.export, [span()]) for one in exporters))
            for one in exporters:
                one.shutdown()
        assert {SpanExportResult.SUCCESS} == set(results)

    asyncio.run(test())
    assert len(sink.exports) == 8
    assert sink.refused >= 1
