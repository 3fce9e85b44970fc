"""Single spans from the agents: ``coral_query_raw_spans``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

from coral.agent.v1 import telemetry_query_pb2 as api
from pydantic import Field

from colony.answer.older import share_of, with_older
from colony.answer.rows import Page, tell_spans
from colony.answer.told import Told
from colony.answer.words import time_text
from colony.errors import InvalidQuestion
from colony.merge import Sent
from colony.outcome import Outcome
from colony.question import Answer, Question, without
from colony.signals import SPANS
from colony.tools.arguments import (
    Arguments,
    Attributes,
    Cursor,
    Limit,
    Service,
    TimeRange,
    TraceId,
    filters_of,
    service_of,
    window_ns,
)
from colony.tools.paging import Wanted, near_operations, page_of, paged, question_of, since_ns, unknown_service
from colony.tools.tool import CALLER, Place, Surroundings, Tool

_SCANNED = 200
"""Spans a call looks at when another service must be in the trace too: each trace is asked for."""

_AT_ONCE = 4
"""Traces asked for at a time: agents answer eight queries at once."""


class RawSpans(Arguments):
    """Which spans."""

    service_name: Service
    time_range: TimeRange = "5m"
    trace_id: TraceId = ""
    operation_name: Annotated[str, Field(description="Exact span name")] = ""
    min_duration_ms: Annotated[int, Field(ge=0)] = 0
    errors_only: bool = False
    also_service: Annotated[str, Field(description="Only spans whose trace also touched this service")] = ""
    attributes: Attributes = Field(default_factory=dict)
    order: Literal["newest", "oldest", "slowest"] = "newest"
    limit: Limit = 20
    cursor: Cursor = ""


def request_of(asked: RawSpans) -> api.QuerySpansRequest:
    """As agents are asked."""
    return api.QuerySpansRequest(
        service_name=service_of(asked.service_name),
        trace_id=asked.trace_id or None,
        operation_name=asked.operation_name or None,
        min_duration_ms=asked.min_duration_ms or None,
        errors_only=asked.errors_only or None,
        attributes=filters_of(asked.attributes),
        order=f"ORDER_{asked.order.upper()}",
    )


def _what(asked: RawSpans) -> str:
    filters = [
        "failed" if asked.errors_only else "",
        f"{asked.min_duration_ms}ms or longer" if asked.min_duration_ms else "",
        f"of {asked.operation_name[:60]}" if asked.operation_name else "",
        f"in traces with {asked.also_service[:60]}" if asked.also_service else "",
        f"of trace {asked.trace_id}" if asked.trace_id else f"of the last {asked.time_range}",
        f"{asked.order} first",
    ]
    return f"spans of {asked.service_name[:60]}, " + ", ".join(part for part in filters if part)


async def _answer(here: Surroundings, asked: RawSpans) -> Told:
    """Agents' spans, and behind them in a block of their own those that only an upstream can still have."""
    if here.desk.history is None or asked.also_service:
        return await _from_agents(here, asked, [], is_alone=True)
    pages: list[Page] = []
    room = here.answer_tokens - share_of(here.answer_tokens)
    told = await _from_agents(replace(here, answer_tokens=room), asked, pages, is_alone=False)
    window = _older_window(here, asked, pages[-1].answer if pages else None)
    portion = await here.desk.older(request_of(asked), *window, asked.limit) if window else None
    if window is None or portion is None:
        return told
    if pages:
        portion = replace(portion, rows=without(portion.rows, pages[-1].answer.rows))
    if not told.rows and not portion.rows and portion.outcome.has_answered:
        await _refuse_unknown(here, asked, told)
    return with_older(told, portion, _of_window(asked, window), share_of(here.answer_tokens))


def _older_window(here: Surroundings, asked: RawSpans, answer: Answer | None) -> tuple[int | None, int | None] | None:
    """What agents may not have: all of it when one is missing or none has a row, else what lies before they keep anything.

    Of the newest only behind agents' last page, of others only beside the first.
    """
    now = here.clock.now_ns()
    start, end = (now - window_ns(asked.time_range), now) if answer is None else (answer.start_ns, answer.end_ns)
    if asked.trace_id:
        return None if asked.cursor else (None, None)
    if answer is None:
        return start, end
    if (answer.cursor and asked.order == "newest") or (asked.cursor and asked.order != "newest"):
        return None
    if answer.missing or not (answer.rows or asked.cursor):
        return start, end
    since = since_ns(here, answer)
    if start is None or since is None or since <= start:
        return None
    return start, since if end is None else min(since, end)


