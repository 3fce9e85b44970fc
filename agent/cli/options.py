"""What can be typed behind a command: the options that several share, and how their values are read."""

from __future__ import annotations

import datetime as dt
import enum
from pathlib import Path
from typing import Annotated

import typer
from coral.agent.v1 import telemetry_query_pb2 as api
from google.protobuf.timestamp_pb2 import Timestamp

from agent.cli.ask import DEFAULT_TARGET, Target
from agent.endpoint import Endpoint
from agent.quantity import Duration

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


def target_of(
    at: Endpoint, ca_file: Path | None, cert_file: Path | None, key_file: Path | None, server_name: str | None
) -> Target:
    """Which agent to ask; half a set of TLS options is refused, it would ask in plaintext or as nobody."""
    if ca_file is None and (cert_file or key_file or server_name):
        raise typer.BadParameter("give --tls-ca too: without it there is no TLS")
    if (cert_file is None) != (key_file is None):
        raise typer.BadParameter("give --tls-cert and --tls-key together")
    return Target(at, ca_file, cert_file, key_file, server_name)


def _file(name: str, meaning: str) -> object:
    return typer.Option(name, metavar="FILE", help=meaning, exists=True, dir_okay=False, rich_help_panel="Connection")


TargetOption = Annotated[
    Endpoint,
    typer.Option(
        "--target",
        metavar="HOST:PORT",
        help="The agent's query address.",
        envvar="CORAL_AGENT__QUERY__ENDPOINT",
        show_envvar=True,
        parser=endpoint,
        rich_help_panel="Connection",
    ),
]
CaOption = Annotated[Path | None, _file("--tls-ca", "Speak TLS; the agent's certificate must come from this authority.")]
CertOption = Annotated[Path | None, _file("--tls-cert", "Our certificate, PEM.")]
KeyOption = Annotated[Path | None, _file("--tls-key", "Its private key, PEM.")]
ServerNameOption = Annotated[
    str | None,
    typer.Option(
        "--tls-server-name", metavar="NAME", help="The name in the agent's certificate.", rich_help_panel="Connection"
    ),
]
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="A table for people or JSON for programs.")]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Else $CORAL_AGENT_CONFIG, ./coral-agent.toml, /etc/coral/agent.toml, or the defaults.",
    ),
]
TARGET = Endpoint.parse(DEFAULT_TARGET)
