"""Traces to build: spans with short ids."""

from __future__ import annotations

from typing import Any

from coral.agent.v1 import telemetry_query_pb2 as api

from colony.merge import Sent
from tests.colony.rows import START, span

MS = 1_000_000


def sent(span_id: str, parent: str = "", start_ms: float = 0, took_ms: float = 1, agent: str = "a", **fields: Any) -> Sent:
    named = {"operation_name": span_id, "span_id": span_id, "parent_span_id": parent}
    return Sent(agent, span("x", START + round(start_ms * MS), round(took_ms * MS), **(named | fields)))


def call(client: tuple[str, float, float], server: tuple[str, float, float], parent: str = "", **fields: Any) -> list[Sent]:
    """A CLIENT span of the shop on agent a, and the SERVER span under it of payments on agent b."""
    return [
        sent(client[0], parent, client[1], client[2], kind=api.SPAN_KIND_CLIENT, **fields),
        sent(server[0], client[0], server[1], server[2], agent="b", kind=api.SPAN_KIND_SERVER, service_name="payments"),
    ]