def _of_window(asked: RawSpans, window: tuple[int | None, int | None]) -> str:
    if asked.trace_id:
        return "spans of the trace that no agent has"
    start, end = (time_text(at) if at is not None else "now" for at in window)
    return f"spans from {start} to {end}"


async def _from_agents(here: Surroundings, asked: RawSpans, pages: list[Page], *, is_alone: bool) -> Told:
    def tell(page: Page, tokens: int) -> Told:
        pages.append(page)
        return tell_spans(page, tokens)

    last_ns = None if asked.trace_id else window_ns(asked.time_range)
    wanted = Wanted(SPANS, request_of(asked), last_ns, asked.limit, asked.cursor, _what(asked), "span")
    told = await (_with_another(here, wanted, asked) if asked.also_service else paged(here, wanted, tell))
    if is_alone:
        await _refuse_unknown(here, asked, told)
    return told


async def _refuse_unknown(here: Surroundings, asked: RawSpans, told: Told) -> None:
    """Refuse an answer without rows of something that nobody has.

    Raises:
        InvalidQuestion: proposes the names that are near.
    """
    if told.rows or told.structured.get("missing_count"):
        return
    service = service_of(asked.service_name)
    reasons = [unknown_service(here, service), unknown_service(here, asked.also_service)]
    if asked.operation_name and not any(reasons):
        reasons.append(await near_operations(here, service, asked.operation_name))
    for reason in filter(None, reasons):
        raise InvalidQuestion(reason)


async def _with_another(here: Surroundings, wanted: Wanted, asked: RawSpans) -> Told:
    """The spans of one page whose traces have a span of the other service: exact, since each trace is asked for."""
    question, place = question_of(here, replace(wanted, limit=_SCANNED))
    answer = (await here.desk.find(question)).answer
    traces = list(dict.fromkeys(sent.row.trace_id for sent in answer.rows))
    touched, missing = await _touched(here, traces, asked.also_service)
    rows = [sent for sent in answer.rows if sent.row.trace_id in touched]
    outcomes = {one.agent: one for one in (*answer.outcomes, *missing)}
    answer = replace(answer, outcomes=tuple(outcomes[name] for name in sorted(outcomes)))
    note = f"looked at {len(answer.rows)} of {answer.total} spans of {asked.service_name[:60]}, in {len(traces)} traces"
    cursor = here.bookmarks.put(Place(answer.cursor, place.start_ns, place.end_ns)) if answer.cursor else ""
    return tell_spans(
        _filtered(here, wanted, answer, rows[: asked.limit], [note, *_over(rows, asked.limit)], cursor), here.answer_tokens
    )


def _over(rows: Sequence[Sent], limit: int) -> list[str]:
    return [f"{len(rows) - limit} more match on this page: raise limit to see them"] if len(rows) > limit else []


def _filtered(
    here: Surroundings, wanted: Wanted, answer: Answer, rows: Sequence[Sent], notes: Sequence[str], cursor: str
) -> Page:
    found = replace(answer, rows=tuple(rows), total=len(rows), total_is_exact=not answer.cursor)
    return page_of(here, wanted, found, cursor, notes)


async def _touched(here: Surroundings, traces: Sequence[str], service: str) -> tuple[set[str], list[Outcome]]:
    """Which of these traces have a span of the service, and the agents that did not say."""
    found: set[str] = set()
    missing: list[Outcome] = []
    places = asyncio.Semaphore(_AT_ONCE)

    async def look(trace_id: str) -> None:
        async with places:
            request = api.QuerySpansRequest(service_name=service, trace_id=trace_id)
            answer = (await here.desk.find(Question(SPANS, request, None, 1, "", CALLER))).answer
        missing.extend(answer.missing)
        if answer.rows:
            found.add(trace_id)

    async with asyncio.TaskGroup() as tasks:
        for trace_id in traces:
            tasks.create_task(look(trace_id))
    return found, missing


TOOL = Tool(
    "coral_query_raw_spans",
    "Single spans",
    "Single spans with attributes and events, from the agents. Slowest requests: order=slowest. Failed: errors_only. Requests "
    "that touched two services: also_service. The window goes by START time: a long request that has just ended began "
    "earlier, so widen time_range for it. With trace_id all that is kept is searched.",
    RawSpans,
    _answer,
)
