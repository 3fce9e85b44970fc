"""What is particular to log records and data points: their fields, filters, series and names."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from coral.agent.v1 import telemetry_query_pb2 as api
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    Sum,
    SummaryDataPoint,
)

from agent import schema
from tests.flow.house import SetClock, house, in_house
from tests.flow.signals import flattened
from tests.telemetry import (
    EVERY_VALUE,
    START,
    any_value,
    attributes,
    every_metric,
    full_log,
    gauge,
    log,
    log_request,
    metric_request,
    request,
    span,
)

SINCE = {"start_time": {"seconds": 1}}
OTLP = {"encoding": api.ENCODING_OTLP}


@pytest.mark.parametrize("sealed", [False, True], ids=["in memory", "in a file"])
def test_every_field_of_a_log_record_comes_back_unchanged(tmp_path, sealed):
    bodies = [log(n + 10, body=any_value(value)) for n, value in enumerate(EVERY_VALUE.values())]
    no_body = LogRecord(time_unix_nano=START, observed_time_unix_nano=START)
    sent = log_request(full_log(), *bodies, no_body, log(5, time_unix_nano=0, observed_time_unix_nano=START + 5))

    async def body():
        async with house(tmp_path, SCRUB__PROFILE="off") as agent:
            assert not (await agent.export_logs(sent)).HasField("partial_success")
            got = LogsData.FromString((await agent.logs(**SINCE, **OTLP)).otlp)
            if not sealed:
                assert flattened(sent) == flattened(got)
        async with house(tmp_path, SCRUB__PROFILE="off") as agent:
            got = LogsData.FromString((await agent.logs(**SINCE, **OTLP)).otlp)
            assert flattened(sent) == flattened(got)

    in_house(body)


@pytest.mark.parametrize("sealed", [False, True], ids=["in memory", "in a file"])
def test_every_field_of_every_data_point_comes_back_unchanged(tmp_path, sealed):
    sent = metric_request(*every_metric())

    async def body():
        async with house(tmp_path, SCRUB__PROFILE="off") as agent:
            assert not (await agent.export_metrics(sent)).HasField("partial_success")
            got = MetricsData.FromString((await agent.points(**SINCE, **OTLP)).otlp)
            if not sealed:
                assert flattened(sent) == flattened(got)
        async with house(tmp_path, SCRUB__PROFILE="off") as agent:
            got = MetricsData.FromString((await agent.points(**SINCE, **OTLP)).otlp)
            assert flattened(sent) == flattened(got)

    in_house(body)


OF_FIELD: dict[Any, dict[str, str]] = {
    LogRecord: {
        "time_unix_nano": "time_ns",
        "observed_time_unix_nano": "observed_time_ns",
        "trace_id": "trace_id_high",
    },
    Metric: {
        "name": "metric_name",
        **dict.fromkeys(("gauge", "sum", "histogram", "exponential_histogram", "summary"), "type"),
    },
    Sum: {"data_points": "type", "aggregation_temporality": "temporality"},
    **{
        point: {
            "time_unix_nano": "time_ns",
            "start_time_unix_nano": "start_time_ns",
            "as_int": "int_value",
            "as_double": "double_value",
        }
        for point in (NumberDataPoint, HistogramDataPoint, ExponentialHistogramDataPoint, SummaryDataPoint)
    },
}


@pytest.mark.parametrize("message", OF_FIELD)
def test_every_otlp_field_has_a_column(message):
    table = schema.LOGS if message is LogRecord else schema.POINTS
    for field in message.DESCRIPTOR.fields:
        column = OF_FIELD[message].get(field.name, field.name)
        assert column in table.names, f"{message.DESCRIPTOR.name}.{field.name} would be lost"


LOG_FILTERS: dict[str, tuple[dict[str, Any], set[int]]] = {
    "least severity": ({"min_severity": 13}, {1, 2, 3}),
    "severity of the text alone": ({"min_severity": 17}, {2, 3}),
    "text": ({"text": "needle"}, {4}),
    "text, whatever the case": ({"text": "NEEDLE"}, {4}),
    "text, not ASCII": ({"text": "ÄRGER"}, {5}),
    "percent is literal": ({"text": "100%"}, {6}),
    "underscore is literal": ({"text": "a_b"}, {7}),
    "quotes": ({"text": """'quoted" \\"""}, {8}),
    "inside a body that is no string": ({"text": "inner"}, {9}),
    "trace": ({"trace_id": "07" * 16}, {3}),
    "span": ({"span_id": "08" * 8}, {3}),
    "all of them": ({"text": "needle", "min_severity": 9, "service_name": "checkout"}, {4}),
    "nothing": ({"text": "does not occur"}, set()),
}


