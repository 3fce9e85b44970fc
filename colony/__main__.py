"""The program: argv, configuration, exit codes."""

from __future__ import annotations

import asyncio
import atexit
import gc
import os
import signal
import sys
from typing import TYPE_CHECKING, Annotated

import structlog
import typer
import uvloop

from colony import __version__, errors
from colony.cli.commands import REFUSED, ConfigOption, commands, fail, leaves, loaded
from colony.config.model import Config
from colony.log import set_up_logging
from colony.notify import Systemd

if TYPE_CHECKING:
    from colony.app import Listening

_log = structlog.get_logger(__name__)


@commands.command()
def run(
    config: ConfigOption = None,
    *,
    stdio: Annotated[
        bool, typer.Option("--stdio", help="Speak MCP on standard input and output, for a host that starts it; no ports.")
    ] = False,
) -> None:
    """Run the colony until SIGTERM or SIGINT: poll agents, pull summaries, answer models over MCP."""
    effective = loaded(config)
    set_up_logging(effective.log)
    problems: list[str] = []
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_until_signalled(effective, stdio=stdio))
    except* errors.ConfigError as group:  # from inside the house's task groups, or bare
        problems = [error.message for error in leaves(group)]
    if problems:
        fail("\n".join(problems), REFUSED)


async def _until_signalled(config: Config, *, stdio: bool) -> None:
    from colony.app import run as run_house  # noqa: PLC0415 DuckDB and Arrow take a second that other commands save
    from colony.app import run_stdio  # noqa: PLC0415 likewise

    stop, systemd = asyncio.Event(), Systemd(os.environ)
    loop = asyncio.get_running_loop()

    def leave() -> None:
        systemd.stopping()
        stop.set()

    def announce(listening: Listening) -> None:
        gc.collect()
        gc.freeze()  # looking through what a start has made took 93 ms, in the midst of some question
        atexit.register(gc.unfreeze)  # else DuckDB's binding complains at the end of what it takes for leaks
        _announce(config, listening)
        systemd.ready()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leave)
    loop.add_signal_handler(signal.SIGHUP, lambda: _log.warning("SIGHUP: this release reloads nothing; restart it instead"))
    if stdio:
        await run_stdio(config, stop)
    else:
        await run_house(config, stop, announce)


def _announce(config: Config, listening: Listening) -> None:
    """For people three lines; for machines, which read every line, one event."""
    if config.log.format == "json":
        _log.info(
            "listening", version=__version__, mcp=listening.mcp, admin=listening.admin, summaries_dir=str(config.summaries.dir)
        )
        return
    sys.stdout.write(f"coral-colony {__version__}  MCP {_url(config, listening)}\n")
    sys.stdout.write(f"admin {listening.admin}  /metrics /livez /readyz\n")
    sys.stdout.write(f"summaries for {config.summaries.retention} in {config.summaries.dir}\n")
    sys.stdout.flush()


def _url(config: Config, listening: Listening) -> str:
    return f"http{'s' if config.mcp.tls else ''}://{listening.mcp}/mcp"


def _say_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"coral-colony {__version__}\n")
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
