"""Questions to many agents over real gRPC: whoever can know is asked, nobody's failure is the answer's, none is hidden."""

from __future__ import annotations

import asyncio
import time

import grpc
import pytest
import uvloop

from colony.orchestrator import orchestrator
from colony.outcome import Result
from tests.colony.agents import SmallAgent, colony_of, eventually
from tests.colony.orchestrator.asking import NOBODY, agent, asked, names, outcomes, spans
from tests.colony.rows import START, TRACE, span


def test_only_the_agents_that_host_the_service_are_asked():
    async def body():
        one, two, other = agent("a", "x"), agent("b", "y", "z"), agent("c", "w", service="cart")
        async with colony_of(one, two, other) as colony:
            answer = await colony.orchestrator.find(spans(), 5)

            assert names(answer) == ["z", "x", "y"]
            assert outcomes(answer) == {"a": Result.ANSWERED, "b": Result.ANSWERED}
            assert (answer.total, answer.total_is_exact, answer.cursor, answer.missing) == (3, True, "", ())
            assert (asked(one), asked(two), asked(other)) == (1, 1, 0)
            assert [outcome.rows for outcome in answer.outcomes] == [1, 2]

    uvloop.run(body())


def test_one_stopped_one_refusing_and_one_slow_are_each_named_within_the_deadline():
    async def body():
        good = agent("good", "x")
        slow, strict = agent("slow", "y", stuck={"QuerySpans"}), agent("strict", "z")
        strict.refusals["QuerySpans"] = [(grpc.StatusCode.PERMISSION_DENIED, None)]
        async with colony_of(good, slow, strict, NOBODY, deadline=0.5) as colony:
            began = time.monotonic()
            answer = await colony.orchestrator.find(spans(), 1.0)

            assert time.monotonic() - began < 1.0
            assert names(answer) == ["x"]
            assert outcomes(answer) == {
                "127.0.0.1:1": Result.UNREACHABLE,
                "good": Result.ANSWERED,
                "slow": Result.TIMED_OUT,
                "strict": Result.REFUSED,
            }
            assert answer.missing[2].reason == "PERMISSION_DENIED: strict says no [31m", "no control character passes"
            assert not answer.total_is_exact
            await eventually(lambda: slow.cancelled == 1)

    uvloop.run(body())


def test_a_caller_with_little_time_is_answered_within_it():
    async def body():
        async with colony_of(agent("good", "x"), agent("slow", "y", stuck={"QuerySpans"}), deadline=5) as colony:
            began = time.monotonic()
            answer = await colony.orchestrator.find(spans(), 0.3)

            assert time.monotonic() - began < 0.3
            assert (names(answer), [outcome.agent for outcome in answer.missing]) == (["x"], ["slow"])

    uvloop.run(body())


def test_what_a_retry_can_cure_is_asked_again_once_and_nothing_else():
    async def body():
        found = agent("a", "x")
        async with colony_of(found) as colony:
            for refusals, expected, calls in (
                ([(grpc.StatusCode.UNAVAILABLE, None)], Result.ANSWERED, 2),
                ([(grpc.StatusCode.UNAVAILABLE, None)] * 2, Result.UNREACHABLE, 2),
                ([(grpc.StatusCode.CANCELLED, None)], Result.ANSWERED, 2),
                ([(grpc.StatusCode.CANCELLED, None)] * 2, Result.UNREACHABLE, 2),
                ([(grpc.StatusCode.RESOURCE_EXHAUSTED, 0.1)], Result.ANSWERED, 2),
                ([(grpc.StatusCode.RESOURCE_EXHAUSTED, 60.0)], Result.REFUSED, 1),
                ([(grpc.StatusCode.RESOURCE_EXHAUSTED, None)], Result.REFUSED, 1),
                ([(grpc.StatusCode.INVALID_ARGUMENT, None)], Result.REFUSED, 1),
            ):
                found.calls.clear()
                found.refusals["QuerySpans"] = list(refusals)
                answer = await colony.orchestrator.find(spans(), 5)
                found.refusals.clear()
                assert (outcomes(answer), asked(found)) == ({"a": expected}, calls), refusals

    uvloop.run(body())


def test_a_service_that_is_new_is_found_by_polling_again():
    async def body():
        found = agent("a", "x")
        async with colony_of(found) as colony:
            found.add(span("new", service_name="cart"))
            colony.clock.advance(2)
            assert names(await colony.orchestrator.find(spans("cart"), 5)) == ["new"]
            nowhere = await colony.orchestrator.find(spans("nowhere"), 5)
            assert (nowhere.rows, nowhere.outcomes) == ((), ())

    uvloop.run(body())


def test_rows_of_other_services_are_dropped_and_their_sender_is_named():
    async def body():
        liar = agent("liar", "x", listed=["shop"], filters=False)
        liar.add(span("y", service_name="secret"))
        async with colony_of(liar, agent("empty", listed=["shop"])) as colony:
            answer = await colony.orchestrator.find(spans(), 5)
            trace = await colony.orchestrator.trace(TRACE, 5)

            assert names(answer) == ["x"]
            assert answer.warnings == ("liar sent 1 rows of services that were not asked for; they were dropped",)
            assert outcomes(answer) == {"empty": Result.ANSWERED, "liar": Result.ANSWERED}
            assert trace.warnings == ("liar sent spans of secret, a service that it does not list",)
            assert len(trace.trace.nodes) == 2, "it may be new: it is shown, and this is said"

    uvloop.run(body())


