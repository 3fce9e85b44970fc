"""The real OpenTelemetry SDK of Python with its three exporters, and what the command line says of what it sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter as JsonExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.span import TraceState
from typer.testing import CliRunner

from agent.cli.commands import commands
from tests.flow.house import House, house, in_house

START = 1_790_000_000_123_456_789
ATTRIBUTES: dict[str, Any] = {
    "string": "1",
    "int": 1,
    "double": 1.0,
    "bool": True,
    "strings": ["a", "b"],
    "ints": [1, 2],
    "doubles": [1.0, 2.5],
    "bools": [True, False],
    "largest": 2**63 - 1,
    "bytes": b"\x00\xff",
}
FLAT = {
    "string": "1",
    "int": '{"intValue":"1"}',
    "double": '{"doubleValue":1.0}',
    "bool": '{"boolValue":true}',
    "strings": '{"arrayValue":{"values":[{"stringValue":"a"},{"stringValue":"b"}]}}',
    "ints": '{"arrayValue":{"values":[{"intValue":"1"},{"intValue":"2"}]}}',
    "doubles": '{"arrayValue":{"values":[{"doubleValue":1.0},{"doubleValue":2.5}]}}',
    "bools": '{"arrayValue":{"values":[{"boolValue":true},{"boolValue":false}]}}',
    "largest": '{"intValue":"9223372036854775807"}',
    "bytes": '{"bytesValue":"AP8="}',
}
EXPORTERS: dict[str, Callable[[House], SpanExporter]] = {
    "grpc": lambda agent: GrpcExporter(endpoint=agent.listening.otlp_grpc, insecure=True),
    "http/protobuf": lambda agent: HttpExporter(endpoint=f"http://{agent.listening.otlp_http}/v1/traces"),
    "http/json": lambda agent: JsonExporter(endpoint=f"http://{agent.listening.otlp_http}/v1/traces"),
}


def send(exporter: SpanExporter) -> str:
    """One span with all that the SDK can say; its trace id."""
    provider = TracerProvider(
        resource=Resource({"service.name": "checkout", "service.version": "1.2"}),
        span_limits=SpanLimits(max_events=64),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    other = SpanContext(7, 8, is_remote=True, trace_flags=TraceFlags(1), trace_state=TraceState([("k", "v")]))
    tracer = provider.get_tracer("library", "3.4", attributes={"scope": "yes"})
    span = tracer.start_span(
        "pay", kind=SpanKind.CLIENT, attributes=ATTRIBUTES, links=[Link(other, {"link": 1})], start_time=START
    )
    span.add_event("retried", {"attempt": 2}, timestamp=START + 1)
    span.set_status(Status(StatusCode.ERROR, "card refused"))
    span.end(end_time=START + 1_234_567_891)
    provider.shutdown()
    return f"{span.get_span_context().trace_id:032x}"


def ask(agent: House, *words: str) -> Any:
    """What the command line prints as JSON."""
    result = CliRunner().invoke(commands, [*words, "--output", "json", "--target", agent.listening.query])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize("protocol", EXPORTERS)
def test_a_span_of_the_python_sdk_comes_back_unchanged(tmp_path, protocol):
    async def body():
        async with house(tmp_path) as agent:
            trace_id = await asyncio.to_thread(lambda: send(EXPORTERS[protocol](agent)))
            answer = await asyncio.to_thread(ask, agent, "spans", "--trace-id", trace_id)
        (span,) = answer["spans"]
        assert span["attributes"] == FLAT
        assert (span["trace_id"], span["operation_name"], span["kind"]) == (trace_id, "pay", "SPAN_KIND_CLIENT")
        assert span["start_time"] == "2026-09-21T14:13:20.123456789Z"
        assert span["end_time"] == "2026-09-21T14:13:21.358024680Z"
        assert (span["duration_us"], span["is_error"], span["status_message"]) == ("1234567", True, "card refused")
        (event,) = span["events"]
        assert (event["name"], event["time"]) == ("retried", "2026-09-21T14:13:20.123456790Z")
        assert event["attributes"] == {"attempt": '{"intValue":"2"}'}
        (link,) = span["links"]
        assert (link["trace_id"], link["span_id"]) == (f"{7:032x}", f"{8:016x}")
        assert link["attributes"] == {"link": '{"intValue":"1"}'}
        assert span["resource_attributes"] == {"service.name": "checkout", "service.version": "1.2"}
        assert (span["scope"]["name"], span["scope"]["version"]) == ("library", "3.4")
        assert answer["total_count"] == 1

    in_house(body)


def test_info_says_which_services_are_kept(tmp_path):
    async def body():
        async with house(tmp_path, AGENT__ID="node-7") as agent:
            await asyncio.to_thread(lambda: send(EXPORTERS["grpc"](agent)))
            info = await asyncio.to_thread(ask, agent, "info")
        assert info["agent_id"] == "node-7"
        (traces,) = info["signals"]
        assert (traces["signal"], traces["rows"]) == ("traces", "1")
        (service,) = traces["services"]
        assert (service["service_name"], service["earliest_time"]) == ("checkout", "2026-09-21T14:13:20.123456789Z")

    in_house(body)
