"""The colony over real agents: one answer of many, each row once, summaries that agree with spans."""

from __future__ import annotations

import asyncio
import math
from contextlib import AsyncExitStack
from typing import Any

import pytest
from coral.agent.v1 import telemetry_query_pb2 as api
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from colony.clock import MINUTE_NS
from colony.outcome import Result
from colony.question import Question
from colony.signals import LOGS, POINTS, SPANS, Signal
from tests.colony.agents import SetClock
from tests.flow.house import House, one_of_many
from tests.flow.town import Town, colony, in_town, town
from tests.telemetry import START, gauge, log, log_request, metric_request, request, span

NOW = START + MINUTE_NS
FAILED = Status(code=Status.STATUS_CODE_ERROR)


def question(signal: Signal = SPANS, limit: int = 100, cursor: str = "", **fields: Any) -> Question:
    return Question(signal, signal.request(**fields), None, limit, cursor)


async def all_pages(here: Town, signal: Signal, limit: int, **fields: Any) -> list[list[Any]]:
    pages, cursor = [], ""
    while True:
        reply = await here.rooms.desk.find(question(signal, limit, cursor, **fields))
        assert reply.answer.missing == ()
        pages.append([sent.row for sent in reply.answer.rows])
        cursor = reply.answer.cursor
        if not cursor:
            return pages


def test_pages_of_every_signal_hold_each_row_of_every_agent_once_while_more_arrives(tmp_path):
    async def body():
        async with town(tmp_path, "n1", "n2", "n3", clock=SetClock(NOW)) as here:
            for at, agent in enumerate(here.agents.values()):
                own = range(at, 300, 3)
                await agent.export(request(*(span(n) for n in own)))
                await agent.export_logs(log_request(*(log(n) for n in own)))
                await agent.export_metrics(metric_request(gauge("g", *own)))
            await here.rooms.desk.registry.poll()

            async def more() -> None:
                for n in range(20):
                    await here.agents["n2"].export(request(span(1000 + n)))

            since: dict[str, Any] = {"start_time": {"seconds": 1}, "service_name": "checkout"}
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(more())
                pages = tasks.create_task(all_pages(here, SPANS, 37, **since))
            numbers = [int(row.span_id, 16) - 1 for page in pages.result() for row in page]
            assert [n for n in numbers if n < 300] == list(range(300))[::-1]
            assert len(set(numbers)) == len(numbers)
            logs = [row.body for page in await all_pages(here, LOGS, 64, **since) for row in page]
            assert logs == [f"record {n}" for n in range(300)][::-1]
            points = [row.int_value for page in await all_pages(here, POINTS, 100, **since) for row in page]
            assert points == list(range(300))[::-1]

    in_town(body)


def test_every_order_is_kept_over_agents(tmp_path):
    async def body():
        async with town(tmp_path, "n1", "n2", clock=SetClock(NOW)) as here:
            for at, agent in enumerate(here.agents.values()):
                spans = [span(n, end_time_unix_nano=START + n * 1000 + (n * 7919) % 1009) for n in range(at, 100, 2)]
                await agent.export(request(*spans))
            await here.rooms.desk.registry.poll()
            since: dict[str, Any] = {"start_time": {"seconds": 1}}
            oldest = await all_pages(here, SPANS, 9, order=api.ORDER_OLDEST, **since)
            slowest = await all_pages(here, SPANS, 9, order=api.ORDER_SLOWEST, **since)

            assert [int(row.span_id, 16) - 1 for page in oldest for row in page] == list(range(100))
            took = [row.end_time.ToNanoseconds() - row.start_time.ToNanoseconds() for page in slowest for row in page]
            assert took == sorted(took, reverse=True)
            assert len(took) == 100

    in_town(body)


def test_one_agent_answers_with_the_same_spans_as_the_colony_in_front_of_it(tmp_path):
    async def body():
        async with town(tmp_path, "n1", clock=SetClock(NOW)) as here:
            await here.agents["n1"].export(request(*(span(n, name=f"user{n}@example.com") for n in range(50))))
            await here.rooms.desk.registry.poll()
            direct = await here.agents["n1"].spans(start_time={"seconds": 1}, limit=50)
            reply = await here.rooms.desk.find(question(start_time={"seconds": 1}))

            assert [sent.row for sent in reply.answer.rows] == list(direct.spans)
            assert reply.answer.rows[0].row.operation_name == "[REDACTED:email]"

    in_town(body)


