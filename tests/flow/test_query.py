"""Asking: every filter, order and page, against a running agent."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from coral.agent.v1 import telemetry_query_pb2 as api

from tests.flow.house import House, house, ids, in_house
from tests.telemetry import SECOND, START, attributes, request, span

SINCE: dict[str, Any] = {"start_time": {"seconds": 1}}


FILTERS: dict[str, tuple[dict[str, Any], set[int]]] = {
    "service": ({"service_name": "payment"}, {10}),
    "service, trimmed and normalised": ({"service_name": " cafe\u0301 "}, {11}),
    "operation": ({"operation_name": "operation 3"}, {3}),
    "trace": ({"trace_id": "0" * 31 + "5"}, {4}),
    "trace, upper case": ({"trace_id": "AB" * 16}, {12}),
    "slow": ({"min_duration_ms": 2000}, {5}),
    "slow, inclusive": ({"min_duration_ms": 3000}, {5}),
    "quick": ({"max_duration_ms": 1}, {6}),
    "errors": ({"errors_only": True}, {7}),
    "errors_only false is no filter": ({"errors_only": False}, set(range(14))),
    "kind": ({"kind": api.SPAN_KIND_CLIENT}, {8}),
    "attribute, text": ({"attributes": [{"key": "code", "value": "500"}]}, {9, 13}),
    "attribute, typed": ({"attributes": [{"key": "code", "value": '{"intValue":"500"}'}]}, {9}),
    "attribute, every one": (
        {"attributes": [{"key": "code", "value": "500"}, {"key": "ok", "value": "false"}]},
        {9},
    ),
    "attribute that is not there": ({"attributes": [{"key": "code", "value": "501"}]}, set()),
    "window": (
        {"start_time": {"nanos": (START + 3000) % SECOND, "seconds": (START + 3000) // SECOND}},
        set(range(3, 14)),
    ),
    "window, half open": (
        {"end_time": {"nanos": (START + 3000) % SECOND, "seconds": (START + 3000) // SECOND}},
        {0, 1, 2},
    ),
    "service that is not there": ({"service_name": "nobody"}, set()),
}


def sample() -> list[Any]:
    def number(n: int, **fields: object):
        return span(n, **{"name": f"operation {n}"} | fields)

    checkout = [number(n) for n in range(5)] + [
        number(5, end_time_unix_nano=START + 5000 + 3 * SECOND),
        number(6, end_time_unix_nano=START + 6000 + 1),
        number(7, status={"code": 2}),
        number(8, kind=3),
        number(9, attributes=attributes({"code": 500, "ok": False})),
        number(12, trace_id=bytes.fromhex("ab" * 16)),
        number(13, attributes=attributes({"code": "500"})),
    ]
    return [
        request(*checkout),
        request(number(10), service="payment"),
        request(number(11), service="caf\u00e9"),
    ]


@pytest.mark.parametrize("sealed", [False, True], ids=["in memory", "in a file"])
def test_every_filter_returns_exactly_what_matches(tmp_path, sealed):
    async def ask(agent: House) -> None:
        for name, (fields, expected) in FILTERS.items():
            got = await agent.spans(**(SINCE if not fields.keys() & {"start_time", "end_time"} else {}) | fields)
            numbers = {(s.start_time.ToNanoseconds() - START) // 1000 for s in got.spans}
            assert numbers == expected, name
            assert got.total_count == len(expected), name
            assert got.total_is_exact, name
            assert not got.has_more, name
            assert not got.warnings, name

    async def body():
        async with house(tmp_path) as agent:
            for message in sample():
                await agent.export(message)
            if not sealed:
                await ask(agent)
        if sealed:
            async with house(tmp_path) as agent:
                await ask(agent)

    in_house(body)


@pytest.mark.parametrize(
    ("order", "key", "reverse"),
    [
        (api.ORDER_NEWEST, "start_time", True),
        (api.ORDER_UNSPECIFIED, "start_time", True),
        (api.ORDER_OLDEST, "start_time", False),
        (api.ORDER_SLOWEST, "duration_us", True),
    ],
)
def test_orders_pages_and_offsets_agree(tmp_path, order, key, reverse):
    spans = [span(n, end_time_unix_nano=START + n * 1000 + (n * 7919 % 500) * 1000) for n in range(500)]

    async def body():
        async with house(tmp_path) as agent:
            for part in (spans[300:], spans[:300]):
                await agent.export(request(*part))
            whole = await agent.spans(**SINCE, order=order)
            keys = [getattr(s, key) if key == "duration_us" else s.start_time.ToNanoseconds() for s in whole.spans]
            assert keys == sorted(keys, reverse=reverse)
            assert whole.total_count == len(keys) == 500
            by_token: list[str] = []
            token = ""
            while True:
                page = await agent.spans(**SINCE, order=order, limit=73, page_token=token)
                by_token += ids(page.spans)
                assert page.total_count == 500
                if not page.has_more:
                    break
                token = page.next_page_token
            assert by_token == ids(whole.spans)
            by_offset = [
                span_id
                for offset in range(0, 500, 73)
                for span_id in ids((await agent.spans(**SINCE, order=order, limit=73, offset=offset)).spans)
            ]
            assert by_offset == ids(whole.spans)
            beyond = await agent.spans(**SINCE, order=order, offset=500)
            assert (len(beyond.spans), beyond.total_count, beyond.has_more) == (0, 500, False)

    in_house(body)


def test_without_times_the_last_five_minutes_and_with_a_trace_id_all_that_is_kept(tmp_path):
    async def body():
        async with house(tmp_path) as agent:
            await agent.export(request(span(1)))
            assert ids((await agent.spans()).spans) == []
            assert ids((await agent.spans(trace_id="0" * 31 + "2")).spans) == ["0" * 15 + "2"]

    in_house(body)


def test_an_equal_span_is_shown_once_and_a_different_one_of_the_same_ids_too(tmp_path):
    async def body():
        async with house(tmp_path) as agent:
            await agent.export(request(span(1)))
            await agent.export(request(span(1), span(2)))  # the first again, in other company
            await agent.export(request(span(1, name="other")))
            got = await agent.spans(**SINCE, order=api.ORDER_OLDEST)
            assert sorted(s.operation_name for s in got.spans) == ["operation 1", "operation 2", "other"]
            token, seen = "", []
            while True:
                page = await agent.spans(**SINCE, order=api.ORDER_OLDEST, limit=1, page_token=token)
                seen += [s.operation_name for s in page.spans]
                if not page.has_more:
                    break
                token = page.next_page_token
            assert sorted(seen) == ["operation 1", "operation 2", "other"]

    in_house(body)


def test_the_same_request_counts_once_and_gets_the_first_reply_after_a_restart_too(tmp_path):
    sent = request(span(1), span(2, trace_id=b"short"))

    async def body():
        async with house(tmp_path) as agent:
            first = await agent.export(sent)
            assert first.partial_success.rejected_spans == 1
            assert await agent.export(sent) == first
        async with house(tmp_path) as agent:
            assert await agent.export(sent) == first
            got = await agent.spans(**SINCE)
            assert (got.total_count, len(got.spans)) == (1, 1)

    in_house(body)


REFUSED = {
    "limit": ({"limit": -1}, "limit"),
    "offset": ({"offset": -1}, "offset"),
    "trace id": ({"trace_id": "xyz"}, "trace_id"),
    "short trace id": ({"trace_id": "ab"}, "trace_id"),
    "window": ({"start_time": {"seconds": 9}, "end_time": {"seconds": 9}}, "start_time"),
    "duration": ({"min_duration_ms": -1}, "min_duration_ms"),
    "order": ({"order": 17}, "order"),
    "token": ({"page_token": "garbage"}, "page_token"),
    "attribute": ({"attributes": [{"key": "", "value": "x"}]}, "attributes"),
}


@pytest.mark.parametrize("fields", REFUSED.values(), ids=REFUSED.keys())
def test_a_field_that_cannot_be_is_refused_by_name(tmp_path, fields):
    wrong, name = fields

    async def body():
        async with house(tmp_path) as agent:
            with pytest.raises(grpc.aio.AioRpcError) as refusal:
                await agent.spans(**wrong)
            assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert name in (refusal.value.details() or "")

    in_house(body)


def test_a_page_token_of_another_query_is_refused(tmp_path):
    async def body():
        async with house(tmp_path) as agent:
            await agent.export(request(*(span(n) for n in range(5))))
            token = (await agent.spans(**SINCE, limit=2)).next_page_token
            for fields in ({"errors_only": True}, {"order": api.ORDER_OLDEST}, {"offset": 1}):
                with pytest.raises(grpc.aio.AioRpcError) as refusal:
                    await agent.spans(**SINCE, limit=2, page_token=token, **fields)
                assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT

    in_house(body)


def test_a_limit_above_the_maximum_is_lowered_with_a_warning(tmp_path):
    async def body():
        async with house(tmp_path, QUERY__MAX_LIMIT="10") as agent:
            await agent.export(request(*(span(n) for n in range(20))))
            got = await agent.spans(**SINCE, limit=15)
            assert (len(got.spans), got.total_count, got.has_more) == (10, 20, True)
            assert "10" in got.warnings[0]

    in_house(body)


def test_a_page_is_cut_before_the_reply_is_too_large_and_a_single_row_is_shortened(tmp_path):
    large = [span(n, attributes=attributes({"k": "x" * 30_000})) for n in range(5)]
    huge = span(9, attributes=attributes({"k": "x" * 300_000, "after": 1}), start_time_unix_nano=START - 1)

    async def body():
        for encoding in (api.ENCODING_FLAT, api.ENCODING_OTLP):
            async with house(tmp_path / str(encoding), QUERY__MAX_REPLY_BYTES="64KiB") as agent:
                await agent.export(request(*large, huge))
                token, pages = "", 0
                warnings: list[str] = []
                while True:
                    page = await agent.spans(**SINCE, page_token=token, encoding=encoding)
                    assert page.ByteSize() <= 64 * 1024
                    assert page.total_count == 6
                    pages, warnings = pages + 1, [*warnings, *page.warnings]
                    if not page.has_more:
                        break
                    token = page.next_page_token
                assert pages >= 4
                assert len(warnings) == 1

    in_house(body)
