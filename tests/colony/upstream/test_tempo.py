"""Tempo by its tools, asynchronously and not; each entry of the guide's list of troubles as a user sees it now."""

from __future__ import annotations

import datetime as dt
import threading
from contextlib import asynccontextmanager

import pytest

from colony.errors import InvalidQuestion
from colony.upstream.faults import (
    BadArguments,
    BadQuery,
    BadTime,
    Down,
    NoSuchTool,
    NotFound,
    ProtocolFault,
    ServerFault,
    SessionLost,
    Throttled,
    ToolFailed,
    UpstreamError,
    WrongTool,
)
from colony.upstream.sync import SyncTempo
from colony.upstream.tempo import TempoClient, fault_of_text, rfc3339, tempo_client
from tests.colony.rows import SECOND, START, TRACE, span
from tests.colony.upstream.goish import GENERATIONS, NEW, OLD, Generation
from tests.colony.upstream.servers import Restartable, asked, run, settings
from tests.colony.upstream.small_tempo import SmallTempo, base, tempo_at
from tests.ports import free_port

SPANS = [
    span("root", START, 9_000_000, service_name="shop", attributes={"http.route": "/a"}),
    span("call", START + 1000, 5_000_000, service_name="bank", is_error=True, status_message="declined"),
    span("other", START, trace_id="1".rjust(32, "0")),
]


@asynccontextmanager
async def tempo(here: SmallTempo | None = None, generation: Generation = NEW, tools: int = 9):
    here = here or SmallTempo(list(SPANS))
    async with tempo_at(here.server(generation, tools)) as place, tempo_client(settings(base(place), kind="tempo")) as client:
        yield client, here


@pytest.mark.parametrize("generation", GENERATIONS, ids=lambda one: one.name)
@pytest.mark.parametrize("tools", [7, 9])
def test_every_tool_by_its_method(generation, tools):
    async def body():
        async with tempo(generation=generation, tools=tools) as (client, here):
            found = await client.search('{resource.service.name = "shop"}', START, START + SECOND)
            assert [TRACE, "1".rjust(32, "0")] == [one.trace_id for one in found]
            assert [each.operation_name for each in found[0].spans] == ["root"]
            whole = await client.get_trace(TRACE)
            assert {(each.service_name, each.operation_name, each.is_error) for each in whole.spans} == {
                ("shop", "root", False),
                ("bank", "call", True),
            }
            assert await client.metrics_instant("{} | rate()") == []
            (series,) = await client.metrics_range("{} | rate()")
            assert (len(series.points), series.points[3][1], series.points[4][1]) == (240, 2.5, 0.0)
            assert await client.attribute_names("span") == {"span": ["http.route"]}
            assert await client.attribute_values("span.http.route") == ["/a", "/b", "200"]
            assert (await client.docs()).startswith("# TraceQL")
            assert here.asked[0][1]["start"] == rfc3339(START)

    run(body)


def test_what_a_server_does_not_list_is_not_asked_for_and_unknown_arguments_are_left_out():
    async def body():
        async with tempo() as (client, here):
            with pytest.raises(NoSuchTool, match="it has no tool tempo_query; it has traceql-search"):
                await client._json("tempo_query", {}, None)
            with pytest.raises(BadArguments, match="traceql-search also wants query"):
                await client._json("traceql-search", {}, None)
            await client._json("traceql-search", {"query": "{}", "limit": "5"}, None)
            assert here.asked == [("traceql-search", {"query": "{}"})]

    run(body)


def test_a_missing_trace_is_not_found_though_tempo_says_no_error():
    async def body():
        async with tempo() as (client, _):
            with pytest.raises(NotFound, match="it has no trace"):
                await client.get_trace("f" * 32)
            with pytest.raises(InvalidQuestion, match="hexadecimal"):
                await client.get_trace("zzz")

    run(body)


TEXTS = [
    ("query parse error. Consult TraceQL docs tools: parse error at line 1, col 3: unknown identifier: foo", BadQuery, (1, 3)),
    ("filter-query invalid. one spanset", BadQuery, (None, None)),
    ("TraceQL expression exceeds the configured maximum size of 10 bytes", BadQuery, (None, None)),
    ("TraceQL metrics query received on traceql-search tool. Use the traceql-metrics-instant tool instead", WrongTool, None),
    ("TraceQL search query received on instant query tool. Use the traceql-search tool instead", WrongTool, None),
    ("invalid start time: parsing time", BadTime, None),
    ("tool failed with http status code 400 and reason http parameter start must be before end. received", BadTime, None),
    ("tool failed with http status code 400 and reason trace IDs can only contain hex characters", BadQuery, (None, None)),
    ("tool failed with http status code 404 and reason trace not found", NotFound, None),
    ("tool failed with http status code 429 and reason too many", Throttled, None),
    ("tool failed with http status code 500 and reason boom", ServerFault, None),
    ('required argument "query" not found', ToolFailed, None),
]