def test_an_agent_without_an_inventory_is_asked_whatever_the_service():
    async def body():
        ancient = agent("ancient", "z")
        ancient.refusals["GetDataInfo"] = [(grpc.StatusCode.UNIMPLEMENTED, None)] * 9
        async with colony_of(ancient) as colony:
            (known,) = colony.registry.agents
            assert (known.result, known.name) == (Result.TOO_OLD, str(colony.endpoints[0]))
            assert names(await colony.orchestrator.find(spans(), 5)) == ["z"]

    uvloop.run(body())


def test_the_same_question_is_answered_again_from_the_cache_for_its_caller_alone():
    async def body():
        found = agent("a", "x")
        async with colony_of(found, cache_seconds=30) as colony:
            first = await colony.orchestrator.find(spans(caller="one"), 5)
            assert await colony.orchestrator.find(spans(caller="one"), 5) is first
            assert await colony.orchestrator.find(spans(caller="two"), 5) is not first
            assert asked(found) == 2
            assert colony.counted("cache_hits_total", kind="kept") == 1
            await asyncio.gather(*(colony.orchestrator.find(spans(caller="three"), 5) for _ in range(5)))
            assert asked(found) == 3
            assert colony.counted("cache_hits_total", kind="shared") == 4

    uvloop.run(body())


def test_an_answer_that_misses_an_agent_is_not_kept():
    async def body():
        found = agent("a", "x")
        async with colony_of(found, cache_seconds=30) as colony:
            found.refusals["QuerySpans"] = [(grpc.StatusCode.PERMISSION_DENIED, None)]
            assert (await colony.orchestrator.find(spans(), 5)).nobody_answered
            assert names(await colony.orchestrator.find(spans(), 5)) == ["x"]
            assert colony.counted("questions_total", rpc="QuerySpans", answer="failed") == 1

    uvloop.run(body())


def test_a_question_that_nobody_waits_for_is_cancelled_on_the_agents():
    async def body():
        slow = agent("slow", "x", stuck={"QuerySpans"})
        async with colony_of(slow) as colony:
            async with asyncio.TaskGroup() as tasks:
                waiting = tasks.create_task(colony.orchestrator.find(spans(), 5))
                await eventually(lambda: asked(slow) == 1)
                waiting.cancel()
            await eventually(lambda: slow.cancelled == 1)

    uvloop.run(body())


def test_a_trace_is_put_together_from_every_agent_page_after_page():
    async def body():
        one, two = SmallAgent("a", page=2), SmallAgent("b")
        one.add(*(span(str(n), START + n, span_id=f"{n:016x}", parent_span_id="" if n == 0 else f"{0:016x}") for n in range(5)))
        two.add(span("far", START + 2, span_id="f" * 16, parent_span_id=f"{1:016x}", service_name="payments"))
        async with colony_of(one, two) as colony:
            colony.clock.advance(60)
            answer = await colony.orchestrator.trace(TRACE.upper(), 5)
            trace = answer.trace

            assert [(n.span.operation_name, n.depth, n.agent) for n in trace.nodes] == [
                ("0", 0, "a"), ("1", 1, "a"), ("far", 2, "b"), ("2", 1, "a"), ("3", 1, "a"), ("4", 1, "a"),
            ]  # fmt: skip
            assert (trace.complete, trace.reasons, answer.missing) == (True, (), ())
            assert asked(one) == 3

    uvloop.run(body())


def test_a_trace_with_a_silent_agent_says_what_is_missing():
    async def body():
        one = SmallAgent("a")
        one.add(span("child", parent_span_id="9" * 16))
        async with colony_of(one, NOBODY) as colony:
            answer = await colony.orchestrator.trace(TRACE, 5)

            assert answer.trace.complete is False
            assert answer.trace.reasons == (
                f"1 parent spans are on no agent that answered: {'9' * 16}",
                "1 agents did not answer: 127.0.0.1:1",
            )

    uvloop.run(body())


def test_names_of_all_agents_are_counted_together():
    async def body():
        async with colony_of(agent("a", *"xy"), agent("b", "z")) as colony:
            answer = await colony.orchestrator.names("shop", 5)

            names = answer.names
            assert [(op.name, op.spans, op.errors) for op in names.operations] == [("GET /", 3, 2)]
            assert [(m.name, m.unit, m.description, m.data_points) for m in names.metrics] == [("requests", "1", "a", 10)]
            assert [(k.key, k.signal, k.example, k.records) for k in names.attribute_keys] == [("http.route", "traces", "/", 6)]
            assert list(names.warnings) == ["a: a segment is missing", "b: a segment is missing"]

    uvloop.run(body())


def test_a_trace_that_is_too_large_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch):
    async def body():
        monkeypatch.setattr(orchestrator, "MAX_TRACE_SPANS", 4)
        one = SmallAgent("a", page=2)
        one.add(*(span(str(n), START + n) for n in range(9)))
        async with colony_of(one) as colony:
            trace = (await colony.orchestrator.trace(TRACE, 5)).trace
            assert (trace.complete, trace.reasons[0]) == (False, "the trace has more than these 4 spans")

    uvloop.run(body())


class Stuck(SmallAgent):
    """Has always more, and never sends it."""

    def _page(self, signal, kept, request, response):
        response.has_more, response.next_page_token = True, "the same"
        return response


def test_an_agent_that_says_it_has_more_and_sends_nothing_holds_nobody_up():
    async def body():
        stuck = Stuck("stuck")
        stuck.add(span("a"))
        async with colony_of(stuck, agent("b", "x")) as colony:
            answer = await colony.orchestrator.find(spans(), 5)
            assert names(answer) == ["x"]
            assert answer.warnings == ("stuck says that it has more rows, and does not send them",)
            assert len((await colony.orchestrator.trace(TRACE, 5)).trace.nodes) == 1

    uvloop.run(body())
