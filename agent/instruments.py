"""The agent's own instruments: one value, made once by ``app.py`` and handed to the rooms.

Labels are bounded: no service names, no peer-supplied text. ``docs/operations.md`` lists them; a test compares.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from agent.batch import Signal

_LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_RECORD_WORD = {Signal.TRACES: "spans", Signal.METRICS: "metric_points", Signal.LOGS: "log_records"}


class Instruments:
    """Counters, gauges and histograms, registered under ``coral_agent_…`` in ``registry``."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._open_receiver()
        self._open_store()
        self._open_health()
        self._open_query()
        self._open_tls()

    def _open_receiver(self) -> None:
        labels = ["transport", "reason"]
        self.accepted = {
            signal: Counter(
                f"coral_agent_receiver_accepted_{word}",
                f"{word} kept: synced to disk and queryable",
                ["transport"],
                registry=self.registry,
            )
            for signal, word in _RECORD_WORD.items()
        }
        self.refused = {
            signal: Counter(
                f"coral_agent_receiver_refused_{word}",
                f"{word} not kept, by reason",
                labels,
                registry=self.registry,
            )
            for signal, word in _RECORD_WORD.items()
        }
        self.refused_requests = Counter(
            "coral_agent_receiver_refused_requests",
            "requests refused whole, by reason; their records count where they could be counted",
            ["signal", *labels],
            registry=self.registry,
        )
        _begin(self.refused_requests, Signal, ("grpc", "http"), ("queue_full", "store_unavailable"))
        self.skewed_records = Counter(
            "coral_agent_receiver_skewed_records",
            "records kept whose time is over a minute ahead of their arrival, or over an hour behind it",
            ["signal", "direction"],
            registry=self.registry,
        )
        _begin(self.skewed_records, Signal, ("ahead", "behind"))
        self.requests_duplicate = Counter(
            "coral_agent_requests_duplicate",
            "requests that came again within two minutes and got their first answer",
            registry=self.registry,
        )

    def _open_store(self) -> None:
        self.commit_seconds = Histogram(
            "coral_agent_commit_seconds",
            "from a group's first request in the queue to its fdatasync",
            buckets=_LATENCY,
            registry=self.registry,
        )
        self.queue_bytes = Gauge("coral_agent_queue_bytes", "bytes waiting to be committed", registry=self.registry)
        self.store_rows = Gauge("coral_agent_store_rows", "rows kept", ["signal"], registry=self.registry)
        self.store_bytes = Gauge("coral_agent_store_bytes", "bytes on disk, journals included", registry=self.registry)
        self.store_max_bytes = Gauge("coral_agent_store_max_bytes", "the disk budget, store.max_bytes", registry=self.registry)
        self.store_oldest_seconds = Gauge(
            "coral_agent_store_oldest_seconds", "age of the oldest segment", registry=self.registry
        )
        self.segments = Gauge("coral_agent_segments", "segments by state", ["state"], registry=self.registry)
        self.segments_retired = Counter(
            "coral_agent_segments_retired", "segments retired, by age or by budget", ["reason"], registry=self.registry
        )
        self.segments_quarantined = Counter(
            "coral_agent_segments_quarantined",
            "segments set aside because they could not be read",
            registry=self.registry,
        )

    def _open_health(self) -> None:
        self.store_faults = Counter(
            "coral_agent_store_faults",
            "faults of the disk or the store that were met, by kind",
            ["kind"],
            registry=self.registry,
        )
        _begin(self.store_faults, ("journal", "files", "database", "reserve", "directory"))
        self.store_lost_rows = Counter(
            "coral_agent_store_lost_rows",
            "rows that were kept and went with files that were damaged or removed",
            ["signal"],
            registry=self.registry,
        )
        _begin(self.store_lost_rows, Signal)
        self.clock_jumps = Counter(
            "coral_agent_clock_jumps",
            "steps of the machine's clock by more than a second",
            ["direction"],
            registry=self.registry,
        )
        _begin(self.clock_jumps, ("forward", "back"))
        self.ready = Gauge("coral_agent_ready", "1 while /readyz is 200", registry=self.registry)
        self.config_reload_failures = Counter(
            "coral_agent_config_reload_failures", "SIGHUPs that changed nothing", registry=self.registry
        )

    def _open_query(self) -> None:
        self.query_seconds = Histogram(
            "coral_agent_query_seconds", "answering a query", ["rpc", "code"], buckets=_LATENCY, registry=self.registry
        )
        self.queries_in_flight = Gauge("coral_agent_queries_in_flight", "queries being answered", registry=self.registry)
        self.scrub_hits = Counter(
            "coral_agent_scrub_hits", "values a scrub rule changed", ["signal", "rule", "mode"], registry=self.registry
        )
        self.peer_denied = Counter("coral_agent_peer_denied", "calls refused because of who asked", registry=self.registry)

    def count_scrub_hits(self, signal: Signal, hits: Mapping[tuple[str, str], int]) -> None:
        """Add hits by (rule, mode)."""
        for (rule, mode), number in hits.items():
            self.scrub_hits.labels(signal, rule, mode).inc(number)

    def _open_tls(self) -> None:
        self.tls_not_after_seconds = Gauge(
            "coral_agent_tls_not_after_seconds",
            "when the certificate in use expires, in seconds since 1970",
            ["endpoint"],
            registry=self.registry,
        )
        self.tls_reload_failures = Counter(
            "coral_agent_tls_reload_failures",
            "changed certificate files that could not be taken up",
            ["endpoint"],
            registry=self.registry,
        )


def _begin(counter: Counter, *labels: Iterable[str]) -> None:
    """With a series at 0 for each combination: ``increase`` does not see a series that begins at 1."""
    for values in itertools.product(*labels):
        counter.labels(*values)
