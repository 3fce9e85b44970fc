"""The program: argv, configuration, logging set-up, exit codes."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import structlog
import typer
import uvloop

from agent import __version__, errors
from agent.cli import REFUSED, commands, console, fail, loaded
from agent.config import Config, Log
from agent.options import ConfigOption
from agent.screen.welcome import welcome

if TYPE_CHECKING:
    from agent.app import Listening

_log = structlog.get_logger(__name__)


def set_up_logging(log: Log) -> None:
    """Send structlog and the standard library's logging to standard error, one line an event."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(log)],
        )
    )
    logging.basicConfig(handlers=[handler], level=log.level.upper(), force=True)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # it greets and says goodbye once per server


def _renderers(log: Log) -> list[structlog.typing.Processor]:
    if log.format == "json":
        return [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), repr_native_str=True)]


@commands.command()
def run(
    config: ConfigOption = None,
    data_dir: Annotated[Path | None, typer.Option(metavar="DIR", help="Counts more than store.dir.")] = None,
) -> None:
    """Run the agent until SIGTERM or SIGINT."""
    effective = loaded(config, {} if data_dir is None else {"store": {"dir": data_dir}})
    set_up_logging(effective.log)
    problems: list[str] = []
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_until_signalled(effective))
    except* errors.ConfigError as group:  # from inside the house's task groups, or bare
        problems = [error.message for error in _leaves(group)]
    if problems:
        fail("\n".join(problems), REFUSED)


async def _until_signalled(config: Config) -> None:
    from agent.app import run as run_house  # noqa: PLC0415 DuckDB and Arrow take a second that the other commands save

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await run_house(config, stop, lambda listening: _announce(config, listening))


def _announce(config: Config, listening: Listening) -> None:
    """For people the one screen; for machines, which read every line, one event."""
    addresses = {name: getattr(listening, name) for name in ("otlp_grpc", "otlp_http", "query", "admin")}
    if config.log.format == "json":
        _log.info("listening", version=__version__, store_dir=str(config.store.dir), **addresses)
    else:
        console().print(welcome(config, addresses))
        sys.stdout.flush()


def _leaves(group: BaseExceptionGroup[errors.ConfigError]) -> list[errors.ConfigError]:
    found: list[errors.ConfigError] = []
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