def test_a_restarted_agent_is_asked_again_and_its_rows_are_there(tmp_path):
    async def body():
        clock = SetClock(NOW)
        since: dict[str, Any] = {"start_time": {"seconds": 1}, "service_name": "checkout"}
        async with AsyncExitStack() as running:
            first = await running.enter_async_context(one_of_many(tmp_path / "n1", clock, AGENT__ID="n1"))
            await first.export(request(span(1)))
            address = first.listening.query
            async with colony([address], clock) as rooms:
                assert len((await rooms.desk.find(question(**since))).answer.rows) == 1
                before = rooms.desk.agents[0].inventory
                await running.aclose()
                gone = await rooms.desk.find(question(**since))
                async with one_of_many(tmp_path / "n1", clock, AGENT__ID="n1", QUERY__ENDPOINT=address) as second:
                    await second.export(request(span(2)))
                    async with asyncio.timeout(20):
                        while rooms.desk.agents[0].inventory is before:
                            await rooms.desk.registry.poll()
                    back = await rooms.desk.find(question(**since))
                    after = rooms.desk.agents[0].inventory

                assert [(outcome.agent, outcome.result) for outcome in gone.answer.outcomes] == [("n1", Result.UNREACHABLE)]
                assert [sent.row.span_id for sent in back.answer.rows] == [f"{3:016x}", f"{2:016x}"]
                assert before is not None
                assert after is not None
                assert before.instance_id != after.instance_id
                assert [known.name for known in rooms.desk.agents] == ["n1"]

    in_town(body)


def minute_of(at_minute: float, number: int, took_ns: int, **fields: Any) -> Span:
    """A span that ended so many minutes after START's minute began."""
    end = START // MINUTE_NS * MINUTE_NS + round(at_minute * MINUTE_NS)
    return span(number, start_time_unix_nano=end - took_ns, end_time_unix_nano=end, **fields)