def test_every_log_filter_returns_exactly_what_matches(tmp_path):
    sent = log_request(
        log(0),
        log(1, severity_number=13),
        log(2, severity_number=0, severity_text="ERROR"),
        log(3, severity_number=21, trace_id=b"\x07" * 16, span_id=b"\x08" * 8),
        log(4, body=any_value("a Needle in hay")),
        log(5, body=any_value("so ein Ärger")),
        log(6, body=any_value("100% sure")),
        log(7, body=any_value("a_b")),
        log(8, body=any_value("""'quoted" \\""")),
        log(9, body=any_value({"key": ["INNER"]})),
        log(10, body=any_value("1000 sure, axb, 07, trace_id 7 bytes"), trace_id=b"1234567"),
    )

    async def body():
        async with house(tmp_path) as agent:
            assert not (await agent.export_logs(sent)).HasField("partial_success")
            for name, (fields, expected) in LOG_FILTERS.items():
                got = await agent.logs(**SINCE, **fields)
                numbers = {(r.time.ToNanoseconds() - START) // 1000 for r in got.log_records}
                assert (numbers, got.total_count, got.total_is_exact) == (expected, len(expected), True), name

    in_house(body)


def test_text_search_sees_scrubbed_bodies_only(tmp_path):
    async def body():
        async with house(tmp_path) as agent:
            await agent.export_logs(log_request(log(1, body=any_value("mail from bob@example.com")), log(2)))
            for text, found in (("bob", 0), ("bob@example.com", 0), ("mail from", 1), ("example", 0)):
                got = await agent.logs(**SINCE, text=text)
                assert (len(got.log_records), got.total_count) == (found, found), text

    in_house(body)


def test_a_log_without_any_time_is_kept_under_its_arrival(tmp_path):
    async def body():
        async with house(tmp_path, SetClock(START)) as agent:
            await agent.export_logs(log_request(LogRecord(body=any_value("when?"))))
            (record,) = (await agent.logs()).log_records
            assert not record.HasField("time")
            assert not record.HasField("observed_time")

    in_house(body)


def test_metric_filters_and_a_flat_point(tmp_path):
    async def body():
        async with house(tmp_path, SCRUB__PROFILE="off") as agent:
            await agent.export_metrics(metric_request(*every_metric()))
            for fields, names in (
                ({"metric_name": "sum"}, ["sum"]),
                ({"type": api.METRIC_TYPE_GAUGE}, ["gauge"] * 3),
                ({"type": api.METRIC_TYPE_SUMMARY}, ["summary"]),
                ({"metric_name": "sum", "type": api.METRIC_TYPE_GAUGE}, []),
            ):
                got = await agent.points(**SINCE, **fields)
                assert ([p.metric_name for p in got.data_points], got.total_count) == (names, len(names))
            zero, absent = sorted((await agent.points(**SINCE, metric_name="histogram")).data_points, key=lambda p: -p.count)
            assert (zero.HasField("sum"), zero.sum, zero.count) == (True, 0.0, 2**63 + 5)
            assert (list(zero.bucket_counts), list(zero.explicit_bounds)) == ([1, 0, 2**63], [0.5, 5])
            assert not absent.HasField("sum")
            kinds = {
                (p.WhichOneof("value"), p.no_recorded_value)
                for p in (await agent.points(**SINCE, metric_name="gauge")).data_points
            }
            assert kinds == {("int_value", False), ("double_value", False), (None, True)}
            (exponential, _) = (await agent.points(**SINCE, metric_name="exponential")).data_points
            assert exponential.metric_name == "exponential"

    in_house(body)


def test_a_step_thins_a_series_to_last_least_most_and_sum(tmp_path):
    second = 10**9
    start = START // second * second

    def at(offset_seconds: float, value: int, host: str) -> Metric:
        time = start + round(offset_seconds * second)
        return gauge("load", value, time_unix_nano=time, attributes=attributes({"host": host}))

    async def body():
        async with house(tmp_path, SetClock(START)) as agent:
            await agent.export_metrics(metric_request(at(0.1, 5, "a"), at(0.9, 1, "a"), at(2.5, 7, "a"), at(0.5, 3, "b")))
        async with house(tmp_path, SetClock(START)) as agent:  # now in a file; and one more beside it, of the first step
            await agent.export_metrics(metric_request(at(0.95, 9, "a"), gauge("other", 1)))
            window = {"start_time": {"seconds": start // second}, "end_time": {"seconds": start // second + 10}}
            got = await agent.points(**window, metric_name="load", step={"seconds": 1})
            assert [s.attributes["host"] for s in got.series] == ["a", "b"]
            assert not got.data_points
            steps = [(s.time.seconds - start // second, s.points, s.last, s.min, s.max, s.sum) for s in got.series[0].steps]
            assert steps == [(0, 3, 9.0, 1.0, 9.0, 15.0), (2, 1, 7.0, 7.0, 7.0, 7.0)]
            assert (got.total_count, got.has_more) == (2, False)
            for wrong in ({"step": {"nanos": 1}}, {"step": {"seconds": 1}, "encoding": api.ENCODING_OTLP}):
                with pytest.raises(grpc.aio.AioRpcError) as refusal:
                    await agent.points(**window, **wrong)
                assert "step" in (refusal.value.details() or "")

    in_house(body)


def test_names_of_operations_metrics_and_attributes(tmp_path):
    async def body():
        async with house(tmp_path) as agent:
            await agent.export(request(span(1), span(8, status={"code": 2}), span(2, attributes=attributes({"k": 1}))))
            await agent.export_metrics(metric_request(gauge("load", 1, 2, attributes=attributes({"host": "a"}))))
            await agent.export_logs(log_request(log(1, attributes=attributes({"code": "x", "password": "hunter2"}))))
            await agent.export(request(span(3), service="other"))
            got = await agent.names(service_name="checkout")
            operations = [(o.name, o.kind, o.spans, o.errors) for o in got.operations]
            assert operations == [("operation 1", api.SPAN_KIND_SERVER, 2, 1), ("operation 2", api.SPAN_KIND_SERVER, 1, 0)]
            assert [(m.name, m.type, m.unit, m.data_points) for m in got.metrics] == [("load", api.METRIC_TYPE_GAUGE, "1", 2)]
            keys = {(k.signal, k.key): k.example for k in got.attribute_keys}
            assert keys == {
                ("traces", "k"): '{"intValue":"1"}',
                ("metrics", "host"): "a",
                ("logs", "code"): "x",
                ("logs", "password"): "[REDACTED:key]",
            }
            assert not (await agent.names(service_name="nobody")).operations

    in_house(body)
