"""Questions, small agents to ask them of, and what is looked at in the answers."""

from __future__ import annotations

from typing import Any

from coral.agent.v1 import telemetry_query_pb2 as api

from colony.endpoint import Endpoint
from colony.outcome import Result
from colony.question import Answer, Question
from colony.signals import SPANS
from tests.colony.agents import SmallAgent
from tests.colony.rows import SECOND, START, span

NOBODY = Endpoint("127.0.0.1", 1)


def spans(service: str = "shop", limit: int = 100, cursor: str = "", caller: str = "", **fields: Any) -> Question:
    return Question(SPANS, api.QuerySpansRequest(service_name=service, **fields), None, limit, cursor, caller)


def names(answer: Answer) -> list[str]:
    return [sent.row.operation_name for sent in answer.rows]


def agent(name: str, *operations: str, service: str = "shop", **fields: Any) -> SmallAgent:
    found = SmallAgent(name, **fields)
    found.add(*(span(op, START + n * SECOND, service_name=service) for n, op in enumerate(operations)))
    return found


def asked(found: SmallAgent, rpc: str = "QuerySpans") -> int:
    return sum(name == rpc for name, _ in found.calls)


def outcomes(answer: Any) -> dict[str, Result]:
    return {outcome.agent: outcome.result for outcome in answer.outcomes}