def test_summaries_agree_with_the_spans_within_the_sketchs_error(tmp_path):
    async def body():
        async with town(tmp_path, "n1", "n2", clock=SetClock(START // MINUTE_NS * MINUTE_NS + 9 * MINUTE_NS)) as here:
            durations = [[(n * 7919 % 997 + 1) * 10**k for n in range(200)] for k in (3, 5)]
            for agent, took in zip(here.agents.values(), durations, strict=True):
                spans = [
                    minute_of(1 + n % 5 + 0.5, n, ns, name="GET /", status=FAILED if n % 10 == 0 else None)
                    for n, ns in enumerate(took)
                ]
                await agent.export(request(*spans))
            await here.rooms.desk.registry.poll()
            await here.rooms.summaries.puller.pull()
            told = await here.rooms.desk.summary("checkout", 10 * MINUTE_NS)
            page = await here.rooms.desk.find(
                question(limit=1000, start_time={"seconds": 1}, service_name="checkout", order=api.ORDER_SLOWEST)
            )

            exact = sorted(s.row.end_time.ToNanoseconds() - s.row.start_time.ToNanoseconds() for s in page.answer.rows)
            (operation,) = told.operations
            assert (operation.operation, operation.kind, told.total_is_requests) == ("GET /", api.SPAN_KIND_SERVER, True)
            assert (told.total.count, told.total.errors) == (400, 40) == (len(exact), 40)
            for share, value in ((0.5, told.total.p50_ns), (0.95, told.total.p95_ns), (0.99, told.total.p99_ns)):
                assert value == pytest.approx(exact[math.ceil(share * 400) - 1], rel=told.relative_error + 1e-9)
            assert [slot.figures.count for slot in told.slots] == [80] * 5
            slowest = page.answer.rows[0].row
            assert operation.slowest_trace_ids[0] == slowest.trace_id
            assert (told.gaps, len(operation.failed_trace_ids)) == ((), 3)

    in_town(body)


async def counted(rooms: Any, last_minutes: int) -> int:
    return (await rooms.desk.summary("checkout", last_minutes * MINUTE_NS)).total.count


def test_a_colony_that_was_away_for_an_hour_fills_the_gap_and_counts_nothing_twice(tmp_path):
    async def body():
        clock = SetClock(START // MINUTE_NS * MINUTE_NS + MINUTE_NS)
        kept = tmp_path / "colony"
        async with one_of_many(tmp_path / "n1", clock, AGENT__ID="n1", STORE__RETENTION="2h") as agent:
            targets = [agent.listening.query]
            await agent.export(request(minute_of(0.5, 1, 10)))
            async with colony(targets, clock, keeps=kept) as rooms:
                await rooms.summaries.puller.pull()
                assert await counted(rooms, 5) == 1
                await agent.export(request(minute_of(0.7, 2, 10)))  # late, within the five minutes
                clock.advance(60)
                await rooms.summaries.puller.pull()
                await rooms.summaries.puller.pull()
                assert await counted(rooms, 5) == 2
            for minute in range(2, 62):
                clock.advance(60)
                await agent.export(request(minute_of(minute + 0.5, 10 + minute, 10)))
            async with colony(targets, clock, keeps=kept) as rooms:
                assert await counted(rooms, 90) == 2, "what was pulled before is still there"
                await rooms.summaries.puller.pull()
                assert await counted(rooms, 90) == 62
                await rooms.summaries.puller.pull()
                assert await counted(rooms, 90) == 62
                told = await rooms.desk.summary("checkout", 60 * MINUTE_NS)
                assert told.gaps == ()

    in_town(body)


def test_what_no_agent_keeps_any_more_is_said_to_be_missing(tmp_path):
    async def body():
        clock = SetClock(START // MINUTE_NS * MINUTE_NS + MINUTE_NS)
        async with one_of_many(tmp_path / "n1", clock, AGENT__ID="n1", STORE__RETENTION="10m") as agent:
            targets, kept = [agent.listening.query], tmp_path / "colony"
            await agent.export(request(minute_of(0.5, 1, 10)))
            async with colony(targets, clock, keeps=kept) as rooms:
                await rooms.summaries.puller.pull()
            clock.advance(30 * 60)
            async with colony(targets, clock, keeps=kept) as rooms:
                await rooms.summaries.puller.pull()
                told = await rooms.desk.summary("checkout", 31 * MINUTE_NS)
                lost = rooms.instruments.registry.get_sample_value("coral_colony_summary_gaps_total")

                assert told.total.count == 1
                assert lost == 20
                assert told.gaps == ("n1: 20 of 31 minutes are missing",)

    in_town(body)


def test_when_no_agent_answers_summaries_are_offered_and_said_to_be_that(tmp_path):
    async def body():
        clock = SetClock(START // MINUTE_NS * MINUTE_NS + 3 * MINUTE_NS)

        async def stopped(agent: House) -> None:
            agent.stop.set()

        async with one_of_many(tmp_path / "n1", clock, AGENT__ID="n1") as agent:
            await agent.export(request(minute_of(1.5, 1, 10, name="GET /"), minute_of(1.5, 2, 30, name="POST /")))
            async with colony([agent.listening.query], clock, AGENTS__DEADLINE="500ms") as rooms:
                await rooms.summaries.puller.pull()
                await stopped(agent)
                async with asyncio.timeout(20):
                    while True:
                        reply = await rooms.desk.find(
                            question(start_time={"seconds": START // 10**9 - 600}, service_name="checkout")
                        )
                        if reply.answer.nobody_answered:
                            break
                assert reply.answer.rows == ()
                assert [outcome.result for outcome in reply.answer.missing] == [Result.UNREACHABLE]
                assert reply.instead is not None
                assert reply.note.startswith("no agent answered: these are one-minute summaries")
                assert (reply.instead.total.count, len(reply.instead.operations)) == (2, 2)

    in_town(body)


def test_clocks_five_minutes_apart_are_told_and_neither_rows_nor_minutes_are_lost(tmp_path):
    async def body():
        right = SetClock(START // MINUTE_NS * MINUTE_NS + 10 * MINUTE_NS)
        behind = SetClock(right.now - 5 * MINUTE_NS)
        async with (
            one_of_many(tmp_path / "right", right, AGENT__ID="right") as one,
            one_of_many(tmp_path / "behind", behind, AGENT__ID="behind") as two,
        ):
            # The same moment, a minute ago, by two clocks; and a call from one to the other.
            client = minute_of(9, 1, 10_000_000, kind=Span.SPAN_KIND_CLIENT, trace_id=b"t" * 16, span_id=b"c" * 8)
            server = minute_of(
                4, 2, 4_000_000, kind=Span.SPAN_KIND_SERVER, trace_id=b"t" * 16, span_id=b"s" * 8, parent_span_id=b"c" * 8
            )
            await one.export(request(client))
            await two.export(request(server))
            async with colony([one.listening.query, two.listening.query], right) as rooms:
                await rooms.summaries.puller.pull()
                asked = Question(SPANS, api.QuerySpansRequest(service_name="checkout"), last_ns=2 * MINUTE_NS)
                found = (await rooms.desk.find(asked)).answer
                trace = (await rooms.desk.trace((b"t" * 16).hex())).trace
                told = await rooms.desk.summary("checkout", 2 * MINUTE_NS)

                assert {sent.agent for sent in found.rows} == {"right", "behind"}
                assert found.shifts_ns["behind"] == pytest.approx(-5 * MINUTE_NS, abs=10**9)
                caller, callee = trace.nodes
                assert caller.start_ns <= callee.start_ns <= callee.end_ns <= caller.end_ns
                assert [(skew.agent, skew.ahead_ns // MINUTE_NS) for skew in trace.skews] == [("behind", -5)]
                assert sum(operation.figures.count for operation in told.operations) == 2

    in_town(body)
