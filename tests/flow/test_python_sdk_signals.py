"""Logs and metrics of the real OpenTelemetry SDK of Python, through its three exporters: what it sent comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from coral.agent.v1 import telemetry_query_pb2 as api
from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, ExponentialBucketHistogramAggregation, View
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from agent.batch import Signal
from tests.flow import python_sdk
from tests.flow.house import House, house, in_house
from tests.flow.python_sdk import PROTOCOLS
from tests.flow.roundtrip import ask, kept, records
from tests.telemetry import START

TRACE_ID, SPAN_ID = 0xABCD << 100 | 7, 0xEF << 50 | 9
VALUES: dict[str, tuple[Any, str]] = {
    "string": ("1", "1"),
    "no string": ("", ""),
    "unicode": ("grüße 🎉\u202e\n", "grüße 🎉\u202e\n"),
    "int": (1, '{"intValue":"1"}'),
    "zero": (0, '{"intValue":"0"}'),
    "largest": (2**63 - 1, '{"intValue":"9223372036854775807"}'),
    "least": (-(2**63), '{"intValue":"-9223372036854775808"}'),
    "double": (1.0, '{"doubleValue":1.0}'),
    "tenth": (0.1, '{"doubleValue":0.1}'),
    "nan": (float("nan"), '{"doubleValue":"NaN"}'),
    "infinity": (float("-inf"), '{"doubleValue":"-Infinity"}'),
    "true": (True, '{"boolValue":true}'),
    "false": (False, '{"boolValue":false}'),
    "bytes": (b"\x00\xff", '{"bytesValue":"AP8="}'),
    "no bytes": (b"", '{"bytesValue":""}'),
    "ints": ([1, 2], '{"arrayValue":{"values":[{"intValue":"1"},{"intValue":"2"}]}}'),
    "mixed": (["a", 1, None], '{"arrayValue":{"values":[{"stringValue":"a"},{"intValue":"1"},{}]}}'),
    "no list": ([], '{"arrayValue":{"values":[]}}'),
    "map": (
        {"a": {"b": [True]}, "c": 2.5},
        '{"kvlistValue":{"values":[{"key":"a","value":{"kvlistValue":{"values":[{"key":"b","value":'
        '{"arrayValue":{"values":[{"boolValue":true}]}}}]}}},{"key":"c","value":{"doubleValue":2.5}}]}}',
    ),
    "no map": ({}, '{"kvlistValue":{"values":[]}}'),
    "none": (None, "{}"),
}
FLAT = {name: flat for name, (_, flat) in VALUES.items()}


def in_span() -> Context:
    context = SpanContext(TRACE_ID, SPAN_ID, is_remote=False, trace_flags=TraceFlags(1))
    return trace.set_span_in_context(NonRecordingSpan(context), Context())


def log(provider: LoggerProvider) -> None:
    """Every kind of body and attribute, every severity, an event, an exception, with and without time and trace."""
    logger = provider.get_logger("library", "3.4", "https://opentelemetry.io/schemas/1.41.0", {"scope": "yes"})
    for name, (value, _) in VALUES.items():
        logger.emit(timestamp=START, observed_timestamp=START + 1, body=value, event_name=f"body {name}")
    attributes = {name: value for name, (value, _) in VALUES.items()}
    logger.emit(timestamp=START, attributes=attributes, event_name="attributes")
    for severity in SeverityNumber:
        logger.emit(timestamp=START, severity_number=severity, severity_text=severity.name, event_name="severity")
    logger.emit(observed_timestamp=START, context=in_span(), body="in a span", event_name="associated")
    logger.emit(timestamp=START, exception=ValueError("no such card"), event_name="exception")
    provider.get_logger("").emit(timestamp=START, body="from no scope")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_logs_come_back_unchanged(tmp_path, protocol):
    async def body():
        async with house(tmp_path, SCRUB__PROFILE="off") as agent:
            sent = await asyncio.to_thread(python_sdk.send_logs, PROTOCOLS[protocol], agent, log)
            assert records(*sent) == records(await kept(agent, Signal.LOGS))
            await flat_logs_say_what_was_logged(agent)
            await filters_find_the_logs(agent)

    in_house(body)


async def flat_logs_say_what_was_logged(agent: House) -> None:
    rows = (await ask(agent, Signal.LOGS)).log_records
    assert len(rows) == len(VALUES) + len(SeverityNumber) + 4
    by_event: dict[str, api.LogRecord] = {row.event_name: row for row in rows}
    for name, text in FLAT.items():
        row = by_event[f"body {name}"]
        assert row.body == text, name
        assert (row.time.ToNanoseconds(), row.observed_time.ToNanoseconds()) == (START, START + 1)
    assert dict(by_event["attributes"].attributes) == FLAT
    severities = {row.severity_number: row for row in rows if row.event_name == "severity"}
    for severity in SeverityNumber:
        assert severities[severity.value].severity_text == severity.name
        assert severities[severity.value].level == severity.value
    row = by_event["associated"]
    assert (row.trace_id, row.span_id, row.flags) == (f"{TRACE_ID:032x}", f"{SPAN_ID:016x}", 1)
    assert not row.HasField("time")
    assert row.observed_time.ToNanoseconds() == START
    exception = by_event["exception"].attributes
    assert (exception["exception.type"], exception["exception.message"]) == ("ValueError", "no such card")
    assert dict(row.resource_attributes) == {"service.name": "checkout", "replicas": '{"intValue":"3"}'}
    assert (row.service_name, row.resource_schema_url) == ("checkout", "https://opentelemetry.io/schemas/1.40.0")
    assert (row.scope.name, row.scope.version, dict(row.scope.attributes)) == ("library", "3.4", {"scope": "yes"})
    assert row.scope.schema_url == "https://opentelemetry.io/schemas/1.41.0"


async def filters_find_the_logs(agent: House) -> None:
    for fields in ({"trace_id": f"{TRACE_ID:032x}"}, {"span_id": f"{SPAN_ID:016X}"}, {"text": "IN A SPAN"}):
        assert [row.event_name for row in (await ask(agent, Signal.LOGS, **fields)).log_records] == ["associated"]
    errors = (await ask(agent, Signal.LOGS, min_severity=SeverityNumber.ERROR.value)).log_records
    assert sorted(row.severity_number for row in errors) == list(range(17, 25))
    for name in VALUES:
        wanted = {"key": name, "value": FLAT[name]}
        assert (await ask(agent, Signal.LOGS, attributes=[wanted])).total_count == 1, name


def log_three_equal_lines(provider: LoggerProvider) -> None:
    for _ in range(3):
        provider.get_logger("library").emit(timestamp=START, observed_timestamp=START, body="tick")


def test_equal_lines_come_back_as_often_as_they_were_logged(tmp_path):
    async def body():
        async with house(tmp_path, SCRUB__PROFILE="off") as agent:
            sent = await asyncio.to_thread(python_sdk.send_logs, PROTOCOLS["grpc"], agent, log_three_equal_lines)
            assert sum(records(*sent).values()) == 3
            assert records(*sent) == records(await kept(agent, Signal.LOGS))

    in_house(body)


def test_an_exact_count_is_the_same_whatever_the_limit(tmp_path):
    async def body():
        async with house(tmp_path, SCRUB__PROFILE="off") as agent:
            await asyncio.to_thread(python_sdk.send_logs, PROTOCOLS["grpc"], agent, log_three_equal_lines)
            counted = [await ask(agent, Signal.LOGS, limit=limit) for limit in (1, 10)]
            assert len({response.total_count for response in counted if response.total_is_exact}) == 1

    in_house(body)


OBSERVED: dict[str, list[Observation]] = {
    "observable_counter": [Observation(5, {"kind": "a"}), Observation(7, {"kind": "b"})],
    "observable_up_down_counter": [Observation(-2.5)],
    "observable_gauge": [Observation(36.6, {"room": 1, "on": True, "floors": [1, 2]})],
}
VIEWS = [
    View(instrument_name="explicit_histogram", aggregation=ExplicitBucketHistogramAggregation([0.5, 10, 100])),
    View(instrument_name="unbounded_histogram", aggregation=ExplicitBucketHistogramAggregation([])),
    View(instrument_name="quiet_histogram", aggregation=ExplicitBucketHistogramAggregation([1], record_min_max=False)),
    View(instrument_name="exponential_histogram", aggregation=ExponentialBucketHistogramAggregation()),
    View(instrument_name="histogram_of_zeros", aggregation=ExponentialBucketHistogramAggregation()),
    View(instrument_name="filtered_counter", attribute_keys={"kept"}),
]


def observe(name: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
    return lambda _: OBSERVED[name]


def measure(provider: MeterProvider, flush: Callable[[], None]) -> None:
    """Every kind of instrument, twice, integers and doubles, inside and outside of a span."""
    meter = provider.get_meter("library", "3.4", "https://opentelemetry.io/schemas/1.41.0", {"scope": "yes"})
    counter = meter.create_counter("counter", "1", "how often")
    doubles = meter.create_counter("counter_of_doubles")
    filtered = meter.create_counter("filtered_counter")
    up_down = meter.create_up_down_counter("up_down_counter", "{item}")
    gauge = meter.create_gauge("gauge", "Cel")
    names = ("default", "explicit", "unbounded", "quiet", "exponential")
    histograms = [meter.create_histogram(f"{name}_histogram", "ms", f"{name} buckets") for name in names]
    zeros = meter.create_histogram("histogram_of_zeros")
    meter.create_observable_counter("observable_counter", [observe("observable_counter")])
    meter.create_observable_up_down_counter("observable_up_down_counter", [observe("observable_up_down_counter")])
    meter.create_observable_gauge("observable_gauge", [observe("observable_gauge")])
    for context in (in_span(), Context()):
        counter.add(2**53 + 1, {"path": "/pay", "status": 200}, context)
        counter.add(0, {"path": "/", "ok": True}, context)
        doubles.add(0.25, context=context)
        filtered.add(1, {"kept": "yes", "left": "in the exemplar"}, context)
        up_down.add(-3, {"queue": "ü"}, context)
        gauge.set(0.0, {"zero": "a value"}, context)
        for histogram in histograms:
            for value in (0, 0.3, 7, 12.5, 1000, 1e-9):
                histogram.record(value, {"path": "/pay"}, context)
        zeros.record(0, context=context)
        flush()


@pytest.mark.parametrize("temporality", ["cumulative", "delta"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_metrics_come_back_unchanged(tmp_path, protocol, temporality):
    wishes = python_sdk.DELTA if temporality == "delta" else {}

    async def body():
        async with house(tmp_path, SCRUB__PROFILE="off") as agent:
            sent = await asyncio.to_thread(python_sdk.send_metrics, PROTOCOLS[protocol], agent, measure, VIEWS, wishes)
            assert len(sent) == 2
            assert records(*sent) == records(await kept(agent, Signal.METRICS))
            rows = (await ask(agent, Signal.METRICS, order=api.ORDER_OLDEST)).data_points
            first: dict[str, api.DataPoint] = {}
            for row in rows:
                first.setdefault(row.metric_name, row)
            flat_numbers_say_what_was_measured(first, temporality)
            flat_histograms_say_what_was_measured(first, temporality)

    in_house(body)


def flat_numbers_say_what_was_measured(first: dict[str, api.DataPoint], temporality: str) -> None:
    wanted = getattr(api, f"AGGREGATION_TEMPORALITY_{temporality.upper()}")
    assert set(first) == {
        *("counter", "counter_of_doubles", "filtered_counter", "up_down_counter", "gauge", *OBSERVED),
        *("default_histogram", "explicit_histogram", "unbounded_histogram", "quiet_histogram", "exponential_histogram"),
        "histogram_of_zeros",
    }
    counter = first["counter"]
    assert (counter.type, counter.temporality, counter.is_monotonic) == (api.METRIC_TYPE_SUM, wanted, True)
    assert (counter.unit, counter.description, counter.service_name) == ("1", "how often", "checkout")
    assert dict(counter.attributes) == {"path": "/pay", "status": '{"intValue":"200"}'}
    assert (counter.WhichOneof("value"), counter.int_value) == ("int_value", 2**53 + 1)
    assert counter.HasField("start_time")
    (exemplar,) = counter.exemplars
    assert (exemplar.int_value, exemplar.trace_id, exemplar.span_id) == (2**53 + 1, f"{TRACE_ID:032x}", f"{SPAN_ID:016x}")
    assert dict(first["filtered_counter"].attributes) == {"kept": "yes"}
    assert dict(first["filtered_counter"].exemplars[0].attributes) == {"left": "in the exemplar"}
    assert first["counter_of_doubles"].double_value == 0.25
    assert (first["up_down_counter"].int_value, first["up_down_counter"].is_monotonic) == (-3, False)
    gauge = first["gauge"]
    assert (gauge.type, gauge.WhichOneof("value"), gauge.double_value) == (api.METRIC_TYPE_GAUGE, "double_value", 0.0)
    assert gauge.temporality == api.AGGREGATION_TEMPORALITY_UNSPECIFIED
    assert first["observable_counter"].int_value == 5
    assert first["observable_up_down_counter"].double_value == -2.5
    assert first["observable_gauge"].attributes["floors"] == FLAT["ints"]


def flat_histograms_say_what_was_measured(first: dict[str, api.DataPoint], temporality: str) -> None:
    wanted = getattr(api, f"AGGREGATION_TEMPORALITY_{temporality.upper()}")
    explicit = first["explicit_histogram"]
    assert (explicit.type, explicit.temporality) == (api.METRIC_TYPE_HISTOGRAM, wanted)
    assert (list(explicit.explicit_bounds), list(explicit.bucket_counts)) == ([0.5, 10, 100], [3, 1, 1, 1])
    assert (explicit.count, explicit.min, explicit.max) == (6, 0, 1000)
    assert explicit.HasField("min")
    assert explicit.sum == pytest.approx(1019.8)
    assert len(explicit.exemplars) == 4, "one for each bucket that counted"
    assert len(first["default_histogram"].explicit_bounds) == 15
    assert (list(first["unbounded_histogram"].explicit_bounds), list(first["unbounded_histogram"].bucket_counts)) == ([], [6])
    assert not first["exponential_histogram"].explicit_bounds
    exponential = first["exponential_histogram"]
    assert (exponential.type, exponential.temporality) == (api.METRIC_TYPE_EXPONENTIAL_HISTOGRAM, wanted)
    assert (exponential.zero_count, exponential.count) == (1, 6)
    assert sum(exponential.positive.bucket_counts) == 5
    assert exponential.HasField("scale")
    zeros = first["histogram_of_zeros"]
    assert (zeros.zero_count, zeros.count, zeros.sum, zeros.HasField("sum")) == (1, 1, 0, True)
