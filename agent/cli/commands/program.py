"""What every command stands on: the program, how it ends, who answers it, and how an answer is printed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import grpc
import typer
from coral.agent.v1 import telemetry_query_pb2_grpc as rpc
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console, RenderableType
from rich.text import Text

from agent import errors
from agent.cli import ask
from agent.cli.page import warning_lines
from agent.cli.text import safe
from agent.config.model import Config

REFUSED = 2
"""Exit code for what was typed or configured; 1 is for what an agent answered."""

_PIPED_WIDTH = 160
"""Columns when no terminal says how wide it is."""

commands = typer.Typer(
    name="coral-agent",
    help="Keep a node's telemetry for an hour, and answer questions about it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def fail(message: str, code: int) -> NoReturn:
    """End with ``message`` on standard error."""
    for line in message.splitlines():
        sys.stderr.write(f"{safe(line)}\n")
    raise typer.Exit(code)


def loaded(path: Path | None, overrides: Mapping[str, Any] | None = None) -> Config:
    """The configuration; its problems end the program."""
    try:
        return Config.load(path, os.environ, overrides)
    except errors.ConfigError as error:
        fail(error.message, REFUSED)


def console() -> Console:
    """Standard output for people: nothing in a text is markup."""
    has_width = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if has_width else _PIPED_WIDTH, highlight=False, markup=False, emoji=False)


@contextmanager
def agent_at(target: ask.Target) -> Iterator[rpc.TelemetryQueryStub]:
    """An agent to ask; what it refuses ends the program."""
    try:
        with ask.asking(target) as stub:
            yield stub
    except grpc.RpcError as error:
        fail(ask.explained(error, target), 1)
    except BrokenPipeError:
        raise  # whoever read our output has gone; typer ends quietly
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}; --tls-ca, --tls-cert and --tls-key name PEM files", REFUSED)


def print_json(message: Message, *, indent: int | None = 2) -> None:
    """One object; ASCII only, so that a C1 control in telemetry cannot reach the terminal."""
    document = MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    sys.stdout.write(json.dumps(document, indent=indent) + "\n")


def print_rows(out: Console, rows: Iterable[RenderableType]) -> None:
    """Tables as wide as the terminal; lines are never cut, a token is there to be copied."""
    for row in rows:
        out.print(row, soft_wrap=isinstance(row, Text))


def print_page(rows: Iterable[RenderableType], footer: Text | None, warnings: Iterable[str]) -> None:
    """Rows, the line under them, and what the answer leaves out."""
    print_rows(console(), [*rows, *([footer] if footer else []), *warning_lines(warnings)])
