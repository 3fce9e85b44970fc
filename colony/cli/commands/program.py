"""What every command stands on: the program, how it ends, the open colony, and how an answer is printed."""

from __future__ import annotations

import asyncio
import enum
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer
import uvloop
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console, RenderableType
from rich.text import Text

from colony import errors
from colony.cli.text import safe
from colony.config.model import Config
from colony.log import set_up_logging
from colony.quantity import Duration

if TYPE_CHECKING:
    from colony.app import Rooms

REFUSED = 2
"""Exit code for what was typed or configured; 1 is for a question that nobody answered."""

_PIPED_WIDTH = 160
Got = TypeVar("Got")

commands = typer.Typer(
    name="coral-colony",
    help="Ask every agent at once, and put their answers together.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


class Output(enum.StrEnum):
    """How an answer is printed."""

    TABLE = "table"
    JSON = "json"


def duration(given: str | Duration) -> Duration:
    """A duration as people write it; typer sends the default through here too."""
    try:
        return Duration.of(given)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Else $CORAL_COLONY_CONFIG, ./coral-colony.toml, /etc/coral/colony.toml, or the defaults.",
    ),
]
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="A table for people or JSON for programs.")]
TimeoutOption = Annotated[Duration, typer.Option("--timeout", metavar="10s", parser=duration, help="Answer within this.")]
ServiceOption = Annotated[str, typer.Option("--service", "-s", help="Exact name; else every service.")]
LastOption = Annotated[Duration, typer.Option("--last", "-l", metavar="5m", parser=duration, help="Look back this far.")]


def fail(message: str, code: int) -> NoReturn:
    """End with ``message`` on standard error."""
    for line in message.splitlines():
        sys.stderr.write(f"{safe(line)}\n")
    raise typer.Exit(code)


def loaded(path: Path | None) -> Config:
    """The configuration; its problems end the program."""
    try:
        return Config.load(path, os.environ)
    except errors.ConfigError as error:
        fail(error.message, REFUSED)


def asked(path: Path | None, ask: Callable[[Rooms], Awaitable[Got]]) -> Got:
    """What ``ask`` gets of a colony opened for it alone, whose agents have been polled once."""
    config = loaded(path)
    set_up_logging(config.log.model_copy(update={"level": "error"}))
    problems: list[str] = []
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_asked(config, ask))
    except* errors.ColonyError as group:
        problems = [error.message for error in leaves(group)]
    fail("\n".join(problems), REFUSED)


async def _asked(config: Config, ask: Callable[[Rooms], Awaitable[Got]]) -> Got:
    from colony.app import opened  # noqa: PLC0415 DuckDB and Arrow take a second that `check` saves

    async with opened(config, keeps_summaries=False) as rooms:
        await rooms.desk.registry.poll()
        return await ask(rooms)


def leaves(group: BaseExceptionGroup[Any]) -> list[Any]:
    """The errors of a group, however deep."""
    found: list[Any] = []
    for error in group.exceptions:
        found += leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


def console() -> Console:
    """Standard output for people: nothing in a text is markup."""
    has_width = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if has_width else _PIPED_WIDTH, highlight=False, markup=False, emoji=False)


def print_page(rows: Iterable[RenderableType]) -> None:
    """Tables as wide as the terminal; lines are never cut, a cursor is there to be copied."""
    out = console()
    for row in rows:
        out.print(row, soft_wrap=isinstance(row, Text))


def print_json(document: object) -> None:
    """One object; ASCII only, so that a C1 control in telemetry cannot reach the terminal."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def as_dict(message: Message) -> dict[str, Any]:
    """A message under its own field names, with every field that has a default."""
    found: dict[str, Any] = MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    return found
