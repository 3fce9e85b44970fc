"""What the checklist asks of records and no other test shows: warnings, skewed times, large records, fields of the future."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from agent.batch import Signal
from tests.conformance.wire import field, joined, parts, varint
from tests.flow.house import SetClock, house, in_house
from tests.flow.roundtrip import WIRES, kept, records
from tests.flow.signals import KITS
from tests.telemetry import (
    SECOND,
    START,
    any_value,
    attributes,
    every_metric,
    gauge,
    log,
    log_request,
    metric_request,
    request,
    span,
)

EVER: dict[str, Any] = {"start_time": {"seconds": 0}}
UNSCRUBBED = {"SCRUB__PROFILE": "off"}


@pytest.mark.parametrize("wrong", [b"1234567", b"\0" * 16, b"x" * 17])
def test_a_log_record_with_a_wrong_trace_id_is_kept_without_one(tmp_path, wrong):
    async def body():
        async with house(tmp_path) as agent:
            reply = await agent.export_logs(log_request(log(1, trace_id=wrong, span_id=b"\x08" * 8), log(2, span_id=b"x")))
            assert not reply.HasField("partial_success")
            second, first = (await agent.logs(**EVER)).log_records
            assert (first.trace_id, second.span_id) == ("", "")

    in_house(body)


def test_a_log_record_without_a_time_is_found_and_ordered_by_its_observed_time(tmp_path):
    observed = log(0, time_unix_nano=0, observed_time_unix_nano=START + 1500, body=any_value("observed"))
    window = {
        "start_time": {"seconds": START // SECOND, "nanos": START % SECOND + 1200},
        "end_time": {"seconds": START // SECOND, "nanos": START % SECOND + 1800},
    }

    async def body():
        async with house(tmp_path) as agent:
            await agent.export_logs(log_request(log(2), observed, log(1)))
            whole = [record.body for record in (await agent.logs(**EVER)).log_records]
            assert whole == ["record 2", "observed", "record 1"]
            assert [record.body for record in (await agent.logs(**window)).log_records] == ["observed"]

    in_house(body)


def test_a_sum_or_histogram_without_a_temporality_is_kept_as_it_is_and_its_sender_warned(tmp_path):
    unsaid = every_metric()[1:5]
    for metric in unsaid:
        getattr(metric, metric.WhichOneof("data") or "").aggregation_temporality = 0
    sent = metric_request(*unsaid)

    async def body():
        async with house(tmp_path, **UNSCRUBBED) as agent:
            reply = await agent.export_metrics(sent)
            assert reply.HasField("partial_success")
            assert reply.partial_success.rejected_data_points == 0
            assert "aggregation_temporality" in reply.partial_success.error_message
            assert records(sent) == records(await kept(agent, Signal.METRICS))

    in_house(body)


@pytest.mark.parametrize(("buckets", "bounds"), [([1], [1.0]), ([1, 2, 3], [1.0]), ([], [1.0]), ([1, 2], [])])
def test_a_histogram_whose_buckets_and_bounds_do_not_fit_is_refused(tmp_path, buckets, bounds):
    (metric,) = (one for one in every_metric() if one.name == "histogram")
    metric.histogram.data_points[0].bucket_counts[:] = buckets
    metric.histogram.data_points[0].explicit_bounds[:] = bounds

    async def body():
        async with house(tmp_path) as agent:
            reply = await agent.export_metrics(metric_request(metric))
            assert reply.partial_success.rejected_data_points == 1
            assert "bucket_counts" in reply.partial_success.error_message
            assert len((await agent.points(**EVER)).data_points) == 1

    in_house(body)


def test_a_number_without_a_value_is_refused_unless_its_flag_says_so(tmp_path):
    (unsaid, said) = gauge("unsaid", 1), gauge("said", 2, flags=1)
    for metric in (unsaid, said):
        metric.gauge.data_points[0].ClearField("as_int")

    async def body():
        async with house(tmp_path) as agent:
            reply = await agent.export_metrics(metric_request(unsaid, said))
            assert reply.partial_success.rejected_data_points == 1
            assert [p.metric_name for p in (await agent.points(**EVER)).data_points] == ["said"]

    in_house(body)


@pytest.mark.parametrize("signal", list(Signal))
def test_a_thousand_attributes_and_a_megabyte_of_text_come_back_whole(tmp_path, signal):
    kit = KITS[signal]
    many = attributes({f"key {n} ü": f"value {n}" for n in range(1000)})
    sent = kit.request(kit.record(1, attributes=many), kit.record(2, attributes=attributes({"k": "é" * 500_000})))

    async def body():
        async with house(tmp_path, **UNSCRUBBED) as agent:
            reply = await kit.send(agent, sent)
            assert not reply.HasField("partial_success")
            assert records(sent) == records(await kept(agent, signal))

    in_house(body)


@pytest.mark.parametrize("signal", list(Signal))
def test_fields_of_future_versions_are_ignored_on_every_level(tmp_path, signal):
    kit = KITS[signal]
    sent = kit.request(kit.record(1))
    one = in_the_future(sent.SerializeToString(), (1, 2, 2))

    async def body():
        async with house(tmp_path, **UNSCRUBBED) as agent:
            reply = WIRES[signal].response.FromString(await agent.otlp.unary_unary(WIRES[signal].export)(one))
            assert not reply.HasField("partial_success")
            assert kit.numbers(await kit.ask(agent, **EVER)) == [1]
            (resource,) = getattr(await kept(agent, signal), next(f.name for f in sent.DESCRIPTOR.fields))
            assert resource.resource.attributes[0].value.string_value == "checkout"

    in_house(body)


def in_the_future(octets: bytes, path: tuple[int, ...]) -> bytes:
    """The message with unknown fields at the end of it and of all the messages on ``path``, Resource and scope included."""
    fields = [
        (tag, in_the_future(content, path[1:] if tag == varint(path[0] << 3 | 2) else ()))
        if content is not None and path and tag in {varint(n << 3 | 2) for n in (1, 2)}
        else (tag, content)
        for tag, content in parts(octets) or []
    ]
    return joined(fields) + field(99, b"from the future") + b"\x98\x06\x07"  # 99 again, a varint


def test_string_table_indices_are_ignored_outside_of_profiles(tmp_path):
    sent = request(span(1, attributes=attributes({"plain": "kept"})))
    attribute = sent.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="indexed", key_strindex=3)
    attribute.value.string_value_strindex = 4

    async def body():
        async with house(tmp_path) as agent:
            reply = await agent.export(sent)
            assert reply.partial_success.rejected_spans == 0
            for encoding in (0, 2):
                answer = await agent.spans(**EVER, encoding=encoding)
                assert answer.total_count == 1
            (row,) = (await agent.spans(**EVER)).spans
            assert row.attributes["plain"] == "kept"
            assert row.attributes.get("indexed", "{}") == "{}", "an unset value"

    in_house(body)


def test_a_span_that_ends_before_it_starts_is_kept_as_it_is_and_its_duration_is_shown_as_zero(tmp_path):
    sent = request(span(1, end_time_unix_nano=START - SECOND), span(2), span(3, end_time_unix_nano=0))

    async def body():
        async with house(tmp_path, **UNSCRUBBED) as agent:
            assert not (await agent.export(sent)).HasField("partial_success")
            slowest = await agent.spans(**EVER, order=3)
            assert [row.duration_us for row in slowest.spans] == [5000, 0, 0]
            assert len((await agent.spans(**EVER, min_duration_ms=1)).spans) == 1
            assert records(sent) == records(await kept(agent, Signal.TRACES))

    in_house(body)


@pytest.mark.parametrize("signal", list(Signal))
@pytest.mark.parametrize("time", [1, 2**62, 2**63 - 1], ids=["1970", "2116", "2262"])
def test_an_old_or_future_time_is_kept_by_its_arrival(tmp_path, signal, time):
    kit = KITS[signal]
    name = "start_time_unix_nano" if signal is Signal.TRACES else "time_unix_nano"
    sent = kit.request(kit.record(1, **{name: time}))

    async def body():
        async with house(tmp_path, **UNSCRUBBED) as agent:
            assert not (await kit.send(agent, sent)).HasField("partial_success")
            assert records(sent) == records(await kept(agent, signal))
            answer = await kit.ask(agent, **EVER)
            assert answer.total_count == 1

    in_house(body)


@pytest.mark.parametrize("signal", list(Signal))
def test_records_far_from_their_arrival_are_counted(tmp_path, signal):
    kit = KITS[signal]
    name = "start_time_unix_nano" if signal is Signal.TRACES else "time_unix_nano"
    hour, minute = 3600 * SECOND, 60 * SECOND
    times = [START, START - hour, START + minute, START - hour - 1, START - 9 * hour, START + minute + 1]
    sent = kit.request(*(kit.record(number, **{name: time}) for number, time in enumerate(times, 1)))

    async def body():
        async with house(tmp_path, SetClock(START), **UNSCRUBBED) as agent:
            assert not (await kit.send(agent, sent)).HasField("partial_success")
            async with httpx.AsyncClient(trust_env=False) as client:
                page = (await client.get(f"http://{agent.listening.admin}/metrics")).text
        for direction, count in (("behind", 2.0), ("ahead", 1.0)):
            wanted = f'coral_agent_receiver_skewed_records_total{{direction="{direction}",signal="{signal}"}} {count}'
            assert wanted in page.splitlines()

    in_house(body)


@pytest.mark.parametrize("signal", list(Signal))
def test_entity_references_are_kept(tmp_path, signal):
    kit = KITS[signal]
    sent = kit.request(kit.record(1))
    (groups,) = (getattr(sent, one.name) for one in sent.DESCRIPTOR.fields)
    groups[0].resource.entity_refs.add(type="service", id_keys=["service.name"], description_keys=["service.version"])

    async def body():
        async with house(tmp_path, **UNSCRUBBED) as agent:
            assert not (await kit.send(agent, sent)).HasField("partial_success")
            assert records(sent) == records(await kept(agent, signal))

    in_house(body)
