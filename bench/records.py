"""Log records and data points: the usual ones of a shop's services, and the adversarial ones."""

from __future__ import annotations

from bench.sheet import LONG, Sheet, Value, attribute_list, text_of
from bench.template import Hole, Kind, Piece, fixed64, message, number

RECORDS = 512
_SECOND = 1_000_000_000
_MESSAGES = (
    ("payment of order ", " was accepted by the provider after one attempt"),
    ("cart ", " has been restored from the session store"),
    ("cache miss for product ", ", asking the catalogue"),
    ("slow query on accounts ", ", took longer than 250 ms"),
)
_LEVELS = ((9, "INFO"), (9, "INFO"), (9, "INFO"), (5, "DEBUG"), (13, "WARN"), (17, "ERROR"))
_METRICS = ("http.server.active_requests", "process.memory.usage", "db.client.connection.count", "cache.entries")


def _in_scope(records: list[Piece]) -> list[Piece]:
    scope = message(1, *message(1, b"shop.instrumentation"), *message(2, b"0.66b1"))
    return message(2, *scope, *records)


def _log(sheet: Sheet, at: int, body: list[Piece], attributes: dict[str, Value]) -> list[Piece]:
    severity, text = sheet.dice.choice(_LEVELS)
    moment = sheet.moment(at * _SECOND // RECORDS)
    fields = [*fixed64(1, moment), *number(2, severity), *message(3, text.encode()), *message(5, *message(1, *body))]
    fields += attribute_list(6, attributes)
    ids = [*message(9, sheet.hole(Kind.BYTES, 16)), *message(10, sheet.hole(Kind.BYTES, 8))]
    return message(2, *fields, *ids, *fixed64(11, moment))


def log_request(sheet: Sheet, _sender: int, shape: str) -> tuple[list[Piece], int]:
    """A scope with its log records (six attributes each), as the field of a ResourceLogs, and how many."""
    records: list[Piece] = []
    for at in range(RECORDS):
        if shape == "usual":
            before, after = sheet.dice.choice(_MESSAGES)
            body: list[Piece] = [before.encode(), sheet.hole(Kind.DIGITS, 8), after.encode()]
            attributes: dict[str, Value] = {
                "code.function.name": sheet.pick("shop.pay", "shop.cart.restore", "shop.catalog.find"),
                "code.line.number": sheet.dice.randrange(20, 800),
                "thread.name": f"worker-{sheet.dice.randrange(16)}",
                "app.tenant": f"tenant-{sheet.dice.randrange(40)}",
                "app.request.id": sheet.hole(Kind.HEX, 16),
                "app.amount_cents": sheet.hole(Kind.VARINT, 3),
            }
        else:
            body = [sheet.hole(Kind.TEXT, LONG)]
            attributes = {f"key.{i:02d}": sheet.hole(Kind.TEXT, LONG) for i in range(6)}
        records += _log(sheet, at, body, attributes)
    return _in_scope(records), RECORDS


def _value(shape: str, sheet: Sheet) -> Hole:
    return sheet.hole(Kind.BYTES, 8) if shape == "usual" else sheet.hole(Kind.TEXT, 8)


def point_request(sheet: Sheet, _sender: int, shape: str) -> tuple[list[Piece], int]:
    """A scope with gauges of 32 points (three attributes each), as the field of a ResourceMetrics, and how many points."""
    metrics: list[Piece] = []
    for number_of in range(RECORDS // 32):
        points: list[Piece] = []
        for at in range(32):
            attributes: dict[str, Value] = {
                "http.route": f"/api/v1/orders/{at}",
                "host.name": f"node-{at % 8}",
                "state": sheet.pick("idle", "used"),
            }
            if shape == "adversarial":
                attributes = {key: sheet.hole(Kind.TEXT, LONG) for key in attributes}
            moment = sheet.moment(at * _SECOND // 32)
            # Field 4, as_double: any eight bytes are one.
            point = [*fixed64(3, moment), *fixed64(4, _value(shape, sheet)), *attribute_list(7, attributes)]
            points += message(1, *point)
        name = f"{_METRICS[number_of % len(_METRICS)]}.{number_of}"
        metrics += message(2, *message(1, *text_of(name)), *message(3, b"1"), *message(5, *points))
    return _in_scope(metrics), RECORDS
