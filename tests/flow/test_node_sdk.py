"""The real OpenTelemetry SDK of Node with its three exporters: traces, logs and metrics of every kind come back as sent."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from coral.agent.v1 import telemetry_query_pb2 as api

from agent.batch import Signal
from tests.flow.house import House, house, in_house
from tests.flow.roundtrip import WIRES, ask, kept, records
from tests.needs import needs
from tests.otlp_json import message_of_json

NODE = Path(__file__).parent.parent / "node"
START, END = 1_790_000_000_123_456_789, 1_790_000_001_358_024_680
TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
VALUES = {
    "string": "1",
    "no string": "",
    "unicode": "grüße 🎉\u202e\n",
    "int": '{"intValue":"1"}',
    "zero": '{"intValue":"0"}',
    "negative": '{"intValue":"-7"}',
    "safe": '{"intValue":"9007199254740991"}',
    "double": '{"doubleValue":0.1}',
    "nan": '{"doubleValue":"NaN"}',
    "infinity": '{"doubleValue":"-Infinity"}',
    "true": '{"boolValue":true}',
    "false": '{"boolValue":false}',
    "bytes": '{"bytesValue":"AP8="}',
    "list": '{"arrayValue":{"values":[{"intValue":"1"},{"stringValue":"a"},{"boolValue":true},'
    '{"arrayValue":{"values":[{"doubleValue":2.5}]}}]}}',
    "no list": '{"arrayValue":{"values":[]}}',
    "map": '{"kvlistValue":{"values":[{"key":"a","value":{"kvlistValue":{"values":[{"key":"b","value":'
    '{"arrayValue":{"values":[{"boolValue":true}]}}}]}}},{"key":"c","value":{"doubleValue":2.5}}]}}',
}
LOST_IN_JSON = {"nan": "{}", "infinity": "{}"}
"""The JSON exporter writes null where OTLP wants "NaN" and "-Infinity": an unset value arrives."""

SCALARS = {
    "string": "1",
    "int": '{"intValue":"1"}',
    "double": '{"doubleValue":2.5}',
    "true": '{"boolValue":true}',
    "strings": '{"arrayValue":{"values":[{"stringValue":"a"},{"stringValue":"b"}]}}',
    "ints": '{"arrayValue":{"values":[{"intValue":"1"},{"intValue":"2"}]}}',
    "doubles": '{"arrayValue":{"values":[{"doubleValue":1.5},{"doubleValue":2.5}]}}',
    "bools": '{"arrayValue":{"values":[{"boolValue":true},{"boolValue":false}]}}',
}


@pytest.fixture(autouse=True)
def _node() -> None:
    needs(shutil.which("node"), "Node (apt-get install nodejs npm)")
    needs((NODE / "node_modules" / "@opentelemetry").is_dir(), "the Node SDK (make node)")


async def said_by_node(protocol: str, agent: House, *only: str) -> list[dict[str, Any]]:
    """Run the sender; what it says of the requests that were acknowledged."""
    endpoint = f"http://{agent.listening.otlp_grpc if protocol == 'grpc' else agent.listening.otlp_http}"
    command = ["node", str(NODE / "send.mjs"), protocol, endpoint, *only]
    async with asyncio.timeout(50):
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
        output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return [json.loads(line) for line in output.splitlines()]


async def sent_by_node(protocol: str, agent: House) -> dict[Signal, list[Any]]:
    """The requests that were acknowledged."""
    requests: dict[Signal, list[Any]] = {signal: [] for signal in Signal}
    for said in await said_by_node(protocol, agent):
        signal, body = Signal(said["signal"]), base64.b64decode(said["body"])
        kind = WIRES[signal].request
        requests[signal].append(message_of_json(body, kind) if said["encoding"] == "Json" else kind.FromString(body))
    return requests


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf", "http/json"])
def test_what_the_node_sdk_sends_comes_back_unchanged(tmp_path, protocol):
    async def body():
        async with house(tmp_path, SCRUB__PROFILE="off") as agent:
            sent = await sent_by_node(protocol, agent)
            for signal in Signal:
                assert sent[signal]
                assert records(*sent[signal]) == records(await kept(agent, signal)), signal
            spans_say_what_node_did((await ask(agent, Signal.TRACES)).spans)
            wanted = VALUES | LOST_IN_JSON if protocol == "http/json" else VALUES
            logs_say_what_node_logged((await ask(agent, Signal.LOGS)).log_records, wanted)
            for temporality in ("cumulative", "delta"):
                service = f"node-metrics-{temporality}"
                rows = (await ask(agent, Signal.METRICS, service_name=service, order=api.ORDER_OLDEST)).data_points
                metrics_say_what_node_measured(rows, temporality)

    in_house(body)


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf", "http/json"])
def test_a_number_beyond_64_bits_costs_at_most_its_record(tmp_path, protocol):
    async def body():
        async with house(tmp_path) as agent:
            assert await said_by_node(protocol, agent, "large")
            assert "ordinary" in {row.event_name for row in (await ask(agent, Signal.LOGS)).log_records}

    in_house(body)


def spans_say_what_node_did(rows: Any) -> None:
    kinds = {row.operation_name: row.kind for row in rows if row.operation_name != "pay"}
    assert kinds == {f"kind {number}": number + 1 for number in range(5)}, "the SDK counts kinds from 0, OTLP from 1"
    (span,) = (row for row in rows if row.operation_name == "pay")
    assert (span.trace_id, span.parent_span_id, span.service_name) == (TRACE_ID, SPAN_ID, "node-traces")
    assert (span.start_time.ToNanoseconds(), span.end_time.ToNanoseconds()) == (START, END)
    assert dict(span.attributes) == SCALARS
    assert (span.is_error, span.status_message, span.flags & 0xFF) == (True, "card refused", 1)
    retried, exception = span.events
    assert (retried.name, dict(retried.attributes)) == ("retried", {"attempt": '{"intValue":"2"}'})
    assert retried.time.ToNanoseconds() == START + 1
    assert exception.attributes["exception.message"] == "no such card"
    (link,) = span.links
    assert (link.trace_id, link.span_id, dict(link.attributes)) == (TRACE_ID, SPAN_ID, {"link": '{"intValue":"1"}'})
    assert span.resource_attributes["replicas"] == '{"intValue":"3"}'
    assert (span.scope.name, span.scope.version) == ("library", "3.4")
    assert span.scope.schema_url == "https://opentelemetry.io/schemas/1.41.0"


def logs_say_what_node_logged(rows: Any, wanted: dict[str, str]) -> None:
    assert len(rows) == len(wanted) + 26
    by_event = {row.event_name: row for row in rows}
    assert {name: by_event[f"body {name}"].body for name in wanted} == wanted
    assert dict(by_event["attributes"].attributes) == wanted
    row = by_event["body string"]
    assert (row.time.ToNanoseconds(), row.observed_time.ToNanoseconds()) == (START, END)
    severities = {row.severity_number: row.severity_text for row in rows if row.event_name == "severity"}
    assert sorted(severities) == list(range(1, 25))
    assert (severities[1], severities[24]) == ("TRACE", "FATAL4")
    row = by_event["associated"]
    assert (row.trace_id, row.span_id, row.flags, row.body) == (TRACE_ID, SPAN_ID, 1, "in a span")


def metrics_say_what_node_measured(rows: Any, temporality: str) -> None:
    first: dict[str, api.DataPoint] = {}
    for row in rows:
        first.setdefault(row.metric_name, row)
    numbers = {
        name: (row.type, row.is_monotonic, getattr(row, str(row.WhichOneof("value"))))
        for name, row in first.items()
        if row.type in (api.METRIC_TYPE_GAUGE, api.METRIC_TYPE_SUM)
    }
    assert numbers == {
        "counter": (api.METRIC_TYPE_SUM, True, 7),
        "counter_of_doubles": (api.METRIC_TYPE_SUM, True, 0.25),
        "up_down_counter": (api.METRIC_TYPE_SUM, False, -3),
        "gauge": (api.METRIC_TYPE_GAUGE, False, 0),
        "observable_counter": (api.METRIC_TYPE_SUM, True, 5),
        "observable_up_down_counter": (api.METRIC_TYPE_SUM, False, -2.5),
        "observable_gauge": (api.METRIC_TYPE_GAUGE, False, 36.6),
    }
    counter, explicit, exponential = first["counter"], first["explicit"], first["exponential"]
    wanted = getattr(api, f"AGGREGATION_TEMPORALITY_{temporality.upper()}")
    assert {counter.temporality, explicit.temporality, exponential.temporality} == {wanted}
    assert (counter.WhichOneof("value"), counter.unit, counter.description) == ("int_value", "1", "how often")
    assert dict(counter.attributes) == {"path": "/pay", "status": '{"intValue":"200"}'}
    assert first["counter_of_doubles"].WhichOneof("value") == "double_value"
    assert dict(first["observable_counter"].attributes) == SCALARS
    assert (list(explicit.explicit_bounds), list(explicit.bucket_counts)) == ([0.5, 10, 100], [3, 1, 1, 1])
    assert (explicit.count, explicit.min, explicit.max) == (6, 0, 1000)
    assert explicit.HasField("min")
    assert not first["quiet"].HasField("min")
    assert len(first["default"].explicit_bounds) == 15
    assert (exponential.type, exponential.count, exponential.zero_count) == (api.METRIC_TYPE_EXPONENTIAL_HISTOGRAM, 6, 1)
    assert sum(exponential.positive.bucket_counts) == 5
