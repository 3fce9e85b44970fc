"""What the checklist asks of the doors and no other test shows: ids in JSON, defaults, the metrics page, a delay honoured."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from agent import errors
from agent.batch import Export, Receipt
from agent.config.model import Config
from agent.receive.otlp_grpc import GrpcSettings, serving_otlp_grpc
from agent.status import RETRY_DELAY_SECONDS
from tests.agent.receive.calling import ANY, JSON, PROTOBUF, json_spans, send, status
from tests.agent.receive.recording import SIGNALS, RecordingSink, run, spans
from tests.agent.receive.recording import House as Receiving
from tests.flow.house import House, house, in_house

TRACE_ID = "5b8efff798038103d269b633813fc60c"
EVER: dict[str, Any] = {"start_time": {"seconds": 0}}


async def post(agent: House, *written: dict[str, Any]) -> Any:
    """These spans as JSON; the answer."""
    async with httpx.AsyncClient(base_url=f"http://{agent.listening.otlp_http}", trust_env=False) as client:
        answer = await client.post("/v1/traces", content=json_spans(*written), headers={"content-type": JSON})
    assert answer.status_code == 200
    return answer.json()


def test_an_id_in_upper_and_in_lower_case_is_one_id_and_base64_is_none(tmp_path):
    lower = {"traceId": TRACE_ID, "spanId": "eee19b7ec3c1b174", "name": "lower", "parentSpanId": ""}
    upper = {"traceId": TRACE_ID.upper(), "spanId": "EEE19B7EC3C1B173", "name": "upper", "parentSpanId": "EEE19B7EC3C1B174"}
    base64 = {"traceId": "W47/95gDgQPSabYzgT/GDA==", "spanId": "7uGbfsPBsXQ=", "name": "base64"}

    async def body():
        async with house(tmp_path) as agent:
            answer = await post(agent, lower, upper, base64)
            assert answer["partialSuccess"]["rejectedSpans"] == "1"
            assert "trace_id" in answer["partialSuccess"]["errorMessage"]
            found = (await agent.spans(**EVER, trace_id=TRACE_ID)).spans
            assert {row.operation_name: row.parent_span_id for row in found} == {"lower": "", "upper": "eee19b7ec3c1b174"}

    in_house(body)


def test_what_the_node_sdk_writes_without_need_is_taken(tmp_path):
    written: dict[str, Any] = {
        "traceId": TRACE_ID,
        "spanId": "eee19b7ec3c1b174",
        "name": "node",
        "kind": 1,
        "status": {"code": 0},
        **dict.fromkeys(("droppedAttributesCount", "droppedEventsCount", "droppedLinksCount"), 0),
        **{name: [] for name in ("attributes", "events", "links")},
        "startTimeUnixNano": "1790000000123456789",
        "endTimeUnixNano": "1790000000123456790",
        "flags": 257,
    }

    async def body():
        async with house(tmp_path) as agent:
            assert await post(agent, written) == {}
            (row,) = (await agent.spans(**EVER)).spans
            assert (row.operation_name, row.dropped_attributes_count, row.is_error) == ("node", 0, False)

    in_house(body)


@pytest.mark.parametrize("media", [PROTOBUF, JSON])
@pytest.mark.parametrize(
    ("code", "content", "some"),
    [
        (400, b"\xff", {}),
        (404, b"", {"path": "/v1/nothing"}),
        (405, b"", {"method": "GET"}),
        (413, b"{" * 2000, {"max_request_body_size": 1000}),
        (503, None, {}),
    ],
)
def test_every_error_is_a_status_with_a_message_in_the_encoding_of_the_request(media, code, content, some):
    receiving = Receiving(RecordingSink(errors.StoreUnavailable("no disk")))
    whole = spans(1) if media == PROTOBUF else json_spans({"traceId": "01" * 16, "spanId": "02" * 8})
    answer = send(receiving, whole if content is None else content, media, **some)
    assert (answer.status_code, answer.headers["content-type"]) == (code, media)
    assert status(answer).message


def test_by_default_every_door_is_on_loopback():
    config = Config()
    doors = (config.otlp.grpc.endpoint, config.otlp.http.endpoint, config.query.endpoint, config.admin.endpoint)
    assert [str(door) for door in doors] == [f"127.0.0.1:{port}" for port in (4317, 4318, 4319, 4320)]


def test_the_metrics_page_is_what_prometheus_reads(tmp_path):
    async def body():
        async with house(tmp_path) as agent:
            await agent.otlp.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")(spans(2))
            async with httpx.AsyncClient(trust_env=False) as client:
                page = (await client.get(f"http://{agent.listening.admin}/metrics")).text
        families = {family.name: family for family in text_string_to_metric_families(page)}
        (sample,) = (s for s in families["coral_agent_receiver_accepted_spans"].samples if s.name.endswith("_total"))
        assert (sample.labels, sample.value) == ({"transport": "grpc"}, 2)
        assert all(family.documentation for family in families.values())

    in_house(body)


class _FullOnce(RecordingSink):
    """Refuses the first export, and keeps the others."""

    async def write(self, export: Export) -> Receipt:
        receipt = await super().write(export)
        if len(self.exports) == 1:
            raise errors.QueueFull("full")
        return receipt


def test_the_python_exporter_comes_again_after_the_delay_that_it_is_told():
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    provider.get_tracer("library").start_span("once").end()

    async def test() -> None:
        sink = _FullOnce()
        async with serving_otlp_grpc(GrpcSettings(endpoint=ANY), Receiving(sink).receiver, SIGNALS) as port:
            exporter = OTLPSpanExporter(endpoint=f"127.0.0.1:{port}", insecure=True)
            began = time.monotonic()
            result = await asyncio.to_thread(exporter.export, memory.get_finished_spans())
            waited = time.monotonic() - began
            await asyncio.to_thread(exporter.shutdown)
        assert result is SpanExportResult.SUCCESS
        assert len(sink.exports) == 2
        assert RETRY_DELAY_SECONDS - 0.1 < waited < RETRY_DELAY_SECONDS + 3

    run(test())
