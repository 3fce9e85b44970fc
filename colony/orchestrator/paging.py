"""One page of one question: each agent's rows behind its place, merged, and the cursor of the page behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from coral.agent.v1 import telemetry_query_pb2 as api

from colony.clock import SECOND_NS
from colony.cursor import Cursor
from colony.merge import Merge, Page, Place, Stream, behind
from colony.orchestrator.asking import Asking
from colony.outcome import Result
from colony.question import DEFAULT_LAST_NS, Answer, Question, normal
from colony.registry.agents import Known
from colony.signals import Request, Row, is_descending

_LAST_POSITION = 2**63 - 1
_SPARE_ROWS = 8


@dataclass(frozen=True, slots=True)
class Window:
    """Half-open, in the colony's time; None is no bound."""

    start_ns: int | None
    end_ns: int | None


def window_of(question: Question, now_ns: int) -> Window:
    """The window of a question, fixed, so that every page has the same."""
    request = question.request
    start = request.start_time.ToNanoseconds() if request.HasField("start_time") else None
    end = request.end_time.ToNanoseconds() if request.HasField("end_time") else None
    if question.last_ns is None and (start is not None or end is not None or _is_of_a_trace(request)):
        return Window(None if start is None else _bounded(start), None if end is None else _bounded(end))
    # The newest spans begin now; an end in front of the clocks' differences lets none of them be missed.
    return Window(now_ns - (question.last_ns or DEFAULT_LAST_NS), now_ns + SECOND_NS)


def _bounded(time_ns: int) -> int:
    """A Timestamp reaches from the year 1 to 9999, a place of ours only from 1677 to 2262; beyond, nothing is."""
    return max(-(2**63), min(time_ns, _LAST_POSITION))


def _is_of_a_trace(request: Request) -> bool:
    return "trace_id" in request.DESCRIPTOR.fields_by_name and bool(getattr(request, "trace_id", ""))


