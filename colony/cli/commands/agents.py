"""The agents and the configuration: the commands ``agents`` and ``check``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table
from rich.text import Text

from colony.cli.commands.program import ConfigOption, Output, OutputOption, asked, commands, loaded, print_json, print_page
from colony.cli.text import cell, duration_text, safe
from colony.config.keys import effective_toml
from colony.outcome import Result

if TYPE_CHECKING:
    from colony.app import Rooms
    from colony.registry.agents import Known


@commands.command()
def agents(config: ConfigOption = None, output: OutputOption = Output.TABLE) -> None:
    """Show who answers, which services they have, how fresh that is and how wrong their clocks are."""

    async def told(rooms: Rooms) -> tuple[list[Known], dict[str, str], int]:
        return rooms.desk.agents, rooms.desk.registry.faults, rooms.clock.now_ns()

    found, faults, now_ns = asked(config, told)
    if output is Output.JSON:
        print_json({"agents": [_json(known) for known in found], "faults": faults})
    else:
        lines = [Text(safe(f"warning: {source}: {fault}"), "yellow") for source, fault in sorted(faults.items())]
        print_page([_table(found, now_ns), *lines] if found else [Text("no agents are known", "yellow"), *lines])
    if not any(known.result is Result.ANSWERED for known in found):
        raise typer.Exit(1)


@commands.command()
def check(config: ConfigOption = None) -> None:
    """Validate a configuration and print the effective one."""
    sys.stdout.write(effective_toml(loaded(config)))


def _table(found: list[Known], now_ns: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("AGENT", "ADDRESS", "STATE", "VERSION", "CLOCK", "NEWEST", "SERVICES"):
        table.add_column(name, no_wrap=name in ("STATE", "CLOCK", "NEWEST"))
    for known in found:
        inventory = known.inventory
        table.add_row(
            cell(known.name, "bold"),
            cell(str(known.endpoint), "dim"),
            _state(known),
            cell(inventory.version if inventory else "-"),
            "-" if inventory is None else f"{inventory.offset_ns / 1e9:+.3f}s ±{inventory.offset_error_ns / 1e9:.3f}s",
            _newest(known, now_ns),
            Text(safe(", ".join(_services(known)) or "-")),
        )
    return table


def _state(known: Known) -> Text:
    if known.stands_behind:
        return Text(safe(f"same as {known.stands_behind}"), "dim")
    word = known.result.value.replace("_", " ") if known.result else "new"
    if known.shares_id:
        word += ", shares its id"
    return cell(word, "green" if word == "answered" else "yellow")


def _services(known: Known) -> list[str]:
    return sorted({name for services in known.inventory.services.values() for name in services}) if known.inventory else []


def _newest(known: Known, now_ns: int) -> str:
    """How long ago the newest record was, by the agent's own clock."""
    if known.inventory is None:
        return "-"
    times = [kept.latest_ns for services in known.inventory.services.values() for kept in services.values()]
    if not times:
        return "nothing kept"
    return f"{duration_text(max(0, now_ns + known.inventory.offset_ns - max(times)) // 1000)} ago"


def _json(known: Known) -> dict[str, Any]:
    inventory = known.inventory
    return {
        "agent": known.name,
        "address": str(known.endpoint),
        "state": known.result.value if known.result else "new",
        "reason": known.reason,
        "same_as": known.stands_behind,
        "shares_id": known.shares_id,
        "version": inventory.version if inventory else None,
        "clock_offset_ns": inventory.offset_ns if inventory else None,
        "clock_offset_error_ns": inventory.offset_error_ns if inventory else None,
        "polled_ns": known.polled_ns,
        "services": _services(known),
    }
