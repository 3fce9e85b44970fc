"""Against a real Tempo: traces are sent by OTLP, asked for by its MCP server and by its HTTP API, and compared.

``TEMPO_URL`` is where it answers, ``TEMPO_OTLP`` where it takes OTLP over HTTP; ``TEMPO_TENANT`` and ``TEMPO_TOKEN`` as needed.
Its MCP server must be on (``query_frontend.mcp_server.enabled``). Searches find a trace after 10 to 30 s: two minutes are given.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, TypeVar

import httpx
import pytest
from coral.agent.v1 import telemetry_query_pb2 as api
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from colony.signals import time_ns
from colony.upstream import traceql
from colony.upstream.credentials import Credentials
from colony.upstream.faults import BadQuery, NotFound, UpstreamError, WrongTool
from colony.upstream.series import series
from colony.upstream.settings import UpstreamSettings, http_url
from colony.upstream.shapes import found_traces, whole_trace
from colony.upstream.tempo import TempoClient, tempo_client
from tests.telemetry import attributes, request

TEMPO, OTLP = os.environ.get("TEMPO_URL", ""), os.environ.get("TEMPO_OTLP", "")
pytestmark = pytest.mark.skipif(
    not (TEMPO and OTLP), reason="set TEMPO_URL and TEMPO_OTLP to compare with a real Tempo (make tempo-check)"
)
Got = TypeVar("Got")
SERVICE = f"coral-check-{secrets.token_hex(4)}"
SECOND = 1_000_000_000
_SEARCHABLE_SECONDS = 120


def headers() -> dict[str, str]:
    found = {"X-Scope-OrgID": os.environ["TEMPO_TENANT"]} if "TEMPO_TENANT" in os.environ else {}
    return found | ({"Authorization": f"Bearer {os.environ['TEMPO_TOKEN']}"} if "TEMPO_TOKEN" in os.environ else {})


@cache
def sent() -> list[Span]:
    """Three traces, one with an id that begins with zeros; sent once."""
    start = time.time_ns() - 5 * SECOND  # noqa: TID251 Tempo's own clock
    spans = []
    for number in range(3):
        trace = bytes(2) + secrets.token_bytes(14) if number == 0 else secrets.token_bytes(16)
        above = b""
        for depth in range(4):
            begin = start + number * SECOND + depth * 1_000_000
            span_id = secrets.token_bytes(8)
            spans.append(
                Span(
                    trace_id=trace,
                    span_id=span_id,
                    parent_span_id=above,
                    name=f'step "{depth}" of {number}',
                    kind=Span.SPAN_KIND_SERVER if not depth else Span.SPAN_KIND_INTERNAL,
                    start_time_unix_nano=begin,
                    end_time_unix_nano=begin + (20 - depth) * 1_000_000 + 1,
                    attributes=attributes({"number": number, "text": 'a "quoted" \\ text', "yes": True, "half": 0.5}),
                    status=Status(code=Status.STATUS_CODE_ERROR, message="no") if (number, depth) == (1, 3) else Status(),
                )
            )
            above = span_id
    body = request(*spans, service=SERVICE).SerializeToString()
    answer = httpx.post(
        f"{OTLP.rstrip('/')}/v1/traces", content=body, headers={"content-type": "application/x-protobuf", **headers()}
    )
    answer.raise_for_status()
    return spans


@asynccontextmanager
async def tempo() -> AsyncIterator[TempoClient]:
    sent()
    environ = {"TOKEN": os.environ.get("TEMPO_TOKEN", "")}
    tenant = {name: value for name, value in headers().items() if name != "Authorization"}
    credentials = Credentials(token_env="TOKEN" if environ["TOKEN"] else "", headers=tenant, environ=environ)
    async with tempo_client(
        UpstreamSettings("tempo", "tempo", TEMPO, credentials=credentials, deadline_seconds=30.0)
    ) as client:
        yield client


def by_http(path: str, **query: Any) -> Any:
    answer = httpx.get(f"{http_url(TEMPO)}{path}", params=query, headers=headers(), timeout=30)
    answer.raise_for_status()
    return answer.json()


def run(body: Callable[[TempoClient], Awaitable[Got]]) -> Got:
    async def opened() -> Got:
        async with tempo() as client:
            return await body(client)

    return asyncio.run(opened())


async def until(ask: Callable[[], Awaitable[Got]], holds: Callable[[Got], bool]) -> Got:
    """Ask until it holds, for as long as a search may lag behind."""
    async with asyncio.timeout(_SEARCHABLE_SECONDS):
        while True:
            found = await ask()
            if holds(found):
                return found
            await asyncio.sleep(2)


def facts(span: api.Span) -> tuple[Any, ...]:
    times = time_ns(span.start_time), time_ns(span.end_time)
    ids = span.trace_id, span.span_id, span.parent_span_id
    return (
        *ids,
        span.service_name,
        span.operation_name,
        *times,
        span.kind,
        span.is_error,
        span.status_message,
        *sorted(span.attributes.items()),
    )


def test_it_is_connected_to_and_lists_its_tools():
    async def body(client: TempoClient) -> set[str]:
        return {tool.name for tool in client._server.tools}

    assert {"traceql-search", "get-trace", "traceql-metrics-range", "get-attribute-names"} <= run(body)


def test_a_trace_by_mcp_is_what_was_sent_and_what_both_http_addresses_say():
    for trace in {span.trace_id.hex() for span in sent()}:

        async def whole(client: TempoClient, wanted: str = trace) -> list[api.Span]:
            async def get() -> list[api.Span]:
                try:
                    return list((await client.get_trace(wanted)).spans)
                except NotFound:
                    return []

            return await until(get, lambda spans: len(spans) == 4)

        told = sorted(facts(span) for span in run(whole))
        ids = sorted(span.span_id.hex() for span in sent() if span.trace_id.hex() == trace)
        assert ids == sorted(fact[1] for fact in told)
        for path in (f"/api/v2/traces/{trace}", f"/api/traces/{trace}"):
            found = whole_trace(by_http(path))
            assert found is not None
            assert told == sorted(facts(span) for span in found.spans), path


def test_a_search_by_mcp_finds_what_the_http_api_finds():
    query = traceql.search(traceql.Spans(service=SERVICE, attributes={"text": 'a "quoted" \\ text'}))
    wanted = {span.trace_id.hex() for span in sent()}

    async def body(client: TempoClient) -> set[str]:
        found = await until(lambda: client.search(query), lambda found: len(found) == 3)
        return {one.trace_id for one in found}

    assert wanted == run(body)
    assert wanted == {one.trace_id for one in found_traces(by_http("/api/search", q=query))}


@pytest.mark.parametrize(
    ("spans", "count"),
    [
        (traceql.Spans(service=SERVICE, errors_only=True), 1),
        (traceql.Spans(service=SERVICE, operation='step "0" of 1'), 1),
        (traceql.Spans(service=SERVICE, attributes={"number": "2"}), 1),
        (traceql.Spans(service=SERVICE, attributes={"yes": "true"}), 3),
        (traceql.Spans(service=SERVICE, least_ns=3600 * SECOND), 0),
        (traceql.Spans(service=f'{SERVICE}" || true || "'), 0),
    ],
)
def test_conditions_find_what_they_say(spans, count):
    async def body(client: TempoClient) -> int:
        every = traceql.search(traceql.Spans(service=SERVICE))
        await until(lambda: client.search(every), lambda found: len(found) == 3)
        return len(await client.search(traceql.search(spans)))

    assert count == run(body)


def test_figures_by_mcp_are_those_of_the_http_api():
    query = traceql.rate(traceql.Spans(service=SERVICE), [traceql.attribute("service.name", "resource")])
    start = sent()[0].start_time_unix_nano - 60 * SECOND
    end = start + 180 * SECOND

    async def body(client: TempoClient) -> Any:
        return await until(lambda: client.metrics_range(query, start, end), bool)

    by_mcp = run(body)
    answer = by_http("/api/metrics/query_range", q=query, start=start // SECOND, end=-(-end // SECOND))
    assert [dict(one.labels) for one in by_mcp] == [dict(one.labels) for one in series(answer)]


def test_names_values_and_documentation():
    async def body(client: TempoClient) -> tuple[dict[str, list[str]], list[str], str]:
        every = traceql.search(traceql.Spans(service=SERVICE))
        await until(lambda: client.search(every), lambda found: len(found) == 3)
        names = await client.attribute_names("resource")
        values = await client.attribute_values(traceql.attribute("service.name", "resource"))
        return names, values, await client.docs()

    names, values, docs = run(body)
    assert "service.name" in names.get("resource", [])
    assert SERVICE in values
    assert "TraceQL" in docs


@pytest.mark.parametrize(
    ("ask", "kind"),
    [
        (lambda client: client.search("{foo}"), BadQuery),
        (lambda client: client.search("{} | rate()"), WrongTool),
        (lambda client: client.metrics_range("{}"), UpstreamError),
        (lambda client: client.get_trace("f" * 32), NotFound),
    ],
)
def test_errors_are_of_their_kind(ask, kind):
    async def body(client: TempoClient) -> None:
        with pytest.raises(kind) as refused:
            await ask(client)
        assert not isinstance(refused.value, BadQuery) or refused.value.line == 1

    run(body)
