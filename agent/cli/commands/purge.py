"""Taking telemetry out of a data directory for good: the command ``purge``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from google.protobuf.timestamp_pb2 import Timestamp

from agent import errors
from agent.cli.commands.program import REFUSED, commands, fail, loaded
from agent.cli.options import ConfigOption, Output, rfc3339
from agent.config.model import Config

if TYPE_CHECKING:
    from agent.store.purge import Order, Purged

_RUNNING = (
    "an agent runs on this data directory: the order is noted, and carried out before the agent serves anything at its next "
    "start. Restart it now; until then nothing is gone"
)


@commands.command()
def purge(
    service: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="What this service sent; may be given again for another.")
    ] = None,
    before: Annotated[
        Timestamp | None, typer.Option(parser=rfc3339, metavar="TIME", help="What is from before this moment (RFC 3339).")
    ] = None,
    config: ConfigOption = None,
    data_dir: Annotated[Path | None, typer.Option(metavar="DIR", help="Counts more than store.dir.")] = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="Words for people or JSON for programs.")] = Output.TABLE,
) -> None:
    """Remove what a service sent, or what is from before a moment (given both: only what is both), after a leak.

    The agent must be stopped; of one that runs it is ordered for the next start. What other services said of this one stays.
    """
    if not service and before is None:
        fail("say what must go: --service NAME, --before TIME, or both", REFUSED)
    effective = loaded(config, {} if data_dir is None else {"store": {"dir": data_dir}})
    from agent.store.purge import Order  # noqa: PLC0415 DuckDB and Arrow take a second that the other commands save

    done = _carried_out(effective, Order(tuple(service or ()), None if before is None else before.ToNanoseconds()))
    if output is Output.JSON:
        sys.stdout.write(json.dumps(_figures(done), indent=2) + "\n")
    else:
        sys.stdout.write(_words(done) + "\n")


def _carried_out(config: Config, order: Order) -> Purged:
    """What went; a directory that cannot be purged now ends the program."""
    from prometheus_client import CollectorRegistry  # noqa: PLC0415 as above

    from agent.app import store_settings  # noqa: PLC0415 as above
    from agent.clock import SystemClock  # noqa: PLC0415 as above
    from agent.instruments import Instruments  # noqa: PLC0415 as above
    from agent.store.purge import give_order, purge_directory  # noqa: PLC0415 as above

    directory = config.store.dir
    if not directory.is_dir():
        fail(f'store.dir = "{directory}": there is no such directory; name the agent\'s with --data-dir or --config', REFUSED)
    owner = directory.stat().st_uid
    if owner != os.geteuid():
        fail(f"{directory} belongs to user {owner}: purge as that user, or the agent cannot read what is written anew", REFUSED)
    try:
        give_order(directory, order)
        return purge_directory(store_settings(config), SystemClock(), Instruments(CollectorRegistry()))
    except errors.DirectoryInUse:
        fail(_RUNNING, 1)
    except errors.ConfigError as error:
        fail(error.message, REFUSED)
    except errors.StoreUnavailable as error:
        fail(f"{error.message}: the order is noted; purge again, or start the agent, to go on", 1)
    except OSError as error:
        fail(f"{directory}: {error.strerror}; nothing was ordered", REFUSED)


def _figures(done: Purged) -> dict[str, object]:
    return {
        "rows": dict(done.rows),
        "segments_removed": done.segments_removed,
        "segments_rewritten": done.segments_rewritten,
        "quarantined_files_removed": done.set_aside_removed,
    }


def _words(done: Purged) -> str:
    rows = ", ".join(f"{number} rows of {signal}" for signal, number in sorted(done.rows.items())) or "no rows"
    segments = f"{done.segments_removed} segments removed, {done.segments_rewritten} written anew without them"
    aside = f"; {done.set_aside_removed} files in quarantine removed" if done.set_aside_removed else ""
    return f"purged {rows}: {segments}{aside}"
