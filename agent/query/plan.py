"""A request becomes a Plan: every limit, every default and the own-services condition live here; pure.

What a caller asks for is compared with scrubbed values only. A wanted value that the rules would change matches nothing.
One that a rule may have produced (``[REDACTED:…]``, ``hmac:…``) cannot be looked for in stored raw data: it becomes a
condition that is checked on scrubbed rows. Every other value equals its scrubbed self and goes into SQL. Text inside a body
is looked for in stored bodies and again in the scrubbed body, outside its marks: what stands there stood in the raw body too,
so that the first look only spares work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from coral.agent.v1 import telemetry_query_pb2 as api

from agent import services, values
from agent.batch import Signal
from agent.errors import InvalidQuery
from agent.query import fields
from agent.query.fields import MAX_OFFSET, MILLISECOND_NS, Order, Request
from agent.query.marks import may_be_a_mark
from agent.query.page import Position, Window
from agent.scrub.scrubber import Scrubber
from agent.services import OwnServices

LEAST_ROOM = 16 << 20
"""Bytes of rows held at once: ten times 1,000 ordinary rows. With less, a search by scrubbed values asks SQL too often."""

REPLIES_HELD = 4
"""Of ``max_reply_bytes``, what rows may take if that is more: a page of short attributes takes three times its reply."""

MAX_ATTRIBUTE_FILTERS = 32
MAX_SEVERITY = 24
MAX_STEPS = 2000
UNCOUNTED = (0, False)
"""The total of a request that goes on behind a row: whoever asks it has had the first page's."""


@dataclass(frozen=True, slots=True)
class Recheck:
    """A condition that only scrubbed rows can answer.

    ``field`` is a column that must equal ``wanted``, or "attributes" (the attribute ``key`` must), or "text" (the body must
    contain it), or "unmarked" (the body must contain it outside the marks that the rules leave).
    """

    field: str
    wanted: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """The query section of the configuration, as far as a plan needs it."""

    default_window_ns: int
    max_limit: int
    max_reply_bytes: int


@dataclass(slots=True)
class Plan:
    """A checked query of one signal.

    ``equal`` maps columns to wanted values, ``least`` to bounds from below and ``most`` from above, both inclusive.
    ``attributes`` holds for each filter the wire forms of which one must be there; ``text`` must be in the body. ``own`` are
    the services to which rows are limited (None: all). ``nothing`` is true when no scrubbed row can match. ``step_ns`` asks
    for series instead of rows. ``room`` is about how many bytes of rows may be held at once.
    """

    signal: Signal
    window: Window
    order: Order
    limit: int
    offset: int
    fingerprint: bytes
    own: tuple[str, ...] | None
    otlp: bool = False
    equal: dict[str, object] = field(default_factory=dict)
    least: dict[str, int] = field(default_factory=dict)
    most: dict[str, int] = field(default_factory=dict)
    attributes: list[list[bytes]] = field(default_factory=list)
    text: str | None = None
    rechecks: list[Recheck] = field(default_factory=list)
    nothing: bool = False
    after: Position | None = None
    first_total: tuple[int, bool] | None = None
    step_ns: int = 0
    room: int = LEAST_ROOM
    warnings: list[str] = field(default_factory=list)

    @property
    def asks_hot_columns(self) -> bool:
        """Whether there is a condition on them beside the window."""
        return bool(self.own is not None or self.equal or self.least or self.most)


@dataclass(frozen=True, slots=True)
class Names:
    """A checked question for names: of one service (None: of all that may be shown), within a window.

    ``signals`` are those whose rules leave the service's name as it is: of the others no scrubbed row can have it.
    """

    window: Window
    service_name: str | None
    own: tuple[str, ...] | None
    signals: frozenset[Signal] = frozenset(Signal)


