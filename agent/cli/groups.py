"""Options that commands have together: how to reach an agent, which records, which page of them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
from coral.agent.v1 import telemetry_query_pb2 as api
from google.protobuf.timestamp_pb2 import Timestamp

from agent.cli import options
from agent.cli.ask import DEFAULT_TARGET, Target
from agent.cli.options import Output
from agent.clock import SystemClock
from agent.endpoint import Endpoint
from agent.quantity import Duration

_TARGET = Endpoint.parse(DEFAULT_TARGET)


def _file(name: str, meaning: str) -> object:
    return typer.Option(name, metavar="FILE", help=meaning, exists=True, dir_okay=False, rich_help_panel="Connection")


@dataclass(frozen=True, kw_only=True)
class Asking:
    """Which agent to ask, and how to print its answer."""

    output: Annotated[Output, typer.Option("--output", "-o", help="A table for people or JSON for programs.")] = Output.TABLE
    target: Annotated[
        Endpoint,
        typer.Option(
            "--target",
            metavar="HOST:PORT",
            help="The agent's query address.",
            envvar="CORAL_AGENT__QUERY__ENDPOINT",
            show_envvar=True,
            parser=options.endpoint,
            rich_help_panel="Connection",
        ),
    ] = _TARGET
    tls_ca: Annotated[Path | None, _file("--tls-ca", "Speak TLS; the agent's certificate must come from this authority.")] = (
        None
    )
    tls_cert: Annotated[Path | None, _file("--tls-cert", "Our certificate, PEM.")] = None
    tls_key: Annotated[Path | None, _file("--tls-key", "Its private key, PEM.")] = None
    tls_server_name: Annotated[
        str | None,
        typer.Option(
            "--tls-server-name", metavar="NAME", help="The name in the agent's certificate.", rich_help_panel="Connection"
        ),
    ] = None

    def agent(self) -> Target:
        """Which agent to ask; half a set of TLS options is refused, it would ask in plaintext or as nobody."""
        if self.tls_ca is None and (self.tls_cert or self.tls_key or self.tls_server_name):
            raise typer.BadParameter("give --tls-ca too: without it there is no TLS")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise typer.BadParameter("give --tls-cert and --tls-key together")
        return Target(self.target, self.tls_ca, self.tls_cert, self.tls_key, self.tls_server_name)


@dataclass(frozen=True, kw_only=True)
class Windowed(Asking):
    """Of which service, and when."""

    service: Annotated[str, typer.Option("--service", "-s", help="Exact name; else every service.")] = ""
    last: Annotated[
        Duration | None, typer.Option("--last", "-l", metavar="5m", parser=options.duration, help="Look back this far.")
    ] = None
    start: Annotated[
        Timestamp | None, typer.Option(metavar="RFC3339", parser=options.rfc3339, help="From then, inclusive.")
    ] = None
    end: Annotated[Timestamp | None, typer.Option(metavar="RFC3339", parser=options.rfc3339, help="Until then, exclusive.")] = (
        None
    )

    def begins(self) -> Timestamp | None:
        """The window's start: ``--last`` counts back from now."""
        if self.last is None:
            return self.start
        if self.start or self.end:
            raise typer.BadParameter("give --last, or --start and --end, not both")
        found = Timestamp()
        found.FromNanoseconds(SystemClock().now_ns() - self.last.ns)
        return found

    def narrowing(self) -> dict[str, Any]:
        """The request's fields of these options."""
        return {"service_name": self.service, "start_time": self.begins(), "end_time": self.end}


@dataclass(frozen=True, kw_only=True)
class Paged(Windowed):
    """Which records, and which page of them."""

    attribute: Annotated[
        list[api.AttributeFilter] | None,
        typer.Option("--attribute", "-a", metavar="KEY=VALUE", parser=options.attribute, help="All given must match."),
    ] = None
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=0, help="Rows, else 100; 0: as many as the agent gives.")
    ] = None
    offset: Annotated[int, typer.Option(min=0, help="Rows to skip; --page-token is exact.")] = 0
    page_token: Annotated[str, typer.Option(help="Go on where a page ended; repeat the filters.")] = ""

    def narrowing(self) -> dict[str, Any]:
        """The request's fields of these options."""
        return super().narrowing() | {
            "attributes": self.attribute,
            "limit": 100 if self.limit is None else self.limit,
            "offset": self.offset,
            "page_token": self.page_token,
        }


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Let typer see the fields of each parameter that is a dataclass of options; the command is given the dataclass."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}

    @functools.wraps(command)
    def called(**given: Any) -> None:  # noqa: ANN401 whatever the options say
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        command(**given)

    seen: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        group = groups.get(parameter.name)
        seen += _parameters(group) if group else [parameter.replace(annotation=hints[parameter.name])]
    called.__signature__ = inspect.Signature(seen)  # type: ignore[attr-defined] # inspect reads it, mypy does not know it
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in seen}
    return called


def _parameters(group: type[Any]) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name])
        for field in fields(group)
    ]
