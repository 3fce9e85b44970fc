"""A request becomes a Plan: every limit, every default and the own-services condition live here; pure.

What a caller asks for is compared with scrubbed values only. A wanted value that the rules would change matches nothing.
One that a rule may have produced (``[REDACTED:…]``, ``hmac:…``) cannot be looked for in stored raw data: it becomes a
condition that is checked on scrubbed rows. Every other value equals its scrubbed self and goes into SQL.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field

from coral.agent.v1 import telemetry_query_pb2 as api

from agent import services, values
from agent.batch import Signal
from agent.clock import SECOND_NS
from agent.errors import InvalidQuery
from agent.query.page import PageToken, Position, Window, fingerprint_of
from agent.scrub.scrubber import Scrubber
from agent.services import OwnServices

MILLISECOND_NS = SECOND_NS // 1000
MAX_OFFSET = 1_000_000
MAX_ATTRIBUTE_FILTERS = 32


class Order(enum.StrEnum):
    """How rows are ordered; the arrival number breaks ties in the same direction."""

    NEWEST = "newest"
    OLDEST = "oldest"
    SLOWEST = "slowest"


@dataclass(frozen=True, slots=True)
class Recheck:
    """A condition that only scrubbed rows can answer: a flat field, or the attribute ``key``, has this text."""

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

    ``equal`` maps columns to wanted values, ``attributes`` holds for each filter the wire forms of which one must be there,
    ``own`` the services to which rows are limited (None: all). ``nothing`` is true when no scrubbed row can match.
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
    min_duration_ns: int | None = None
    max_duration_ns: int | None = None
    attributes: list[list[bytes]] = field(default_factory=list)
    rechecks: list[Recheck] = field(default_factory=list)
    nothing: bool = False
    after: Position | None = None
    first_total: tuple[int, bool] | None = None
    warnings: list[str] = field(default_factory=list)


class Planner:
    """Makes Plans for one agent: its limits, its own services and its scrub rules."""

    def __init__(self, limits: Limits, own: OwnServices, scrubber: Scrubber) -> None:
        self._limits = limits
        self._own = own
        self._scrubber = scrubber

    def spans(self, request: api.QuerySpansRequest, now_ns: int) -> Plan:
        """The plan of QuerySpans.

        Raises:
            InvalidQuery: a field cannot be; names field, value and what is allowed.
        """
        fingerprint = _fingerprint("QuerySpans", request)
        token = _token(request.page_token, request.offset, fingerprint)
        trace = _hex_id("trace_id", request.trace_id, 16) if request.HasField("trace_id") else None
        plan = Plan(
            signal=Signal.TRACES,
            window=token.window if token else self._window(request, now_ns, everything=trace is not None),
            order=_order(request.order),
            limit=0,
            offset=_between("offset", request.offset, 0, MAX_OFFSET),
            fingerprint=fingerprint,
            own=tuple(sorted(self._own.names)) or None,
            otlp=request.encoding == api.ENCODING_OTLP,
            after=token.position if token else None,
            first_total=token.total if token else None,
        )
        plan.limit = self._limit(request.limit, plan.warnings)
        if trace is not None:
            plan.equal["trace_id_high"] = int.from_bytes(trace[:8], "little")
            plan.equal["trace_id_low"] = int.from_bytes(trace[8:], "little")
        if request.service_name:
            self._want_text(plan, "service_name", services.normal(request.service_name))
        if request.HasField("operation_name"):
            self._want_text(plan, "name", request.operation_name)
        if request.HasField("kind"):
            plan.equal["kind"] = int(request.kind)
        if request.errors_only:
            plan.equal["status_code"] = int(api.STATUS_CODE_ERROR)
        _durations(plan, request)
        self._want_attributes(plan, request.attributes)
        return plan

    def _window(self, request: api.QuerySpansRequest, now_ns: int, *, everything: bool) -> Window:
        start = request.start_time.ToNanoseconds() if request.HasField("start_time") else None
        end = request.end_time.ToNanoseconds() if request.HasField("end_time") else None
        if start is not None and end is not None and start >= end:
            raise InvalidQuery("start_time must be before end_time: the window [start_time, end_time) is empty")
        if start is None and end is None and not everything:
            start = now_ns - self._limits.default_window_ns
        return Window(start, end)

    def _limit(self, limit: int, warnings: list[str]) -> int:
        cap = self._limits.max_limit
        if limit < 0:
            raise InvalidQuery(f"limit is {limit}; it must be 0 (the agent's maximum, {cap}) to {cap}")
        if limit > cap:
            warnings.append(f"limit {limit} was lowered to {cap}, this agent's maximum")
        return min(limit, cap) or cap

    def _want_text(self, plan: Plan, column: str, wanted: str) -> None:
        if self._scrubber.text(wanted) != wanted:
            plan.nothing = True
        elif self._scrubber.may_produce(wanted):
            plan.rechecks.append(Recheck(column, wanted))
        else:
            plan.equal[column] = wanted

    def _want_attributes(self, plan: Plan, filters: Sequence[api.AttributeFilter]) -> None:
        if len(filters) > MAX_ATTRIBUTE_FILTERS:
            raise InvalidQuery(f"attributes has {len(filters)} filters; at most {MAX_ATTRIBUTE_FILTERS} are allowed")
        for wanted in filters:
            if not wanted.key:
                raise InvalidQuery("an entry of attributes has an empty key; give the attribute's key")
            wires = values.wire_forms(wanted.key, wanted.value)
            stable = [wire for wire in wires if self._scrubber.attribute(wire) == wire]
            if self._scrubber.may_produce(wanted.value) or self._scrubber.may_produce(wanted.key):
                plan.rechecks.append(Recheck("attributes", wanted.value, wanted.key))
            elif stable:
                plan.attributes.append(stable)
            else:
                plan.nothing = True


def _durations(plan: Plan, request: api.QuerySpansRequest) -> None:
    for name in ("min_duration_ms", "max_duration_ms"):
        if request.HasField(name):
            wanted = _between(name, getattr(request, name), 0, 2**63 // MILLISECOND_NS - 1)
            if name == "max_duration_ms":
                plan.max_duration_ns = wanted * MILLISECOND_NS
            elif wanted:  # 0 is no bound: it keeps spans that end before they start
                plan.min_duration_ns = wanted * MILLISECOND_NS


def _order(order: api.Order) -> Order:
    known = {
        api.ORDER_UNSPECIFIED: Order.NEWEST,
        api.ORDER_NEWEST: Order.NEWEST,
        api.ORDER_OLDEST: Order.OLDEST,
        api.ORDER_SLOWEST: Order.SLOWEST,
    }
    if order not in known:
        raise InvalidQuery(f"order is {int(order)}; it must be one of {', '.join(api.Order.keys())}")
    return known[order]


def _between(name: str, value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise InvalidQuery(f"{name} is {value}; it must be {low} to {high}")
    return value


def _hex_id(name: str, text: str, size: int) -> bytes:
    try:
        decoded = bytes.fromhex(text)
    except ValueError:
        decoded = b""
    if len(decoded) != size or len(text) != 2 * size:
        raise InvalidQuery(f"{name} has {len(text)} characters; it must be {2 * size} hexadecimal digits")
    return decoded


def _fingerprint(rpc: str, request: api.QuerySpansRequest) -> bytes:
    """What a page token belongs to: the RPC and every filter, without the paging itself."""
    bare = type(request)()
    bare.CopyFrom(request)
    for name in ("limit", "offset", "page_token", "encoding"):
        bare.ClearField(name)
    return fingerprint_of(rpc, bare.SerializeToString(deterministic=True))


def _token(text: str, offset: int, fingerprint: bytes) -> PageToken | None:
    if not text:
        return None
    if offset:
        raise InvalidQuery("offset and page_token exclude each other; a page_token already knows its place")
    return PageToken.decode(text, fingerprint)
