"""What can be typed behind a command: the words an option knows, and how values are read."""

from __future__ import annotations

import datetime as dt
import enum
from pathlib import Path
from typing import Annotated

import typer
from coral.agent.v1 import telemetry_query_pb2 as api
from google.protobuf.timestamp_pb2 import Timestamp

from agent.endpoint import Endpoint
from agent.quantity import Duration

LEVELS = {"trace": 1, "debug": 5, "info": 9, "warn": 13, "error": 17, "fatal": 21}
"""Where the six ranges of OTLP's severity numbers begin."""

_MAX_SEVERITY = 24
_MILLISECOND_NS = 1_000_000


class Output(enum.StrEnum):
    """How an answer is printed."""

    TABLE = "table"
    JSON = "json"


class Order(enum.StrEnum):
    """Which spans come first."""

    NEWEST = "newest"
    OLDEST = "oldest"
    SLOWEST = "slowest"


class TimeOrder(enum.StrEnum):
    """Which log records and data points come first: they have no duration."""

    NEWEST = "newest"
    OLDEST = "oldest"


class MetricKind(enum.StrEnum):
    """OTLP's five kinds of metric."""

    GAUGE = "gauge"
    SUM = "sum"
    HISTOGRAM = "histogram"
    EXPONENTIAL_HISTOGRAM = "exponential-histogram"
    SUMMARY = "summary"


class Kind(enum.StrEnum):
    """OTLP's span kinds."""

    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"


def duration(text: str) -> Duration:
    """A duration as people write it."""
    try:
        return Duration.of(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def whole_ms(text: str) -> int:
    """A duration in the milliseconds that a query takes."""
    found = duration(text)
    if found.ns % _MILLISECOND_NS:
        raise typer.BadParameter('queries count whole milliseconds; write one like "250ms"')
    return found.ns // _MILLISECOND_NS


def level(text: str) -> int:
    """A least severity: OTLP's number, or where a word begins."""
    number = LEVELS.get(text.lower()) or (int(text) if text.isascii() and text.isdigit() and len(text) <= 2 else 0)
    if not 1 <= number <= _MAX_SEVERITY:
        raise typer.BadParameter(f"write {', '.join(LEVELS)}, or OTLP's number, 1 to {_MAX_SEVERITY}")
    return number


def rfc3339(text: str) -> Timestamp:
    """A moment with its offset from UTC."""
    try:
        time = dt.datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise typer.BadParameter("write RFC 3339 with an offset, like 2026-01-31T12:00:00Z or 2026-01-31T13:00:00+01:00")
    found = Timestamp()
    found.FromDatetime(time)
    return found


def attribute(text: str) -> api.AttributeFilter:
    """``key=value``; the value is all behind the first equals sign."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise typer.BadParameter("write key=value, like http.response.status_code=500")
    return api.AttributeFilter(key=key, value=value)


def endpoint(given: str | Endpoint) -> Endpoint:
    """An agent's address; typer sends the default through here too."""
    try:
        return given if isinstance(given, Endpoint) else Endpoint.parse(given)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Else $CORAL_AGENT_CONFIG, ./coral-agent.toml, /etc/coral/agent.toml, or the defaults.",
    ),
]
FollowOption = Annotated[
    bool,
    typer.Option(
        "--follow",
        "-f",
        help="Print those of the last 10s (else --last), then what comes in, oldest first, until Ctrl-C; JSON is one object "
        "a line. --order and --limit do not count.",
    ),
]