def first_limit(limit: int, agents: int) -> int:
    """How many rows each of several agents is asked for at first: twice its share.

    Rows cost agents most. One that has more of the page than that is asked again, for as many as the page may need.
    """
    return limit if agents <= 2 else min(limit, -(-2 * limit // agents) + _SPARE_ROWS)


@dataclass(slots=True)
class Paging:
    """The making of one page."""

    question: Question
    mark: str
    asking: Asking
    window: Window
    cursor: Cursor | None = None
    warnings: list[str] = field(default_factory=list)
    _streams: dict[str, Stream] = field(default_factory=dict)
    _tokens: dict[str, str] = field(default_factory=dict)
    _totals: list[tuple[int, bool]] = field(default_factory=list)
    _foreign: Counter[str] = field(default_factory=Counter)
    _first_limit: int = 0
    _shifts: dict[str, int] = field(default_factory=dict)

    async def run(self, agents: Iterable[Known], now_ns: int) -> Answer:
        """The page."""
        cursor, order = self.cursor, self.question.request.order
        wanted = {known.name: known for known in agents if cursor is None or known.name not in cursor.done}
        for name in cursor.places if cursor else ():
            if name not in wanted:
                self.asking.fail(name, Result.UNREACHABLE, "it is known no more")
        self._first_limit = first_limit(self.question.limit, len(wanted))
        await self.asking.each(wanted.values(), self._ask)
        merge = Merge(
            self.question.signal,
            order,
            self.question.limit,
            cursor.boundary if cursor else None,
            cursor.shown if cursor else (),
        )
        page = merge.run(self._streams)
        while page.dry:
            await self._refill([wanted[name] for name in page.dry], self.question.limit - len(page.rows))
            page = merge.run(self._streams)
        return self._answer(page, now_ns)

    def _request(self, known: Known) -> Request:
        """What this agent is asked: in its own time, behind its place."""
        question, shift = self.question, self._shift(known)
        request = question.signal.request()
        request.CopyFrom(question.request)  # type: ignore[arg-type] # of the same signal
        request.limit = self._first_limit
        request.ClearField("start_time")
        request.ClearField("end_time")
        if self.window.start_ns is not None:
            request.start_time.FromNanoseconds(self.window.start_ns + shift)
        if self.window.end_ns is not None:
            request.end_time.FromNanoseconds(self.window.end_ns + shift)
        after = self._after(known)
        if after is not None:
            request.after.key, request.after.position = after.key, after.position
        return request

    def _shift(self, known: Known) -> int:
        """How far the agent's clock is ahead: as it was when the agent was first asked, or every page had another window."""
        name, cursor = known.name, self.cursor
        if name not in self._shifts:
            was_asked = cursor is not None and (name in cursor.places or name in cursor.shifts)
            self._shifts[name] = cursor.shifts.get(name, 0) if cursor and was_asked else known.shift_ns
        return self._shifts[name]

    def _order_shift(self, known: Known) -> int:
        return 0 if self.question.request.order == api.ORDER_SLOWEST else self._shift(known)

    def _after(self, known: Known) -> Place | None:
        """Where the agent's rest begins; one that was silent so far joins behind the last row."""
        if self.cursor is None:
            return None
        place = self.cursor.places.get(known.name)
        if place is not None:
            return place
        position = _LAST_POSITION if is_descending(self.question.request.order) else -1
        return Place(_bounded(self.cursor.boundary + self._order_shift(known)), position)

    async def _ask(self, known: Known) -> None:
        """Begin an agent's stream."""
        response = await self.asking.call(known, self.question.signal.rpc, self._request(known))
        after = self._after(known)
        stream = Stream(known.name, (), shift_ns=self._order_shift(known), last=after)
        self._streams[known.name] = stream
        self._take(stream, response, after)
        self._totals.append((response.total_count, response.total_is_exact))

    async def _refill(self, agents: Iterable[Known], limit: int) -> None:
        """Let streams that ran dry go on; one that cannot ends here, and the answer says so."""
        await self.asking.each(agents, lambda known: self._ask_further(known, limit))
        silent = self.asking.silent
        for known in agents:
            if known.name in silent:
                self._streams[known.name].has_more = False

    async def _ask_further(self, known: Known, limit: int) -> None:
        stream = self._streams[known.name]
        request = self._request(known)
        request.ClearField("after")
        request.page_token = self._tokens[known.name]
        request.limit = limit
        response = await self.asking.call(known, self.question.signal.rpc, request)
        before = self._tokens[known.name]
        self._take(stream, response, self._after(known))
        if stream.is_dry and self._tokens[known.name] == before:
            stream.has_more = False
            self.warnings.append(f"{known.name} says that it has more rows, and does not send them")

    def _take(self, stream: Stream, response: Any, after: Place | None) -> None:  # noqa: ANN401 generated
        """Add a response's rows to a stream: those of the service that was asked for, behind the place."""
        question = self.question
        rows = question.signal.rows_of(response)
        if question.service:
            rows = self._own(stream.agent, rows)
        if after is not None:
            rows = behind(rows, after, question.signal, question.request.order)
        self._tokens[stream.agent] = response.next_page_token
        stream.extend(rows, has_more=response.has_more and bool(response.next_page_token))
        self.asking.count(stream.agent, 0, response.warnings)

    def _own(self, agent: str, rows: Sequence[Row]) -> list[Row]:
        wanted = self.question.service
        kept = [row for row in rows if row.service_name == wanted or normal(row.service_name) == wanted]
        if len(kept) < len(rows):
            self._foreign[agent] += len(rows) - len(kept)
        return kept

    def _answer(self, page: Page, now_ns: int) -> Answer:
        for agent, rows in Counter(sent.agent for sent in page.rows).items():
            self.asking.count(agent, rows)
        for agent, rows in sorted(self._foreign.items()):
            self.warnings.append(f"{agent} sent {rows} rows of services that were not asked for; they were dropped")
        total, is_exact = self._total(page)
        return Answer(
            rows=tuple(page.rows),
            outcomes=self.asking.outcomes,
            total=total,
            total_is_exact=is_exact,
            cursor=self._next(page, total, is_exact=is_exact),
            start_ns=self.window.start_ns,
            end_ns=self.window.end_ns,
            asked_ns=now_ns,
            warnings=tuple(self.warnings),
            shifts_ns={name: shift for name, shift in self._shifts.items() if shift and name in self._streams},
        )

    def _total(self, page: Page) -> tuple[int, bool]:
        if self.cursor is not None:
            return self.cursor.total, self.cursor.is_exact
        is_exact = all(exact for _, exact in self._totals) and not self.asking.silent
        return sum(total for total, _ in self._totals), is_exact and not page.repeated and not self._foreign

    def _next(self, page: Page, total: int, *, is_exact: bool) -> str:
        """The cursor of the page behind this one; empty when nothing is there."""
        silent = self.asking.silent
        places = {name: place for name, place in (self.cursor.places if self.cursor else {}).items() if name in silent}
        done = set(self.cursor.done if self.cursor else ())
        for name, stream in self._streams.items():
            if stream.used == len(stream.rows) and not stream.has_more and name not in silent:
                done.add(name)
            elif stream.last is not None:
                places[name] = stream.last
        if page.boundary is None or not (page.has_more or (places and page.rows)):
            return ""  # also when only silent agents are left: whoever follows cursors must come to an end
        answered = {name: shift for name, shift in self._shifts.items() if name in self._streams}
        shifts = {**(self.cursor.shifts if self.cursor else {}), **answered}
        cursor = Cursor(
            self.mark,
            self.window.start_ns,
            self.window.end_ns,
            total,
            is_exact,
            page.boundary,
            places,
            {name: shift for name, shift in shifts.items() if name not in done},
            frozenset(done),
            page.shown,
        )
        return cursor.encode()