@pytest.mark.parametrize(("text", "kind", "position"), TEXTS)
def test_errors_are_texts_and_told_by_kind_and_position(text, kind, position):
    fault = fault_of_text("tempo", text)
    assert type(fault) is kind
    assert text[:40] in fault.message
    if isinstance(fault, BadQuery):
        assert position == (fault.line, fault.column)


def test_times_have_a_zone_and_nothing_of_a_window_is_left_out():
    assert rfc3339(START + 999_999_999) == dt.datetime.fromtimestamp(START // SECOND, dt.UTC).isoformat().replace("+00:00", "Z")

    async def body():
        async with tempo() as (client, here):
            await client.search("{}", START + 1, START + SECOND + 1)
            assert here.asked[-1][1] == {"query": "{}", "start": rfc3339(START), "end": rfc3339(START + 2 * SECOND)}

    run(body)


def test_what_is_no_json_is_a_fault_of_the_server():
    async def body():
        async with tempo(SmallTempo(answers={"traceql-search": ("<html>", False)})) as (client, _):
            with pytest.raises(ProtocolFault, match="did not answer JSON"):
                await client.search("{}")

    run(body)


# The guide's list of troubles.


def test_invalid_session_id_is_never_seen():
    from starlette.responses import PlainTextResponse

    async def body():
        for generation in GENERATIONS:
            server = SmallTempo(list(SPANS)).server(generation)
            async with tempo_at(server) as place, asked(base(place), kind="tempo") as upstream:
                server.refuse.append(PlainTextResponse("Invalid session ID\n", generation.bad_session))
                assert len(await TempoClient(upstream).search("{}")) == 2
                server.refuse += [PlainTextResponse("Invalid session ID\n", generation.bad_session) for _ in range(2)]
                with pytest.raises(SessionLost, match="there: it does not know this session any more"):
                    await TempoClient(upstream).search("{}")

    run(body)


def test_tool_not_available_names_those_that_are():
    async def body():
        async with tempo(tools=7) as (client, _):
            with pytest.raises(NoSuchTool) as refused:
                await client._said("query_traces", {}, None)
            assert "traceql-search, traceql-metrics-instant" in refused.value.message

    run(body)


def test_a_datetime_need_not_be_made_a_text():
    async def body():
        async with tempo() as (client, here):
            moment = dt.datetime(2026, 9, 21, 14, 13, 20, tzinfo=dt.UTC)
            await client.search("{}", int(moment.timestamp()) * SECOND)
            assert here.asked[-1][1]["start"] == "2026-09-21T14:13:20Z"

    run(body)


@asynccontextmanager
async def _served(here: SmallTempo):
    async with tempo_at(here.server(OLD)) as place:
        yield base(place)


def test_no_event_loop_is_closed_under_many_calls_from_many_threads():
    """The server lives on a loop of its own thread; the client under test on another's."""
    import asyncio

    ready, done, urls = threading.Event(), threading.Event(), []

    async def serve():
        async with _served(SmallTempo(list(SPANS))) as url:
            urls.append(url)
            ready.set()
            await asyncio.to_thread(done.wait)

    server = threading.Thread(target=lambda: asyncio.run(serve()))
    server.start()
    assert ready.wait(10)
    results: list[int] = []
    try:
        with SyncTempo(settings(urls[0], kind="tempo")) as tempo:

            def calls():
                results.extend(len(tempo.search("{}")) for _ in range(5))

            threads = [threading.Thread(target=calls) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(20)
            assert len(tempo.get_trace(TRACE).spans) == 2
            assert tempo.metrics_instant("{} | rate()") == []
            assert len(tempo.metrics_range("{} | rate()")) == 1
            assert tempo.attribute_names() == {"span": ["http.route"]}
            assert tempo.attribute_values("span.x", "{}") == ["/a", "/b", "200"]
            with pytest.raises(NotFound):
                tempo.get_trace("f" * 32)
        with pytest.raises(RuntimeError, match="open it first"):
            tempo.search("{}")
    finally:
        done.set()
        server.join(10)
    assert results == [2] * 20
    assert not [thread for thread in threading.enumerate() if thread.name == "coral-tempo"]


def test_a_tempo_that_is_not_there_opens_and_says_so_when_asked():
    with (
        SyncTempo(settings(f"http://127.0.0.1:{free_port()}", kind="tempo")) as tempo,
        pytest.raises(Down, match="cannot connect"),
    ):
        tempo.search("{}")


def test_an_address_with_its_path_is_not_doubled():
    async def body():
        here = SmallTempo(list(SPANS))
        async with tempo_at(here.server()) as place, tempo_client(settings(f"{base(place)}/api/mcp", kind="tempo")) as client:
            assert len(await client.search("{}")) == 2
        wrong = Restartable(lambda: (here.server(path="/other"), None))
        await wrong.start()
        async with tempo_client(settings(base(wrong), kind="tempo")) as client:
            with pytest.raises(UpstreamError, match="HTTP 404: no MCP server at this address; look at url"):
                await client.search("{}")
        await wrong.stop()

    run(body)
