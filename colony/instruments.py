"""The colony's own instruments: one value, made once by ``app.py`` and handed to the rooms.

Labels are bounded: no agent, no service, no text of a peer. ``docs/colony.md`` lists them; a test compares.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_TOKENS = (100, 250, 500, 1000, 2000, 3000, 4000, 6000, 8000, 10_000)


class Instruments:
    """Counters, gauges and histograms, registered under ``coral_colony_…`` in ``registry``."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._open_agents()
        self._open_questions()
        self._open_summaries()
        self._open_tools()
        self._open_upstreams()

    def _open_agents(self) -> None:
        self.agents = Gauge(
            "coral_colony_agents",
            "agents by how their last poll ended: answered, refused, timed_out, unreachable, too_old, or new",
            ["state"],
            registry=self.registry,
        )
        self.agent_request_seconds = Histogram(
            "coral_colony_agent_request_seconds",
            "one request to one agent, retries included",
            ["rpc"],
            buckets=_LATENCY,
            registry=self.registry,
        )
        self.agent_failures = Counter(
            "coral_colony_agent_failures", "requests that an agent did not answer", ["rpc", "outcome"], registry=self.registry
        )
        self.discovery_failures = Counter(
            "coral_colony_discovery_failures",
            "looks for agents that failed; the agents known before stay",
            ["source"],
            registry=self.registry,
        )
        _begin(self.discovery_failures, ("dns", "file"))
        self.tls_not_after_seconds = Gauge(
            "coral_colony_tls_not_after_seconds",
            "when the certificate shown to agents expires, in seconds since 1970",
            registry=self.registry,
        )
        self.tls_reload_failures = Counter(
            "coral_colony_tls_reload_failures", "changed certificate files that could not be taken up", registry=self.registry
        )

    def _open_questions(self) -> None:
        self.questions = Counter(
            "coral_colony_questions",
            "questions to agents: complete, partial when some did not answer, failed when none did",
            ["rpc", "answer"],
            registry=self.registry,
        )
        self.cache_hits = Counter(
            "coral_colony_cache_hits",
            "questions answered from the cache, or together with the same one under way",
            ["kind"],
            registry=self.registry,
        )
        _begin(self.cache_hits, ("kept", "shared"))
        self.cache_bytes = Gauge("coral_colony_cache_bytes", "what cached answers hold", registry=self.registry)

    def _open_summaries(self) -> None:
        self.summary_rows = Gauge("coral_colony_summary_rows", "summary rows kept", registry=self.registry)
        self.summary_minutes = Counter(
            "coral_colony_summary_minutes", "minutes of an agent taken up, first or again", registry=self.registry
        )
        self.summary_gaps = Counter(
            "coral_colony_summary_gaps",
            "minutes of an agent that were lost: it kept them no more when it could be asked",
            registry=self.registry,
        )

    def _open_tools(self) -> None:
        self.tool_calls = Counter(
            "coral_colony_tool_calls",
            "calls of a tool: answered, refused for what was asked, failed, or cancelled",
            ["tool", "outcome"],
            registry=self.registry,
        )
        self.tool_seconds = Histogram(
            "coral_colony_tool_seconds", "one call of a tool", ["tool"], buckets=_LATENCY, registry=self.registry
        )
        self.answer_tokens = Histogram(
            "coral_colony_answer_tokens",
            "how long an answer is, in tokens of three bytes",
            ["tool"],
            buckets=_TOKENS,
            registry=self.registry,
        )

    def _open_upstreams(self) -> None:
        """Labelled by the names in the configuration."""
        self.upstreams = Gauge(
            "coral_colony_upstreams",
            "1 for the state that a server is in: new, up or down",
            ["upstream", "state"],
            registry=self.registry,
        )
        self.upstream_calls = Counter(
            "coral_colony_upstream_calls",
            "calls of other people's servers by how they ended: answered, error of the tool itself, or why there was no answer",
            ["upstream", "outcome"],
            registry=self.registry,
        )
        self.upstream_seconds = Histogram(
            "coral_colony_upstream_seconds",
            "one call of another's server, a second try included",
            ["upstream"],
            buckets=_LATENCY,
            registry=self.registry,
        )
        self.upstream_retries = Counter(
            "coral_colony_upstream_retries",
            "calls of another's server that were made a second time",
            ["upstream"],
            registry=self.registry,
        )
        self.upstream_reconnects = Counter(
            "coral_colony_upstream_reconnects", "attempts to connect again", ["upstream"], registry=self.registry
        )


def _begin(counter: Counter, *labels: Iterable[str]) -> None:
    """With a series at 0 for each combination: ``increase`` does not see a series that begins at 1."""
    for values in itertools.product(*labels):
        counter.labels(*values)
