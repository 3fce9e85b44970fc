"""Other people's servers: the command ``upstreams``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import typer
import uvloop
from rich.table import Table
from rich.text import Text

from colony.cli.commands.program import ConfigOption, Output, OutputOption, commands, loaded, print_json, print_page
from colony.cli.text import cell, safe
from colony.config.model import Config
from colony.log import set_up_logging

if TYPE_CHECKING:
    from colony.upstream.client import Status

_LONGEST_TOOLS = 6


@commands.command()
def upstreams(config: ConfigOption = None, output: OutputOption = Output.TABLE) -> None:
    """Connect to each of the other MCP servers and show its state, protocol, tools and last error."""
    effective = loaded(config)
    set_up_logging(effective.log.model_copy(update={"level": "error"}))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(_settled(effective))
    if output is Output.JSON:
        print_json({"upstreams": [_json(status) for status in found]})
    else:
        print_page([_table(found)] if found else [Text("no upstreams are configured", "yellow")])
    if any(status.state.value != "up" for status in found):
        raise typer.Exit(1)


async def _settled(config: Config) -> list[Status]:
    from prometheus_client import CollectorRegistry  # noqa: PLC0415 with the rest

    from colony.app import settings_of  # noqa: PLC0415 DuckDB and Arrow take a second that `check` saves
    from colony.instruments import Instruments  # noqa: PLC0415 likewise
    from colony.upstream.factory import upstreaming  # noqa: PLC0415 likewise

    servers = [settings_of(one) for one in config.upstream]
    async with upstreaming(servers, Instruments(CollectorRegistry())) as opened:
        return await opened.settled()


def _table(found: list[Status]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("UPSTREAM", "KIND", "STATE", "PROTOCOL", "SERVER", "TOOLS", "LAST ERROR"):
        table.add_column(name, no_wrap=name in ("STATE", "PROTOCOL"))
    for status in found:
        table.add_row(
            cell(status.name, "bold"),
            cell(status.kind),
            cell(status.state.value, "green" if status.state.value == "up" else "yellow"),
            cell(status.era or "-"),
            cell(status.server or "-"),
            Text(safe(_tools(status))),
            Text(safe(status.last_fault or "-")),
        )
    return table


def _tools(status: Status) -> str:
    names = [tool.name[:64] for tool in status.tools]
    more = f" and {len(names) - _LONGEST_TOOLS} more" if len(names) > _LONGEST_TOOLS else ""
    return ", ".join(names[:_LONGEST_TOOLS]) + more or "-"


def _json(status: Status) -> dict[str, Any]:
    return {
        "name": status.name,
        "kind": status.kind,
        "state": status.state.value,
        "protocol": status.era,
        "server": status.server,
        "tools": [tool.name for tool in status.tools],
        "last_error": status.last_fault,
    }
