"""The questions of those who asked for this system, answered through MCP by real agents."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from colony.clock import MINUTE_NS
from tests.colony.agents import SetClock
from tests.flow.house import eventually
from tests.flow.mcp import ERAS, MODERN, Client, asking, first_line, refused, served, told
from tests.flow.town import in_town, town
from tests.telemetry import EVERY_VALUE, START, any_value, attributes, gauge, log, log_request, metric_request, request, span

NOW = START + MINUTE_NS
FAILED = Status(code=Status.STATUS_CODE_ERROR, message="card declined")


def order(number: int, took_ms: int, *, charged: bool = True) -> tuple[list[Span], list[Span]]:
    """One order's spans: the shop's, and the payments'."""
    trace, ids = (1000 + number).to_bytes(16, "big"), [(number * 10 + n + 1).to_bytes(8, "big") for n in range(3)]
    begin, took = START + number * 100_000_000, took_ms * 1_000_000

    def made(at: int, name: str, kind: Any, **fields: Any) -> Span:
        times = {"start_time_unix_nano": begin + at * 1_000_000, "end_time_unix_nano": begin + took - at * 1_000_000}
        above = {"parent_span_id": ids[at - 1]} if at else {}
        return span(0, trace_id=trace, span_id=ids[at], name=name, kind=kind, **times, **above, **fields)

    shop = [made(0, "POST /order", Span.SPAN_KIND_SERVER, attributes=attributes({"order": number}))]
    if not charged:
        return shop, []
    shop.append(made(1, "POST /charge", Span.SPAN_KIND_CLIENT))
    failed = {"status": FAILED} if number == 7 else {}
    return shop, [made(2, "POST /charge", Span.SPAN_KIND_SERVER, attributes=attributes(EVERY_VALUE), **failed)]


@asynccontextmanager
async def shops(directory: Any):
    """Twelve orders, of which number 5 is slow, 7 failed, and 9 to 11 were never charged; a log record of each."""
    async with town(directory, "node-1", "node-2", clock=SetClock(NOW)) as here:
        for number in range(12):
            shop, payments = order(number, 900 if number == 5 else 20 + number, charged=number < 9)
            await here.agents["node-1"].export(request(*shop, service="shop"))
            if payments:
                await here.agents["node-2"].export(request(*payments, service="payments"))
            ids = {"trace_id": shop[0].trace_id, "span_id": shop[0].span_id}
            record = log(number, body=any_value(f"order {number} done"), **ids)
            await here.agents["node-1"].export_logs(log_request(record, service="shop"))
        await here.agents["node-2"].export_metrics(metric_request(gauge("bank.latency", 1, 2, 3), service="payments"))
        await here.rooms.desk.registry.poll()
        yield here


def trace_of(number: int) -> str:
    return (1000 + number).to_bytes(16, "big").hex()


@pytest.mark.parametrize("era", ERAS)
def test_the_slowest_requests_of_five_minutes(tmp_path, era):
    async def body():
        async with shops(tmp_path) as here, served(here.rooms) as url, Client(url, mode=era) as client:
            text = await told(client, "coral_query_raw_spans", service_name="shop", order="slowest", limit=2)

            assert first_line(text) == "spans of shop, of the last 5m, slowest first: 2 spans of 21"
            assert [f"T1={trace_of(5)}" in text, "900.0ms POST /order server" in text, "order=5" in text] == [True] * 3

    in_town(body)


def test_all_requests_that_touched_two_services(tmp_path):
    async def body():
        async with shops(tmp_path) as here, asking(here.rooms) as client:
            asked: dict[str, Any] = {"service_name": "shop", "also_service": "payments", "operation_name": "POST /order"}
            text = await told(client, "coral_query_raw_spans", **asked)

            assert {trace_of(n) for n in range(9)} == set(re.findall(r"trace=(\w{32})", text))
            assert "in traces with payments" in first_line(text)
            assert "looked at 12 of 12 spans of shop, in 12 traces" in text

    in_town(body)


def test_the_logs_of_a_trace(tmp_path):
    async def body():
        async with shops(tmp_path) as here, asking(here.rooms) as client:
            text = await told(client, "coral_query_raw_logs", service_name="*", trace_id=trace_of(5))

            assert 'INFO "order 5 done"' in text
            assert "1 log record of 1" in first_line(text)

    in_town(body)


def test_every_attribute_of_a_span(tmp_path):
    async def body():
        async with shops(tmp_path) as here, asking(here.rooms) as client:
            text = await told(client, "coral_reconstruct_trace", trace_id=trace_of(5), span_id="0000000000000035")

            line = next(line for line in text.splitlines() if line.startswith("attributes: "))
            assert [key for key in EVERY_VALUE if f"{key}=" not in line] == []
            assert "cut" not in text
            assert "resource: " in text

    in_town(body)


