"""Spans: the usual ones of a shop's services, and the adversarial ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.sheet import LONG, SERVICES, Sheet, Value, attribute_list, text_of
from bench.template import Hole, Kind, Piece, fixed64, message, number

SPANS = 512
_SPANS_OF_A_TRACE = 8
_TRACES = SPANS // _SPANS_OF_A_TRACE
_SECOND = 1_000_000_000
_OK, _ERROR = 1, 2
_ROUTES = ("/api/v1/orders/{id}", "/api/v1/carts/{id}/items", "/api/v1/products/{id}", "/api/v1/accounts/{id}/address")
_TABLES = ("orders", "cart_items", "products", "accounts", "shipments")
_CONDITION = "WHERE account_id = $1 AND state = $2 AND updated_at > $3 ORDER BY updated_at DESC LIMIT 50"
_STATUS = (200, 200, 200, 200, 200, 200, 201, 204, 304, 400, 404, 500)
_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
    "okhttp/5.1.0",
    "Go-http-client/2.0",
)

_FLAGS = b"\x85\x01" + (0x101).to_bytes(4, "little")
"""Field 16, fixed32: sampled, and the parent is known to be local."""


@dataclass(frozen=True, slots=True)
class _Event:
    """What the shapes decide of one event."""

    name: str | Hole
    attributes: dict[str, Value]


@dataclass(slots=True)
class _Span:
    """What the shapes decide of one span."""

    name: str | Hole
    kind: int
    attributes: dict[str, Value]
    status: int | None = None
    event: _Event | None = None


def _span(sheet: Sheet, span: _Span, ids: tuple[Hole, Hole, Hole | None], offset_ns: int) -> list[Piece]:
    trace, own, parent = ids
    start = sheet.moment(offset_ns)
    fields = [*message(1, trace), *message(2, own), *(message(4, parent) if parent else [])]
    fields += [*message(5, *text_of(span.name)), *number(6, span.kind), *fixed64(7, start), *fixed64(8, sheet.end(start))]
    fields += attribute_list(9, span.attributes)
    if span.event is not None:
        event = [
            *fixed64(1, sheet.end(start)),
            *message(2, *text_of(span.event.name)),
            *attribute_list(3, span.event.attributes),
        ]
        fields += message(11, *event)
    if span.status is not None:
        fields += message(15, *number(3, span.status))
    return message(2, *fields, _FLAGS)


def _server(sheet: Sheet, peer: str) -> _Span:
    route, method = sheet.pick(*_ROUTES), sheet.pick("GET", "GET", "GET", "POST", "PUT")
    before, after = route.split("{id}")
    status = sheet.dice.choice(_STATUS)
    attributes: dict[str, Value] = {
        "http.request.method": method,
        "http.route": route,
        "url.path": [before.encode(), sheet.hole(Kind.DIGITS, 8), after.encode()],
        "url.scheme": "https",
        "server.address": f"{peer}.shop.example.com",
        "server.port": 8443,
        "client.address": sheet.host(),
        "user_agent.original": sheet.pick(*_AGENTS),
        "http.request.header.x-forwarded-for": f"{sheet.host()}, {sheet.host()}",
        "http.response.status_code": status,
        "http.response.body.size": sheet.hole(Kind.VARINT, 3),
        "app.request.id": sheet.hole(Kind.HEX, 16),
    }
    return _Span(f"{method} {route}", 2, attributes, _ERROR if status == 500 else None)


def _client(sheet: Sheet, peer: str) -> _Span:
    method, status = sheet.pick("GET", "GET", "POST"), sheet.dice.choice(_STATUS)
    attributes: dict[str, Value] = {
        "http.request.method": method,
        "url.full": [f"https://{peer}.shop.example.com/internal/{peer}/".encode(), sheet.hole(Kind.DIGITS, 8), b"?page=1"],
        "server.address": f"{peer}.shop.example.com",
        "server.port": 8443,
        "network.peer.address": sheet.host(),
        "network.peer.port": sheet.dice.randrange(32768, 60999),
        "user_agent.original": "shop-http-client/4.2.1 (python 3.11.13; linux x86_64)",
        "http.request.resend_count": 0,
        "http.response.status_code": status,
        "http.response.body.size": sheet.hole(Kind.VARINT, 3),
        "peer.service": peer,
        "app.request.id": sheet.hole(Kind.HEX, 16),
    }
    return _Span(method, 3, attributes, _ERROR if status == 500 else None)


def _query(sheet: Sheet, peer: str) -> _Span:
    table, verb = sheet.pick(*_TABLES), sheet.pick("SELECT", "SELECT", "INSERT")
    attributes: dict[str, Value] = {
        "db.system.name": "postgresql",
        "db.namespace": f"shop|{peer}",
        "db.operation.name": verb,
        "db.collection.name": table,
        "db.query.text": f"{verb} id, account_id, state, currency, total, created_at, updated_at FROM {table} {_CONDITION}",
        "db.query.summary": f"{verb} {table}",
        "server.address": "postgres-0.data.svc.cluster.local",
        "server.port": 5432,
        "network.peer.address": sheet.host(),
        "app.response.bytes": sheet.hole(Kind.VARINT, 3),
        "app.pool.connection": f"{peer}-pool-primary-{sheet.dice.randrange(64)}",
        "app.order.id": sheet.hole(Kind.DIGITS, 10),
    }
    return _Span(f"{verb} {table}", 3, attributes)


def _step(sheet: Sheet, peer: str) -> _Span:
    function = sheet.pick("price", "reserve", "validate", "render", "publish")
    attributes: dict[str, Value] = {
        "code.function.name": f"shop.{peer}.pipeline.steps.Pipeline.{function}",
        "code.file.path": f"/usr/lib/python3.11/site-packages/shop/{peer}/pipeline/steps.py",
        "code.line.number": sheet.dice.randrange(20, 800),
        "thread.id": sheet.dice.randrange(64),
        "thread.name": f"worker-{sheet.dice.randrange(16)}",
        "app.tenant": f"tenant-{sheet.dice.randrange(40)}",
        "app.cache.key": [b"price:", sheet.hole(Kind.HEX, 16)],
        "app.cache.hit": sheet.dice.random() < 0.8,
        "app.items": sheet.dice.randrange(1, 30),
        "app.amount_cents": sheet.hole(Kind.VARINT, 3),
        "feature_flag.key": "new-pricing",
        "feature_flag.result.variant": sheet.pick("on", "off"),
    }
    return _Span(function, 1, attributes, _OK)


_IN_A_TRACE: tuple[Callable[[Sheet, str], _Span], ...] = (_server, _step, _query, _client, _query, _step, _client, _query)


def _usual(sheet: Sheet, sender: int) -> list[Piece]:
    """One scope with the spans of interleaved traces."""
    traces = [sheet.hole(Kind.BYTES, 16) for _ in range(_TRACES)]
    own = [sheet.hole(Kind.BYTES, 8) for _ in range(SPANS)]
    order = [(place, trace) for place in reversed(range(_SPANS_OF_A_TRACE)) for trace in range(_TRACES)]
    shaken = sorted(order, key=lambda spot: _SPANS_OF_A_TRACE - spot[0] + sheet.dice.random() * 3)
    spans: list[Piece] = []
    for at, (place, trace) in enumerate(shaken):
        span = _IN_A_TRACE[place](sheet, SERVICES[(sender + place) % len(SERVICES)])
        if at % 5 == 0:
            span.event = _usual_event(sheet)
        parent = own[trace * _SPANS_OF_A_TRACE + (place - 1) // 2] if place else None
        ids = (traces[trace], own[trace * _SPANS_OF_A_TRACE + place], parent)
        spans += _span(sheet, span, ids, at * _SECOND // SPANS + sheet.dice.randrange(2_000_000))
    return spans


def _usual_event(sheet: Sheet) -> _Event:
    return _Event(
        sheet.pick("cache.miss", "retry", "lock.acquired"), {"app.attempt": 1, "app.cache.key": sheet.hole(Kind.HEX, 8)}
    )


def _adversarial(sheet: Sheet, _: int) -> list[Piece]:
    spans: list[Piece] = []
    for at in range(SPANS):
        attributes: dict[str, Value] = {f"key.{i:02d}": sheet.hole(Kind.TEXT, LONG) for i in range(12)}
        span = _Span(sheet.hole(Kind.TEXT, 40), 1 + at % 5, attributes, _ERROR if at % 50 == 0 else None)
        if at % 5 == 0:
            span.event = _Event(sheet.hole(Kind.TEXT, 40), {"note": sheet.hole(Kind.TEXT, LONG)})
        ids = (sheet.hole(Kind.BYTES, 16), sheet.hole(Kind.BYTES, 8), sheet.hole(Kind.BYTES, 8))
        spans += _span(sheet, span, ids, at * _SECOND // SPANS)
    return spans


def trace_request(sheet: Sheet, sender: int, shape: str) -> tuple[list[Piece], int]:
    """A scope with its spans, as the field of a ResourceSpans, and how many spans."""
    spans = (_usual if shape == "usual" else _adversarial)(sheet, sender)
    scope = message(1, *message(1, b"shop.instrumentation"), *message(2, b"0.66b1"))
    return message(2, *scope, *spans), SPANS
