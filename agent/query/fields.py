"""What each field of a request may be: checks that name field, value and what is allowed; pure."""

from __future__ import annotations

import enum
from typing import TypeVar

from coral.agent.v1 import telemetry_query_pb2 as api
from google.protobuf.message import Message

from agent.clock import SECOND_NS
from agent.errors import InvalidQuery
from agent.query.page import PageToken, Position, Window, fingerprint_of

MILLISECOND_NS = SECOND_NS // 1000
MAX_OFFSET = 100_000
"""Every skipped row is looked at: a page_token skips for nothing."""

Request = TypeVar("Request", api.QuerySpansRequest, api.QueryLogsRequest, api.QueryMetricsRequest)
Windowed = api.QuerySpansRequest | api.QueryLogsRequest | api.QueryMetricsRequest | api.ListNamesRequest


class Order(enum.StrEnum):
    """How rows are ordered; the arrival number breaks ties in the same direction."""

    NEWEST = "newest"
    OLDEST = "oldest"
    SLOWEST = "slowest"


_ORDERS = {
    api.ORDER_UNSPECIFIED: Order.NEWEST,
    api.ORDER_NEWEST: Order.NEWEST,
    api.ORDER_OLDEST: Order.OLDEST,
    api.ORDER_SLOWEST: Order.SLOWEST,
}


def order(wanted: api.Order, *, durations: bool) -> Order:
    """The order of a request; ``durations`` says whether its rows have one."""
    names = [name for name, _ in api.Order.items() if durations or name != "ORDER_SLOWEST"]
    found = _ORDERS.get(wanted)
    if found is None or (found is Order.SLOWEST and not durations):
        raise InvalidQuery(f"order is {int(wanted)}; it must be one of {', '.join(names)}")
    return found


def window(request: Windowed, now_ns: int, default_window_ns: int, *, everything: bool) -> Window:
    """The window of a request: what it says, else the default one, else (``everything``) all that is kept."""
    start = _clamped(request.start_time.ToNanoseconds()) if request.HasField("start_time") else None
    end = request.end_time.ToNanoseconds() if request.HasField("end_time") else None
    if end is not None:
        end = None if end > 2**63 - 1 else _clamped(end)  # no record is later: the end is no bound
    if start is not None and end is not None and start >= end:
        raise InvalidQuery("start_time must be before end_time: the window [start_time, end_time) is empty")
    if start is None and end is None and not everything:
        start = now_ns - default_window_ns
    return Window(start, end)


def _clamped(time_ns: int) -> int:
    """A Timestamp reaches from the year 1 to 9999, a column only from 1677 to 2262; beyond, nothing is."""
    return max(-(2**63), min(time_ns, 2**63 - 1))


def between(name: str, value: int, low: int, high: int) -> int:
    """``value`` when it is within both bounds."""
    if not low <= value <= high:
        raise InvalidQuery(f"{name} is {value}; it must be {low} to {high}")
    return value


def hex_id(name: str, text: str, size: int) -> bytes:
    """An id of ``size`` bytes from its hexadecimal digits, in either case."""
    try:
        decoded = bytes.fromhex(text)
    except ValueError:
        decoded = b""
    if len(decoded) != size or len(text) != 2 * size:
        raise InvalidQuery(f"{name} has {len(text)} characters; it must be {2 * size} hexadecimal digits")
    return decoded


def trace_columns(text: str) -> dict[str, object]:
    """The columns that a trace id is compared with."""
    trace = hex_id("trace_id", text, 16)
    return {
        "trace_id_high": int.from_bytes(trace[:8], "little"),
        "trace_id_low": int.from_bytes(trace[8:], "little"),
    }


def fingerprint(rpc: str, request: Request) -> bytes:
    """What a page token belongs to: the RPC and every filter, without the paging itself."""
    bare: Message = type(request)()
    bare.CopyFrom(request)
    for name in ("limit", "offset", "page_token", "after", "encoding"):
        bare.ClearField(name)
    return fingerprint_of(rpc, bare.SerializeToString(deterministic=True))


def token(text: str, offset: int, mark: bytes) -> PageToken | None:
    """The page token of a request; None without one."""
    if not text:
        return None
    if offset:
        raise InvalidQuery("offset and page_token exclude each other; a page_token already knows its place")
    return PageToken.decode(text, mark)


def after(request: Request) -> Position | None:
    """The row that a request goes on behind without a token; None without one."""
    if not request.HasField("after"):
        return None
    if request.offset or request.page_token:
        raise InvalidQuery("after excludes offset and page_token: each says where to begin")
    return Position(request.after.key, request.after.position)
