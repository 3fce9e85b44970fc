"""Older than an hour: traces and spans that only a Tempo has, or that both have, and which came from where."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

from coral.agent.v1 import telemetry_query_pb2 as api

from colony.clock import MINUTE_NS
from tests.colony.agents import SetClock, SmallAgent, serving
from tests.colony.rows import SECOND, START, TRACE, span
from tests.colony.upstream.small_tempo import SmallTempo, base, tempo_at
from tests.flow.mcp import asking, first_line, refused, told
from tests.flow.town import colony, in_town
from tests.ports import free_port

NOW = START + MINUTE_NS
ROOT = span("root", START, 9_000_000, kind=api.SPAN_KIND_SERVER)
CHILD = span("call", START + 1000, 5_000_000, parent_span_id=ROOT.span_id, attributes={"card": "scrubbed"})
RAW = span("call", START + 1000, 5_000_000, parent_span_id=ROOT.span_id, attributes={"card": "4111111111111111"})
BANK = span("charge", START + 2000, 3_000_000, parent_span_id=CHILD.span_id, service_name="bank", kind=api.SPAN_KIND_SERVER)
OLD = "a" * 32


def old(name: str, minutes: int, **fields) -> api.Span:
    return span(name, NOW - minutes * MINUTE_NS, 7_000_000, trace_id=OLD, **fields)


@asynccontextmanager
async def both(agent_spans: list[api.Span], tempo_spans: list[api.Span], *, is_down: bool = False):
    """A client of a colony of one agent and a Tempo."""
    clock = SetClock(NOW)
    agent, here = SmallAgent("node-1", clock), SmallTempo(tempo_spans)
    agent.add(*agent_spans)
    async with serving(agent) as endpoint, tempo_at(here.server()) as place:
        url = f"http://127.0.0.1:{free_port()}" if is_down else base(place)
        upstream = json.dumps([{"name": "tempo", "kind": "tempo", "url": url, "deadline": "5s"}])
        async with colony([str(endpoint)], clock, UPSTREAM=upstream) as rooms:
            assert rooms.desk.upstreams is not None
            await rooms.desk.upstreams.settled()
            async with asking(rooms) as client:
                yield client, here


def test_a_trace_is_put_together_from_both_and_each_span_says_where_it_is_from():
    async def body():
        async with both([ROOT, CHILD], [RAW, BANK]) as (client, _):
            text = await told(client, "coral_reconstruct_trace", trace_id=TRACE)
            assert first_line(text).startswith(f"trace {TRACE}: 3 spans, 2 services")
            assert "shop@node-1" in text
            assert "bank@upstream/tempo" in text
            assert "2 spans came from agents, 1 only from upstream/tempo, which no agent scrubbed; 1 that both have" in text
            assert "card=scrubbed" in text
            assert "4111111111111111" not in text, "what an agent scrubbed is not shown as Tempo keeps it"

    in_town(body)


def test_a_trace_that_agents_keep_no_more_comes_from_tempo():
    async def body():
        async with both([ROOT], [old("root", 300), old("late", 299, is_error=True)]) as (client, _):
            text = await told(client, "coral_reconstruct_trace", trace_id=OLD)
            assert first_line(text).startswith(f"trace {OLD}: 2 spans")
            assert "MISSING" not in text
            assert "0 spans came from agents, 2 only from upstream/tempo" in text

    in_town(body)


def test_a_tempo_that_is_down_is_missing_and_agents_answer():
    async def body():
        async with both([ROOT, CHILD], [], is_down=True) as (client, _):
            text = await told(client, "coral_reconstruct_trace", trace_id=TRACE)
            assert first_line(text).startswith(f"trace {TRACE}: 2 spans")
            assert "MISSING 1 of 2 agents: upstream/tempo (unreachable: tempo is down: cannot connect" in text
            spans = await told(client, "coral_query_raw_spans", service_name="shop", time_range="2h")
            assert "2 spans" in first_line(spans)
            assert "upstream/tempo did not answer (unreachable" in spans

    in_town(body)


def test_a_trace_that_nobody_has():
    async def body():
        async with both([ROOT], []) as (client, _):
            text = await told(client, "coral_reconstruct_trace", trace_id=OLD)
            assert "no span of it" in text
            assert "MISSING" not in text

    in_town(body)


def test_spans_before_agents_keep_anything_come_behind_theirs_in_a_block_of_their_own():
    async def body():
        older = [old("root", 90), old("fresh", 2), old("failed", 80, is_error=True, status_message="declined")]
        async with both([ROOT], older) as (client, here):
            text = await told(client, "coral_query_raw_spans", service_name="shop", time_range="2h")
            agents, _, rest = text.partition("\nspans from ")
            assert "@node-1" in agents
            assert "upstream/tempo: 2 spans" in rest
            assert "7.0ms root" in rest
            assert 'failed ERROR "declined"' in rest
            assert "fresh" not in rest, "what is within the hour is the agents'"
            assert "no agent scrubbed these" in rest
            assert "at most 20 traces with 3 spans each" in rest
            assert here.asked[-1][0] == "traceql-search"
            assert 'resource.service.name = "shop"' in here.asked[-1][1]["query"]
            text = await told(client, "coral_query_raw_spans", service_name="shop", time_range="5m")
            assert "upstream/tempo" not in text, "a window that agents keep is theirs"

    in_town(body)


def test_a_service_that_no_agent_has_is_looked_for_in_tempo_and_else_refused():
    async def body():
        async with both([ROOT], [old("GET /", 3, service_name="elsewhere")]) as (client, _):
            text = await told(client, "coral_query_raw_spans", service_name="elsewhere", time_range="5m")
            assert "upstream/tempo: 1 span" in text
            assert 'no agent has the service "shpo"; did you mean shop' in await refused(
                client, "coral_query_raw_spans", service_name="shpo"
            )

    in_town(body)


def test_spans_of_a_trace_are_those_of_both_each_once():
    async def body():
        async with both([ROOT, CHILD], [RAW, BANK]) as (client, _):
            text = await told(client, "coral_query_raw_spans", service_name="*", trace_id=TRACE)
            _, _, rest = text.partition("\nspans of the trace that no agent has")
            assert "upstream/tempo: 1 span" in rest
            assert "charge" in rest
            text = await told(client, "coral_query_raw_spans", service_name="shop", trace_id=TRACE)
            assert "that no agent has from upstream/tempo: none" in text

    in_town(body)


def test_both_blocks_together_keep_the_budget():
    async def body():
        many = [span(f"n{n}", START + n, attributes={"k": "v" * 200}) for n in range(60)]
        older = [
            span(f"o{n}", NOW - 90 * MINUTE_NS, trace_id=f"{n:032x}", status_message="x" * 300, is_error=True)
            for n in range(1, 40)
        ]
        async with both(many, older) as (client, _):
            asked = {"service_name": "shop", "time_range": "3h", "limit": 60}
            result = await client.call_tool("coral_query_raw_spans", asked)
            text = result.content[0].text  # type: ignore[union-attr] # of one block of text
            assert len(text.encode()) + len(json.dumps(result.structured_content)) <= 18_000
            asked = {"service_name": "shop", "time_range": "3h", "limit": 60, "order": "slowest"}
            text = await told(client, "coral_query_raw_spans", **asked)
            assert "upstream/tempo: " in text
            assert SECOND

    in_town(body)
