"""The program: argv, configuration, exit codes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import structlog
import typer
import uvloop

from agent import __version__, errors
from agent.cli.commands import REFUSED, commands, console, fail, loaded
from agent.cli.options import ConfigOption
from agent.cli.welcome import welcome
from agent.config.model import Config
from agent.log import set_up_logging
from agent.notify import Systemd

if TYPE_CHECKING:
    from agent.app import Listening

_log = structlog.get_logger(__name__)


@commands.command()
def run(
    config: ConfigOption = None,
    data_dir: Annotated[Path | None, typer.Option(metavar="DIR", help="Counts more than store.dir.")] = None,
) -> None:
    """Run the agent until SIGTERM or SIGINT."""
    overrides = {} if data_dir is None else {"store": {"dir": data_dir}}
    effective = loaded(config, overrides)
    set_up_logging(effective.log)
    problems: list[str] = []
    broken: list[str] = []
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_until_signalled(effective, lambda: Config.load(config, os.environ, overrides)))
    except* errors.ConfigError as group:  # from inside the house's task groups, or bare
        problems = [error.message for error in _leaves(group)]
    except* errors.Broken as group:
        broken = [error.message for error in _leaves(group)]
    if problems:
        fail("\n".join(problems), REFUSED)
    if broken:
        _log.critical(broken[0])
        raise typer.Exit(1)


async def _until_signalled(config: Config, load: Callable[[], Config]) -> None:
    from agent.app import run as run_house  # noqa: PLC0415 DuckDB and Arrow take a second that the other commands save
    from agent.memory import settle, spare_memory, trimming  # noqa: PLC0415 as above
    from agent.reload import Reload  # noqa: PLC0415 as above

    spare_memory()
    stop, systemd = asyncio.Event(), Systemd(os.environ)
    loop = asyncio.get_running_loop()

    def leave() -> None:
        systemd.stopping()
        stop.set()

    def announce(listening: Listening) -> None:
        settle()
        _announce(config, listening)
        systemd.ready()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leave)
    reload = Reload(load)
    loop.add_signal_handler(signal.SIGHUP, reload.asked.set)
    async with trimming():
        await run_house(config, stop, announce, reload=reload, alive=systemd.alive)


def _announce(config: Config, listening: Listening) -> None:
    """For people the one screen; for machines, which read every line, one event."""
    doors = ("otlp_grpc", "otlp_http", "query", "query_local", "admin")
    addresses = {name: address for name in doors if (address := getattr(listening, name, ""))}
    if config.log.format == "json":
        _log.info("listening", version=__version__, store_dir=str(config.store.dir), **addresses)
    else:
        console().print(welcome(config, addresses))
        sys.stdout.flush()


def _leaves(group: BaseExceptionGroup[errors.AgentError]) -> list[errors.AgentError]:
    found: list[errors.AgentError] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


def _say_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"coral-agent {__version__}\n")
        raise typer.Exit


@commands.callback()
def _program(
    *,
    version: Annotated[bool, typer.Option("--version", help="Say the version.", is_eager=True, callback=_say_version)] = False,
) -> None:
    pass


def main() -> None:
    """The console script."""
    commands()


if __name__ == "__main__":
    main()
