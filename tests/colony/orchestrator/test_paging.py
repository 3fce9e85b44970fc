"""Pages over many agents: each row once, in one order, whoever falls silent and whatever the clocks say."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
import uvloop
from coral.agent.v1 import telemetry_query_pb2 as api

from colony.errors import InvalidQuestion
from colony.outcome import Result
from colony.question import Question
from colony.signals import LOGS, SPANS
from tests.colony.agents import NOW, Colony, SetClock, SmallAgent, colony_of
from tests.colony.orchestrator.asking import agent, names, outcomes, spans
from tests.colony.rows import SECOND, START, at, log, span


def test_an_agent_that_is_too_old_says_so_and_one_that_cannot_begin_in_the_middle_is_read_again():
    async def body():
        old = agent("old", *"abcdef", page=2, knows_after=False)
        ancient = agent("ancient", "z")
        ancient.refusals["QuerySpans"] = [(grpc.StatusCode.UNIMPLEMENTED, None)] * 9
        async with colony_of(old, ancient) as colony:
            assert [n for page in await pages(colony, 1) for n in page] == list("fedcba")
            answer = await colony.orchestrator.find(spans(), 5)
            assert outcomes(answer) == {"ancient": Result.TOO_OLD, "old": Result.ANSWERED}

    uvloop.run(body())


async def pages(colony: Colony, limit: int, **fields: Any) -> list[list[str]]:
    found, cursor = [], ""
    while True:
        answer = await colony.orchestrator.find(spans(limit=limit, cursor=cursor, **fields), 5)
        found.append(names(answer))
        cursor = answer.cursor
        if not cursor:
            return found


def test_pages_go_on_where_they_ended_on_every_agent_while_rows_arrive():
    async def body():
        one, two = agent("a", *"abcde", page=2), agent("b", *"ABCDE")
        two.add(span("a"))  # the same span that agent a has
        async with colony_of(one, two) as colony:
            first = await colony.orchestrator.find(spans(limit=3), 5)
            one.add(span("late", START + 9 * SECOND))
            rest, cursor = [], first.cursor
            while cursor:
                page = await colony.orchestrator.find(spans(limit=3, cursor=cursor), 5)
                rest += names(page)
                cursor = page.cursor

            assert [*names(first), *rest] == list("eEdDcCbBaA")
            assert "e" in names(first)

    uvloop.run(body())


def test_an_agent_that_was_silent_joins_behind_the_page_and_one_that_falls_silent_keeps_its_place():
    async def body():
        one, two = agent("a", *"abcd"), agent("b", *"ABCD")
        async with colony_of(one, two) as colony:
            two.refusals["QuerySpans"] = [(grpc.StatusCode.PERMISSION_DENIED, None)]
            first = await colony.orchestrator.find(spans(limit=2), 5)
            assert (names(first), len(first.missing)) == (["d", "c"], 1)
            second = await colony.orchestrator.find(spans(limit=2, cursor=first.cursor), 5)
            assert names(second) == ["C", "b"], "its rows behind the cursor"
            one.refusals["QuerySpans"] = [(grpc.StatusCode.PERMISSION_DENIED, None)]
            third = await colony.orchestrator.find(spans(limit=1, cursor=second.cursor), 5)
            assert (names(third), [missing.agent for missing in third.missing]) == (["B"], ["a"])
            fourth = await colony.orchestrator.find(spans(limit=9, cursor=third.cursor), 5)
            assert (names(fourth), fourth.cursor) == (["a", "A"], "")

    uvloop.run(body())


def test_a_cursor_of_another_question_and_an_impossible_question_are_refused():
    async def body():
        async with colony_of(agent("a", *"abc")) as colony:
            first = await colony.orchestrator.find(spans(limit=1), 5)
            with pytest.raises(InvalidQuestion, match="cursor is not one of this question"):
                await colony.orchestrator.find(spans(limit=1, cursor=first.cursor, errors_only=True), 5)
            with pytest.raises(InvalidQuestion, match="32 hexadecimal digits"):
                await colony.orchestrator.trace("xyz", 5)
        with pytest.raises(InvalidQuestion, match="limit is 0; it must be 1 to 1000"):
            spans(limit=0)
        with pytest.raises(InvalidQuestion, match="page_token is for one agent"):
            spans(page_token="x")

    uvloop.run(body())


def test_clocks_five_minutes_apart_neither_hide_rows_nor_disorder_them():
    async def body():
        minutes = 300 * SECOND
        ahead, right = SmallAgent("ahead", ahead_ns=minutes), SmallAgent("right")
        ahead.add(span("second", NOW - 2 * SECOND + minutes, service_name="shop"))
        right.add(span("first", NOW - 3 * SECOND), span("third", NOW - SECOND))
        async with colony_of(ahead, right) as colony:
            question = Question(SPANS, api.QuerySpansRequest(service_name="shop"), last_ns=10 * SECOND, limit=2)
            answer = await colony.orchestrator.find(question, 5)
            assert names(answer) == ["third", "second"]
            assert answer.shifts_ns == {"ahead": pytest.approx(minutes, abs=SECOND)}
            assert colony.registry.agents[0].shift_ns == pytest.approx(minutes, abs=SECOND)
            rest = Question(SPANS, question.request, question.last_ns, 2, answer.cursor)
            assert names(await colony.orchestrator.find(rest, 5)) == ["first"]

    uvloop.run(body())


def test_log_records_are_paged_as_spans_are():
    async def body():
        one, two = SmallAgent("a"), SmallAgent("b")
        one.add(log("1", START + 3), log("3", START + 1))
        two.add(log("2", START + 2), log("4", None, arrival_time=at(START)))
        async with colony_of(one, two) as colony:
            question = Question(LOGS, api.QueryLogsRequest(service_name="shop", end_time=at(NOW)), limit=3)
            first = await colony.orchestrator.find(question, 5)
            rest = await colony.orchestrator.find(Question(LOGS, question.request, None, 3, first.cursor), 5)

            assert [[sent.row.body for sent in page.rows] for page in (first, rest)] == [["1", "2", "3"], ["4"]]

    uvloop.run(body())


def test_a_window_to_the_end_of_time_has_pages_too():
    async def body():
        async with colony_of(agent("a", *"abc"), agent("b", *"ABC")) as colony:
            far: dict[str, Any] = {"start_time": {"seconds": 1}, "end_time": {"seconds": 253_402_300_799}}
            first = await colony.orchestrator.find(spans(limit=4, **far), 5)
            rest = await colony.orchestrator.find(spans(limit=4, cursor=first.cursor, **far), 5)
            assert [*names(first), *names(rest)] == list("cCbBaA")

    uvloop.run(body())


def test_a_wrong_clock_is_taken_as_it_was_on_the_first_page_in_every_order():
    async def body():
        ahead, clock = SmallAgent("ahead", ahead_ns=300 * SECOND, page=2), SetClock()
        ahead.add(*(span(name, NOW + 300 * SECOND - (9 - n) * SECOND, n) for n, name in enumerate("abcdef")))
        others = [agent("b", "x"), agent("c", "y"), agent("d", "z")]
        async with colony_of(ahead, *others, clock=clock) as colony:
            for order in (api.ORDER_NEWEST, api.ORDER_OLDEST, api.ORDER_SLOWEST):
                request = api.QuerySpansRequest(service_name="shop", order=order)
                found, cursor = [], ""
                while True:
                    reply = await colony.orchestrator.find(Question(SPANS, request, 20 * SECOND, 2, cursor), 5)
                    found += names(reply)
                    cursor = reply.cursor
                    ahead.ahead_ns = 0 if ahead.ahead_ns else 300 * SECOND  # somebody sets it right, and wrong again
                    await colony.registry.poll()
                    if not cursor:
                        break
                ahead.ahead_ns = 300 * SECOND
                await colony.registry.poll()
                assert found == list("abcdef" if order == api.ORDER_OLDEST else "fedcba"), order

    uvloop.run(body())


def test_an_agent_with_a_wrong_clock_that_was_silent_joins_in_its_own_time():
    async def body():
        ahead, right = SmallAgent("ahead", ahead_ns=300 * SECOND), SmallAgent("right")
        ahead.add(*(span(name, NOW + (300 - n) * SECOND) for n, name in enumerate("ACE", 1)))
        right.add(*(span(name, NOW - n * SECOND - 1) for n, name in enumerate("bdf", 1)))
        async with colony_of(ahead, right) as colony:
            ahead.refusals["QuerySpans"] = [(grpc.StatusCode.PERMISSION_DENIED, None)]
            request = api.QuerySpansRequest(service_name="shop")
            first = await colony.orchestrator.find(Question(SPANS, request, 20 * SECOND, 1), 5)
            rest = await colony.orchestrator.find(Question(SPANS, request, 20 * SECOND, 9, first.cursor), 5)
            assert (names(first), names(rest)) == (["b"], list("CdEf"))

    uvloop.run(body())
