"""The desk: where every question of a person or a tool arrives; rows from agents, else what summaries know instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from coral.agent.v1 import telemetry_query_pb2 as api

from colony.orchestrator.orchestrator import AgentQueryOrchestrator
from colony.question import Answer, NamesAnswer, Portion, Question, TraceAnswer
from colony.registry.agents import Kept, Known
from colony.registry.registry import Registry
from colony.signals import SPANS
from colony.summaries.summaries import Summaries
from colony.summaries.told import SummaryAnswer
from colony.upstream.factory import Upstreams

TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. ``instead`` is a summary of the same time, offered when no agent answered; ``note`` says that it is that."""

    answer: Answer
    instead: SummaryAnswer | None = None
    note: str = ""


class Desk:
    """What commands and tools call. Every call answers within its timeout, and raises only ``ColonyError``."""

    def __init__(
        self,
        registry: Registry,
        orchestrator: AgentQueryOrchestrator,
        summaries: Summaries,
        upstreams: Upstreams | None = None,
    ) -> None:
        self.registry = registry
        self.upstreams = upstreams
        self._orchestrator = orchestrator
        self._summaries = summaries
        orchestrator.elsewhere = self.history = upstreams.history if upstreams else None

    @property
    def agents(self) -> list[Known]:
        """Every address and what is known of the agent there."""
        return self.registry.everyone

    def services(self) -> Mapping[str, Mapping[str, Mapping[str, Kept]]]:
        """By service, signal and agent: what is kept, as polled last."""
        return self.registry.services()

    async def find(self, question: Question, timeout_seconds: float = TIMEOUT_SECONDS) -> Reply:
        """One page of spans, log records or data points.

        Raises:
            InvalidQuestion: the cursor is not of this question.
        """
        answer = await self._orchestrator.find(question, timeout_seconds)
        if not answer.nobody_answered or question.signal is not SPANS or not question.service:
            return Reply(answer)
        operation = getattr(question.request, "operation_name", "") or None
        instead = await self._summaries.find(
            question.service, start_ns=answer.start_ns, end_ns=answer.end_ns, operation=operation
        )
        note = (
            "no agent answered: these are one-minute summaries of the same time, pulled earlier; single spans are not in them"
        )
        return Reply(answer, instead, note)

    async def older(
        self,
        request: api.QuerySpansRequest,
        start_ns: int | None,
        end_ns: int | None,
        limit: int,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> Portion | None:
        """What the Tempo that is configured has of these spans; None without one."""
        if self.history is None:
            return None
        return await self.history.spans(request, start_ns, end_ns, limit, timeout_seconds)

    async def trace(self, trace_id: str, caller: str = "", timeout_seconds: float = TIMEOUT_SECONDS) -> TraceAnswer:
        """One trace, from every agent.

        Raises:
            InvalidQuestion: this is no trace id.
        """
        return await self._orchestrator.trace(trace_id, timeout_seconds, caller)

    async def names(self, service: str, caller: str = "", timeout_seconds: float = TIMEOUT_SECONDS) -> NamesAnswer:
        """Operations, metrics and attribute keys of a service."""
        return await self._orchestrator.names(service, timeout_seconds, caller)

    async def summary(self, service: str, last_ns: int | None = None, operation: str | None = None) -> SummaryAnswer:
        """Counts, rates, errors and percentiles of a service, from summaries.

        Raises:
            SummariesUnavailable: their store does not answer.
        """
        return await self._summaries.find(service, last_ns, operation=operation)