class Planner:
    """Makes Plans for one agent: its limits, its own services and its scrub rules.

    Every method raises ``InvalidQuery`` when a field cannot be, naming field, value and what is allowed.
    """

    def __init__(self, limits: Limits, own: OwnServices, scrubbers: Mapping[Signal, Scrubber]) -> None:
        self._limits = limits
        self._own = own
        self._scrubbers = scrubbers

    def own(self) -> tuple[str, ...] | None:
        """The services that rows are limited to; None for all."""
        return tuple(sorted(self._own.names)) or None

    def spans(self, request: api.QuerySpansRequest, now_ns: int) -> Plan:
        """The plan of QuerySpans."""
        plan = self._plan("QuerySpans", Signal.TRACES, request, now_ns, everything=request.HasField("trace_id"))
        if request.HasField("trace_id"):
            plan.equal |= fields.trace_columns(request.trace_id)
        if request.HasField("operation_name"):
            self._want_text(plan, "name", request.operation_name)
        if request.HasField("kind"):
            plan.equal["kind"] = int(request.kind)
        if request.errors_only:
            plan.equal["failed"] = True
        longest_ms = 2**63 // MILLISECOND_NS - 1
        if request.HasField("min_duration_ms"):
            least = fields.between("min_duration_ms", request.min_duration_ms, 0, longest_ms)
            if least:  # 0 is no bound: it keeps spans that end before they start
                plan.least["duration_ns"] = least * MILLISECOND_NS
        if request.HasField("max_duration_ms"):
            most = fields.between("max_duration_ms", request.max_duration_ms, 0, longest_ms)
            plan.most["duration_ns"] = most * MILLISECOND_NS
        return plan

    def logs(self, request: api.QueryLogsRequest, now_ns: int) -> Plan:
        """The plan of QueryLogs."""
        plan = self._plan("QueryLogs", Signal.LOGS, request, now_ns, everything=request.HasField("trace_id"))
        if request.HasField("trace_id"):
            plan.equal |= fields.trace_columns(request.trace_id)
        if request.HasField("span_id"):
            plan.equal["span_id"] = int.from_bytes(fields.hex_id("span_id", request.span_id, 8), "little")
        least = fields.between("min_severity", request.min_severity, 0, MAX_SEVERITY)
        if least:
            plan.least["level"] = least
        if request.text:
            self._want_words(plan, request.text)
        return plan

    def points(self, request: api.QueryMetricsRequest, now_ns: int) -> Plan:
        """The plan of QueryMetrics."""
        plan = self._plan("QueryMetrics", Signal.METRICS, request, now_ns, everything=False)
        if request.HasField("metric_name"):
            self._want_text(plan, "metric_name", request.metric_name)
        if request.HasField("type"):
            plan.equal["type"] = int(request.type)
        if request.HasField("step"):
            plan.step_ns = self._step(plan, request.step.ToNanoseconds(), now_ns)
        return plan

    def names(self, request: api.ListNamesRequest, now_ns: int) -> Names:
        """The plan of ListNames: without times, all that is kept."""
        window = fields.window(request, now_ns, self._limits.default_window_ns, everything=True)
        wanted = services.normal(request.service_name) or None
        shown = frozenset(signal for signal, room in self._scrubbers.items() if wanted is None or room.keeps(wanted))
        return Names(window, wanted, self.own(), shown)

    def _plan(self, rpc: str, signal: Signal, request: Request, now_ns: int, *, everything: bool) -> Plan:
        """What the three queries have in common."""
        fingerprint = fields.fingerprint(rpc, request)
        token = fields.token(request.page_token, request.offset, fingerprint)
        default = self._limits.default_window_ns
        after = fields.after(request)
        plan = Plan(
            signal=signal,
            window=token.window if token else fields.window(request, now_ns, default, everything=everything),
            order=fields.order(request.order, durations=signal is Signal.TRACES),
            limit=0,
            offset=fields.between("offset", request.offset, 0, MAX_OFFSET),
            fingerprint=fingerprint,
            own=self.own(),
            otlp=request.encoding == api.ENCODING_OTLP,
            after=token.position if token else after,
            first_total=token.total if token else None if after is None else UNCOUNTED,
            room=max(LEAST_ROOM, REPLIES_HELD * self._limits.max_reply_bytes),
        )
        plan.limit = self._limit(request.limit, plan.warnings)
        if request.service_name:
            self._want_text(plan, "service_name", services.normal(request.service_name))
        self._want_attributes(plan, request.attributes)
        return plan

    def _limit(self, limit: int, warnings: list[str]) -> int:
        cap = self._limits.max_limit
        if limit < 0:
            raise InvalidQuery(f"limit is {limit}; it must be 0 (the agent's maximum, {cap}) to {cap}")
        if limit > cap:
            warnings.append(f"limit {limit} was lowered to {cap}, this agent's maximum")
        return min(limit, cap) or cap

    def _step(self, plan: Plan, step_ns: int, now_ns: int) -> int:
        """A step that cuts the window into at most ``MAX_STEPS``."""
        if plan.otlp or plan.after is not None:
            raise InvalidQuery("step goes with neither encoding nor page_token: series have their own form")
        if plan.window.start_ns is None:
            raise InvalidQuery("step needs a start_time: without one the window has no length")
        if plan.rechecks:
            raise InvalidQuery("step cannot be combined with a filter on a scrubbed value; ask for data points")
        length = (plan.window.end_ns or now_ns) - plan.window.start_ns
        least = max(MILLISECOND_NS, -(-length // MAX_STEPS))
        if step_ns < least:
            raise InvalidQuery(f"step is {step_ns / 1e9:g} s; for this window it must be at least {least / 1e9:g} s")
        return step_ns

    def _want_text(self, plan: Plan, column: str, wanted: str) -> None:
        scrubber = self._scrubbers[plan.signal]
        if not scrubber.keeps(wanted):
            plan.nothing = True
        elif scrubber.may_produce(wanted):
            plan.rechecks.append(Recheck(column, wanted))
        else:
            plan.equal[column] = wanted

    def _want_words(self, plan: Plan, text: str) -> None:
        scrubber = self._scrubbers[plan.signal]
        if scrubber.is_off:
            plan.text = text
        elif not scrubber.keeps_body(text):
            plan.nothing = True  # no scrubbed body holds it, and how many raw ones do must not show
        elif may_be_a_mark(text):
            plan.rechecks.append(Recheck("text", text))
        else:
            plan.text = text
            plan.rechecks.append(Recheck("unmarked", text))

    def _want_attributes(self, plan: Plan, filters: Sequence[api.AttributeFilter]) -> None:
        if len(filters) > MAX_ATTRIBUTE_FILTERS:
            raise InvalidQuery(f"attributes has {len(filters)} filters; at most {MAX_ATTRIBUTE_FILTERS} are allowed")
        scrubber = self._scrubbers[plan.signal]
        for wanted in filters:
            if not wanted.key:
                raise InvalidQuery("an entry of attributes has an empty key; give the attribute's key")
            wires = values.wire_forms(wanted.key, wanted.value)
            stable = [wire for wire in wires if scrubber.keeps_attribute(wire)]
            if scrubber.may_produce(wanted.value) or scrubber.may_produce(wanted.key):
                plan.rechecks.append(Recheck("attributes", wanted.value, wanted.key))
            elif stable:
                plan.attributes.append(stable)
            else:
                plan.nothing = True
