"""What one question asks of its agents: no more than it needs, in the time that there is; and what it says of each."""

from __future__ import annotations

import asyncio
from typing import Any

import uvloop
from coral.agent.v1 import telemetry_query_pb2 as api

from colony.orchestrator.asking import Asker, AskSettings
from colony.outcome import Result
from tests.colony.agents import SmallAgent, colony_of, eventually
from tests.colony.orchestrator.asking import agent, asked, names, spans
from tests.colony.rows import START, TRACE, span


class Damaged(SmallAgent):
    """Says on each page that a segment is missing, and how much of the page is there."""

    def _page(self, *page: Any) -> Any:
        response = super()._page(*page)
        response.warnings.extend(["a segment is missing", f"{len(response.spans)} spans"])
        return response


def test_an_answer_says_what_an_agent_left_out_on_any_page_and_how_many_rows_came_from_it():
    async def body():
        damaged = Damaged("damaged", page=2)
        damaged.add(*(span(name, START + at) for at, name in enumerate("abc")))
        async with colony_of(damaged) as colony:
            for answer in (await colony.orchestrator.find(spans(), 5), await colony.orchestrator.trace(TRACE, 5)):
                outcome = answer.outcomes[0]
                assert outcome.warnings == ("a segment is missing", "2 spans", "1 spans")
                assert (outcome.result, outcome.rows) == (Result.ANSWERED, 3)

    uvloop.run(body())


def test_an_agent_that_has_most_of_a_page_is_asked_again_for_what_the_page_still_needs():
    async def body():
        many, few = SmallAgent("many"), [agent(name, "x") for name in "abc"]
        many.add(*(span(str(at), START + at) for at in range(200, 300)))
        async with colony_of(many, *few) as colony:
            answer = await colony.orchestrator.find(spans(limit=100), 5)

            assert [str(at) for at in range(299, 199, -1)] == names(answer)
            assert [request.limit for rpc, request in many.calls if rpc == "QuerySpans"] == [58, 42]
            assert [asked(each) for each in few] == [1, 1, 1]

    uvloop.run(body())


def test_an_agent_that_finds_no_place_in_time_is_named_and_one_that_finds_one_is_asked():
    async def body():
        slow, good = agent("slow", "x", stuck={"QuerySpans"}), agent("good", "y")
        async with colony_of(slow, good) as colony, asyncio.TaskGroup() as tasks:
            known = {each.name: each for each in colony.registry.agents}
            asker, request = Asker(colony.registry, AskSettings(5.0, 1)), api.QuerySpansRequest()
            waiting = tasks.create_task(asker.asking(5).each([known["slow"]], lambda each: _rows(asker, each, request)))
            await eventually(lambda: asked(slow) == 1)

            late = asker.asking(0.2)
            await late.each([known["good"]], lambda each: late.call(each, "QuerySpans", request))
            assert {outcome.agent: outcome.result for outcome in late.outcomes} == {"good": Result.TIMED_OUT}
            assert late.outcomes[0].reason == "too many requests to agents were under way to ask it"
            assert frozenset({"good"}) == late.silent

            waiting.cancel()
            await eventually(lambda: slow.cancelled == 1)
            assert await _rows(asker, known["good"], request) == ["y"]

    uvloop.run(body())


async def _rows(asker: Asker, known: Any, request: Any) -> list[str]:
    response = await asker.asking(5).call(known, "QuerySpans", request)
    return [row.operation_name for row in response.spans]