def test_one_slow_request_is_explained(tmp_path):
    async def body():
        async with shops(tmp_path) as here, asking(here.rooms) as client:
            text = await told(client, "coral_reconstruct_trace", trace_id=trace_of(5))
            failed = await told(client, "coral_reconstruct_trace", trace_id=trace_of(7))

            assert "3 spans, 2 services, 0 errors, 900.0ms" in first_line(text)
            assert first_line(text).endswith("; complete")
            assert re.search(r"^  \*\w+ \+2.0ms 896.0ms S2 POST /charge server", text, re.MULTILINE)
            assert re.search(r'^  \*!\w+ \+2.0ms 23.0ms S2 POST /charge server ERROR "card declined"', failed, re.MULTILINE)

    in_town(body)


def test_summaries_names_services_and_data_points(tmp_path):
    async def body():
        async with shops(tmp_path) as here, asking(here.rooms) as client:
            await here.rooms.summaries.puller.pull(10 * MINUTE_NS)
            summary = await told(client, "coral_query_telemetry_spans", service_name="shop")
            detailed = await told(client, "coral_query_telemetry_spans", service_name="shop", mode="detailed", limit=1)
            names = await told(client, "coral_list_names", service_name="payments")
            services = await told(client, "coral_list_services")
            points = await told(client, "coral_query_raw_metrics", service_name="payments", metric_name="bank.latency")

            assert "requests 12 " in first_line(summary)
            assert f"slow={trace_of(5)}" in summary
            assert "900.0ms POST /order" in detailed
            assert ["POST /charge server (9, 1 errors)" in names, "bank.latency gauge [1] (3)" in names] == [True, True]
            assert [line.split()[0] for line in services.splitlines()[2:4]] == ["payments", "shop"]
            assert ["bank.latency 3 [1]" in points, "3 data points of 3" in first_line(points)] == [True, True]

    in_town(body)


def test_an_agent_that_stops_in_the_middle_is_missed_in_the_first_line(tmp_path):
    async def body():
        async with shops(tmp_path) as here, asking(here.rooms) as client:
            before = await told(client, "coral_reconstruct_trace", trace_id=trace_of(5))
            here.agents["node-2"].stop.set()
            await eventually(lambda: is_gone(here.agents["node-2"].listening.query), "it goes on listening")
            text = await told(client, "coral_reconstruct_trace", trace_id=trace_of(5))

            assert "MISSING" not in before
            assert "MISSING 1 of 2 agents: node-2 (unreachable" in first_line(text)
            assert "may be incomplete" in first_line(text)
            rows = await told(client, "coral_query_raw_spans", service_name="payments", trace_id=trace_of(5))
            assert "MISSING 1 of 1 agents: node-2" in first_line(rows) or "NO AGENT ANSWERED" in first_line(rows)

    in_town(body)


async def is_gone(address: str) -> bool:
    """Whether nobody listens there any more."""
    host, _, port = address.rpartition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return True
    writer.close()
    await writer.wait_closed()
    return False


def test_pages_go_on_behind_the_last_row_that_was_told(tmp_path):
    async def body():
        async with town(tmp_path, "node-1", "node-2", clock=SetClock(NOW)) as here:
            for at, agent in enumerate(here.agents.values()):
                big = attributes({f"key {n}": f"{n}" * 40 for n in range(8)})
                await agent.export(request(*(span(n, attributes=big) for n in range(at, 300, 2)), service="shop"))
            await here.rooms.desk.registry.poll()
            async with asking(here.rooms, MODERN, ANSWER_TOKENS="1000") as client:
                found: list[str] = []
                cursor: dict[str, str] = {}
                while True:
                    text = await told(client, "coral_query_raw_spans", service_name="shop", limit=100, **cursor)
                    found += re.findall(r" span=(\w{16})", text)
                    match = re.search(r"cursor=(\w+)$", text)
                    if not match:
                        break
                    cursor = {"cursor": match[1]}

            assert [f"{n + 1:016x}" for n in range(300)][::-1] == found

    in_town(body)


def test_what_is_misspelt_is_refused_with_what_was_meant(tmp_path):
    async def body():
        async with shops(tmp_path) as here, asking(here.rooms) as client:
            spans = "coral_query_raw_spans"
            assert "did you mean shop?" in await refused(client, spans, service_name="shpo")
            assert "did you mean operation_name?" in await refused(client, spans, service_name="shop", operation="x")
            operation = await refused(client, spans, service_name="shop", operation_name="POST /oder")
            assert "did you mean POST /order" in operation
            metric = await refused(client, "coral_query_raw_metrics", service_name="payments", metric_name="bank.latenzy")
            assert "did you mean bank.latency?" in metric
            assert "did you mean coral_query_raw_logs" in await refused(client, "coral_query_raw_log")
            both = await refused(client, spans, time_range="soon", limit=0)
            assert ["service_name: required" in both, "time_range: write how far" in both, "limit: " in both] == [True] * 3
            assert "cursor is not known" in await refused(client, spans, service_name="shop", cursor="abc")

    in_town(body)
