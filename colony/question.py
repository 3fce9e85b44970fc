"""Pure: what is asked of many agents, and what the colony says to it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from coral.agent.v1 import telemetry_query_pb2 as api

from colony.clock import MINUTE_NS
from colony.errors import InvalidQuestion
from colony.merge import Sent
from colony.outcome import Outcome
from colony.signals import Request, Signal
from colony.trace.whole import Trace

MAX_LIMIT = 1000
DEFAULT_LAST_NS = 5 * MINUTE_NS
_OURS = ("limit", "offset", "page_token", "after", "encoding", "step")
"""Fields of a request that the colony sets, or that cannot be put together from many agents."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which rows, of which agents' time, how many, behind which cursor, on whose behalf.

    ``request`` holds filters, order and, where it has one, the window in the colony's time; ``last_ns`` looks back from now
    instead. With neither, and no trace id, the last five minutes.
    """

    signal: Signal
    request: Request
    last_ns: int | None = None
    limit: int = 100
    cursor: str = ""
    caller: str = ""

    def __post_init__(self) -> None:
        """Refuses what cannot be asked.

        Raises:
            InvalidQuestion: names field, value and what is allowed.
        """
        if not 1 <= self.limit <= MAX_LIMIT:
            raise InvalidQuestion(f"limit is {self.limit}; it must be 1 to {MAX_LIMIT}")
        for name in _OURS:
            if name in self.request.DESCRIPTOR.fields_by_name and _is_set(self.request, name):
                raise InvalidQuestion(f"{name} is for one agent; the colony pages with limit and cursor")
        if self.last_ns is not None and (self.request.HasField("start_time") or self.request.HasField("end_time")):
            raise InvalidQuestion("give a time range, or a start and an end, not both")
        if self.last_ns is not None and self.last_ns <= 0:
            raise InvalidQuestion("the time range must be longer than nothing")

    @property
    def service(self) -> str:
        """The service that is asked for; empty for all."""
        return normal(self.request.service_name)


def _is_set(request: Request, name: str) -> bool:
    """Whether a field has a value that says anything."""
    return any(field.name == name for field, _ in request.ListFields())


def normal(name: str) -> str:
    """The form in which agents compare service names: NFC, without surrounding white space."""
    return unicodedata.normalize("NFC", name).strip()


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows in order, and what became of each agent that was asked.

    ``total`` counts all matches of the question, and is a lower bound unless ``total_is_exact``. ``shifts_ns`` says how far an
    agent's times are ahead, where its clock is wrong. ``cursor`` is empty on the last page.
    """

    rows: tuple[Sent, ...]
    outcomes: tuple[Outcome, ...]
    total: int
    total_is_exact: bool
    cursor: str
    start_ns: int | None
    end_ns: int | None
    asked_ns: int
    warnings: tuple[str, ...] = ()
    shifts_ns: Mapping[str, int] = field(default_factory=dict)

    @property
    def missing(self) -> tuple[Outcome, ...]:
        """The agents whose rows are not in this answer."""
        return tuple(outcome for outcome in self.outcomes if not outcome.has_answered)

    @property
    def nobody_answered(self) -> bool:
        """Whether agents were asked, and none answered."""
        return bool(self.outcomes) and len(self.missing) == len(self.outcomes)


@dataclass(frozen=True, slots=True)
class Portion:
    """What someone else than agents keeps of what was asked: an upstream; ``outcome`` says whether it answered."""

    rows: tuple[Sent, ...]
    outcome: Outcome
    is_cut: bool = False
    notes: tuple[str, ...] = ()


def without(rows: Iterable[Sent], shown: Iterable[Sent]) -> tuple[Sent, ...]:
    """The rows of a portion that agents have not sent: what an agent scrubbed is not shown again as it was.

    A span is known by its trace, its id and its kind: contents differ by the scrubbing, times by the clocks.
    """
    known = {(sent.row.trace_id, sent.row.span_id, sent.row.kind) for sent in shown}
    return tuple(sent for sent in rows if (sent.row.trace_id, sent.row.span_id, sent.row.kind) not in known)


@dataclass(frozen=True, slots=True)
class TraceAnswer:
    """A trace, and what became of each agent."""

    trace: Trace
    outcomes: tuple[Outcome, ...]
    asked_ns: int
    warnings: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[Outcome, ...]:
        """The agents whose spans are not in it."""
        return tuple(outcome for outcome in self.outcomes if not outcome.has_answered)


@dataclass(frozen=True, slots=True)
class NamesAnswer:
    """Operations, metrics and attribute keys, counted over all agents that answered."""

    names: api.ListNamesResponse
    outcomes: tuple[Outcome, ...]
    asked_ns: int

    @property
    def missing(self) -> tuple[Outcome, ...]:
        """The agents whose names are not in it."""
        return tuple(outcome for outcome in self.outcomes if not outcome.has_answered)
