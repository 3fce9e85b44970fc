"""AgentQueryOrchestrator: asks the agents that can know, and says what became of each.

It never fails because an agent did, and never hides that one did.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from coral.agent.v1 import telemetry_query_pb2 as api

from colony.cache import Cache, Cached
from colony.clock import SECOND_NS, Clock
from colony.cursor import Cursor, mark_of
from colony.errors import InvalidQuestion
from colony.instruments import Instruments
from colony.merge import Sent
from colony.orchestrator.asking import Asker, Asking, AskSettings
from colony.orchestrator.names import merged_names
from colony.orchestrator.paging import Paging, Window, window_of
from colony.outcome import one_line
from colony.question import Answer, NamesAnswer, Portion, Question, TraceAnswer, without
from colony.registry.agents import Known
from colony.registry.registry import Registry
from colony.trace.whole import Gaps, trace_of

MAX_TRACE_SPANS = 20_000
"""More are not fetched: the answer says that the trace is cut."""

_PAGE = 1000
_MANY_SPANS = 2000
"""A tree of so many takes 60 ms: more are put together beside the event loop."""

_FRESH_NS = SECOND_NS
"""An agent polled within this is not polled again for what it did not list."""


@dataclass(frozen=True, slots=True)
class OrchestratorSettings:
    """``[agents]`` and ``[cache]``, as far as answering needs them."""

    ask: AskSettings
    cache_seconds: float = 30.0
    cache_bytes: int = 64 << 20


class Elsewhere(Protocol):
    """Who keeps spans longer than agents do."""

    async def trace(self, trace_id: str, timeout_seconds: float) -> Portion:
        """Its spans of a trace; raises nothing."""
        ...


class AgentQueryOrchestrator:
    """Answers questions from many agents. Every method takes the caller's time in seconds and answers within it."""

    def __init__(
        self,
        registry: Registry,
        settings: OrchestratorSettings,
        clock: Clock,
        instruments: Instruments,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._registry = registry
        self._asker = Asker(registry, settings.ask)
        self._clock = clock
        self._instruments = instruments
        self._cache: Cache[Any] = Cache(settings.cache_bytes, settings.cache_seconds, tasks, instruments)
        self.elsewhere: Elsewhere | None = None

    async def find(self, question: Question, timeout_seconds: float) -> Answer:
        """One page of rows.

        Raises:
            InvalidQuestion: the cursor is not of this question.
        """
        filters = question.request.SerializeToString(deterministic=True)
        mark = mark_of(question.signal.rpc, filters + str(question.last_ns).encode())
        cursor = Cursor.decode(question.cursor, mark) if question.cursor else None
        key = (question.signal.rpc, filters, question.last_ns, question.limit, question.cursor, question.caller)

        async def make() -> Cached[Answer]:
            now = self._clock.now_ns()
            asking = self._asker.asking(timeout_seconds)
            window = Window(cursor.start_ns, cursor.end_ns) if cursor else window_of(question, now)
            agents = await self._hosting(question.service, question)
            answer = await Paging(question, mark, asking, window, cursor).run(agents, now)
            size = sum(sent.row.ByteSize() for sent in answer.rows)
            return self._counted(question.signal.rpc, asking, answer, size)

        answer: Answer = await self._within(key, make, timeout_seconds)
        return answer

    async def trace(self, trace_id: str, timeout_seconds: float, caller: str = "") -> TraceAnswer:
        """Every span of a trace, from every agent, as a tree.

        Raises:
            InvalidQuestion: this is no trace id.
        """
        wanted = trace_id.strip().lower()
        if len(wanted) != 32 or any(c not in "0123456789abcdef" for c in wanted):
            raise InvalidQuestion(f"trace_id has {len(wanted)} characters; it must be 32 hexadecimal digits")

        async def make() -> Cached[TraceAnswer]:
            asking = self._asker.asking(timeout_seconds)
            answer = await self._traced(wanted, asking)
            size = sum(node.span.ByteSize() for node in answer.trace.nodes)
            counted = self._counted("Trace", asking, answer, size)
            return counted if not answer.missing else replace(counted, may_stay=False)

        answer: TraceAnswer = await self._within(("Trace", wanted, caller), make, timeout_seconds)
        return answer

    async def names(self, service: str, timeout_seconds: float, caller: str = "") -> NamesAnswer:
        """Operations, metrics and attribute keys of a service; of every one without it."""

        async def make() -> Cached[NamesAnswer]:
            asking, now = self._asker.asking(timeout_seconds), self._clock.now_ns()
            request = api.ListNamesRequest(service_name=service)
            found = await asking.each(await self._hosting(service), lambda known: asking.call(known, "ListNames", request))
            names = merged_names(found[name] for name in sorted(found))
            return self._counted("ListNames", asking, NamesAnswer(names, asking.outcomes, now), names.ByteSize())

        answer: NamesAnswer = await self._within(("ListNames", service, caller), make, timeout_seconds)
        return answer

    def cancel(self) -> None:
        """Cancel what is under way."""
        self._cache.cancel()

    async def _within(self, key: Hashable, make: Callable[[], Awaitable[Cached[Any]]], timeout_seconds: float) -> Any:  # noqa: ANN401 as the cache
        """From the cache, together with the same question under way, or now. Agents' deadlines end it in time."""
        return await self._cache.get((key, timeout_seconds), make)

    async def _hosting(self, service: str, question: Question | None = None) -> list[Known]:
        """The agents to ask; they are polled again when none is known to have the service."""
        signal = question.signal if question else None
        agents = self._registry.hosting(service, signal)
        if agents and self._registry.has_polled:
            return agents
        await self._registry.refresh()
        return self._registry.hosting(service, signal)

    def _counted(self, rpc: str, asking: Asking, answer: Any, size_bytes: int) -> Cached[Any]:  # noqa: ANN401 any answer
        """An answer for the cache: it stays when nothing is missing from it."""
        answered = [outcome for outcome in asking.outcomes if outcome.has_answered]
        is_complete = len(answered) == len(asking.outcomes)
        kind = "complete" if is_complete else "partial" if answered else "failed"
        self._instruments.questions.labels(rpc, kind).inc()
        return Cached(answer, size_bytes + 1024, is_complete)

    async def _traced(self, trace_id: str, asking: Asking) -> TraceAnswer:
        if not self._registry.has_polled:
            await self._registry.refresh()
        agents, now = self._registry.agents, self._clock.now_ns()
        fetching = _Fetching(trace_id, asking)
        portion = await self._with_elsewhere(trace_id, asking, asking.each(agents, fetching.fetch))
        answered = {outcome.agent for outcome in asking.outcomes if outcome.has_answered}
        warnings = await self._unlisted(agents, fetching.sent, asking)
        horizons = {k.name: k.inventory.since_ns for k in agents if k.inventory and k.name in answered}
        outcomes, sent, is_cut = asking.outcomes, fetching.sent, fetching.is_cut
        if portion is not None:
            added = without(portion.rows, sent)
            warnings += _told_of(portion, len(sent), len(added))
            horizons = {} if portion.rows else horizons  # it keeps what agents do not any more
            outcomes, sent, is_cut = (*outcomes, portion.outcome), [*sent, *added], is_cut or portion.is_cut
        gaps = Gaps(now, tuple(o.agent for o in outcomes if not o.has_answered), is_cut, horizons)
        offsets = {known.name: known.shift_ns for known in agents}
        made = partial(trace_of, trace_id, sent, gaps, offsets)
        trace = await asyncio.to_thread(made) if len(sent) > _MANY_SPANS else made()
        return TraceAnswer(trace, outcomes, now, tuple(warnings))

    async def _with_elsewhere(self, trace_id: str, asking: Asking, agents: Awaitable[object]) -> Portion | None:
        """Ask agents and whoever else keeps traces at the same time."""
        if self.elsewhere is None:
            await agents
            return None
        async with asyncio.TaskGroup() as tasks:
            other = tasks.create_task(self.elsewhere.trace(trace_id, max(0.1, asking.deadline - time.monotonic())))
            await agents
        return other.result()

    async def _unlisted(self, agents: Iterable[Known], sent: Iterable[Sent], asking: Asking) -> list[str]:
        """Agents that answered for services that they do not list, asked again: their spans are shown, and this is said."""
        services: dict[str, set[str]] = {}
        for each in sent:
            services.setdefault(each.agent, set()).add(each.row.service_name)
        now = self._clock.now_ns()
        suspects = [known for known in agents if _unknown(known, services.get(known.name, set()))]
        with contextlib.suppress(TimeoutError):  # what was polled last must do then
            async with asyncio.timeout(max(0.0, asking.deadline - time.monotonic())), asyncio.TaskGroup() as tasks:
                for known in suspects:
                    if now - known.polled_ns > _FRESH_NS:
                        tasks.create_task(self._registry.poll_one(known))
        return [
            f"{known.name} sent spans of {one_line(service)}, a service that it does not list"
            for known in suspects
            for service in sorted(_unknown(known, services[known.name]))[:3]
        ]


def _told_of(portion: Portion, from_agents: int, added: int) -> list[str]:
    """Which spans came from where."""
    if not portion.rows:
        return list(portion.notes)
    both = len(portion.rows) - added
    told = f"{from_agents} spans came from agents, {added} only from {portion.outcome.agent}, which no agent scrubbed"
    return [f"{told}; {both} that both have are shown as agents sent them" if both else told, *portion.notes]


def _unknown(known: Known, services: set[str]) -> set[str]:
    inventory = known.inventory
    return set() if inventory is None else {service for service in services if not inventory.lists(service)}


class _Fetching:
    """All spans of one trace, page after page of each agent, until there are too many."""

    def __init__(self, trace_id: str, asking: Asking) -> None:
        self._trace_id = trace_id
        self._asking = asking
        self.sent: list[Sent] = []
        self.is_cut = False

    async def fetch(self, known: Known) -> None:
        """One agent's spans."""
        request = api.QuerySpansRequest(trace_id=self._trace_id, order=api.ORDER_OLDEST, limit=_PAGE)
        while True:
            response = await self._asking.call(known, "QuerySpans", request)
            self.sent += [Sent(known.name, span) for span in response.spans if span.trace_id == self._trace_id]
            self._asking.count(known.name, len(response.spans), response.warnings)
            is_stuck = not response.spans or response.next_page_token == request.page_token
            if not (response.has_more and response.next_page_token) or is_stuck:
                return
            if len(self.sent) >= MAX_TRACE_SPANS:
                self.is_cut = True
                return
            request.page_token = response.next_page_token


@asynccontextmanager
async def orchestrating(
    registry: Registry, settings: OrchestratorSettings, clock: Clock, instruments: Instruments
) -> AsyncIterator[AgentQueryOrchestrator]:
    """An orchestrator; flights under way are cancelled when left."""
    async with asyncio.TaskGroup() as tasks:
        orchestrator = AgentQueryOrchestrator(registry, settings, clock, instruments, tasks)
        try:
            yield orchestrator
        finally:
            orchestrator.cancel()
