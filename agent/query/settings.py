"""What the way out needs of the configuration."""

from __future__ import annotations

from dataclasses import dataclass

from agent.query.plan import Limits
from agent.services import OwnServices


@dataclass(frozen=True, slots=True)
class QuerySettings:
    """The query section and what else shapes an answer. ``allowed_peers`` is None on a plaintext endpoint."""

    agent_id: str
    own: OwnServices
    limits: Limits
    scrub_profile: str = "default"
    scrub_stage: str = "query"
    allowed_peers: tuple[str, ...] | None = None
    max_concurrent: int = 8
    max_duration_seconds: float = 10.0
