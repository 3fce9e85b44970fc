"""Pure: what summaries say of a service; every percentile is read from a merged sketch, never a mean of percentiles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from coral.agent.v1 import telemetry_query_pb2 as api

from colony.clock import MINUTE_NS, SECOND_NS
from colony.sketch import RELATIVE_ERROR, Sketch

ENTRY_KINDS = frozenset({api.SPAN_KIND_SERVER, api.SPAN_KIND_CONSUMER})
"""Spans with which work enters a service: its requests."""

MAX_SLOTS = 60


@dataclass(frozen=True, slots=True)
class Figures:
    """What some spans come to; durations in nanoseconds, off by at most ``relative_error`` of themselves, None of no span."""

    count: int
    errors: int
    per_second: float
    p50_ns: float | None
    p95_ns: float | None
    p99_ns: float | None

    @property
    def error_share(self) -> float:
        """Of 1."""
        return self.errors / self.count if self.count else 0.0


@dataclass(frozen=True, slots=True)
class OperationSummary:
    """One operation of one kind; ``is_rest`` stands for all that agents did not count apart."""

    operation: str
    kind: int
    figures: Figures
    slowest_trace_ids: tuple[str, ...] = ()
    failed_trace_ids: tuple[str, ...] = ()
    is_rest: bool = False


@dataclass(frozen=True, slots=True)
class SlotSummary:
    """All that is in ``SummaryAnswer.total`` of one stretch of minutes, which began at ``start_ns``."""

    start_ns: int
    figures: Figures


@dataclass(frozen=True, slots=True)
class SummaryAnswer:
    """A service over whole minutes ``[start_ns, end_ns)``, by when spans ended, in the colony's time.

    ``total`` is of requests (SERVER and CONSUMER spans), or of all spans of a service that has none: then
    ``total_is_requests`` is false. ``slots`` are of ``slot_minutes`` each; those without spans are left out. ``gaps`` say
    which agents' minutes are missing, and why.
    """

    service: str
    start_ns: int
    end_ns: int
    total: Figures
    total_is_requests: bool
    operations: tuple[OperationSummary, ...]
    slots: tuple[SlotSummary, ...]
    slot_minutes: int
    gaps: tuple[str, ...] = ()
    relative_error: float = RELATIVE_ERROR


@dataclass(slots=True)
class Sum:
    """Spans added up: of an operation, a minute, or all."""

    errors: int = 0
    sketch: Sketch = field(default_factory=Sketch)
    slowest: Sequence[str] = ()
    failed: Sequence[str] = ()

    def add(self, other: Sum) -> None:
        """Count in another."""
        self.errors += other.errors
        self.sketch.add(other.sketch.zeros, other.sketch.buckets)

    def figures(self, seconds: float) -> Figures:
        """What it comes to over a time."""
        count = self.sketch.count
        quantiles = [self.sketch.quantile_ns(q) for q in (0.5, 0.95, 0.99)]
        return Figures(count, self.errors, count / seconds if seconds else 0.0, *quantiles)


Operation = tuple[str, int, bool]
"""Name, kind, whether it is the rest."""


def counted_kinds(operations: Iterable[Operation]) -> frozenset[int]:
    """The kinds that the total is of: those of requests, or of all spans when there are none."""
    kinds = frozenset(kind for _, kind, _ in operations)
    return kinds & ENTRY_KINDS or kinds


def slot_minutes(start_ns: int, end_ns: int) -> int:
    """How long slots are: a minute, or as many as leave at most ``MAX_SLOTS``."""
    return max(1, -(-(end_ns - start_ns) // (MAX_SLOTS * MINUTE_NS)))


def told(
    service: str,
    window: tuple[int, int],
    operations: Mapping[Operation, Sum],
    slots: Mapping[int, Sum],
    gaps: Iterable[str] = (),
) -> SummaryAnswer:
    """The answer from sums by operation and by slot."""
    start_ns, end_ns = window
    seconds, length = (end_ns - start_ns) / SECOND_NS, slot_minutes(start_ns, end_ns)
    kinds = counted_kinds(operations)
    total = Sum()
    for (_, kind, _), each in operations.items():
        if kind in kinds:
            total.add(each)
    found = [
        OperationSummary(name, kind, each.figures(seconds), tuple(each.slowest), tuple(each.failed), is_rest)
        for (name, kind, is_rest), each in operations.items()
    ]
    return SummaryAnswer(
        service,
        start_ns,
        end_ns,
        total.figures(seconds),
        bool(kinds & ENTRY_KINDS),
        tuple(sorted(found, key=lambda one: (-one.figures.count, one.operation, one.kind))),
        tuple(
            SlotSummary(start_ns + number * length * MINUTE_NS, each.figures(60.0 * length))
            for number, each in sorted(slots.items())
        ),
        length,
        tuple(gaps),
    )
