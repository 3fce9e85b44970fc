"""Opens a data directory: one agent each, private to its user, with what the last process left in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import duckdb
import structlog

from agent.batch import Signal
from agent.clock import Clock, SystemClock
from agent.errors import ConfigError
from agent.instruments import Instruments
from agent.store import database
from agent.store.duplicates import RecentRequests
from agent.store.faults import Faults
from agent.store.grounds import Grounds, StoreSettings
from agent.store.lodging import BOOT, boot_id, lodged, same_boot
from agent.store.purge import ORDERS, Purge, has_orders
from agent.store.recover import Recovery
from agent.store.steady import SteadyClock
from agent.store.store import Store

_log = structlog.get_logger()

APART = 1 << 51
"""Between the arrival numbers of two signals: each signal counts for itself, so that the rows of a block follow without a gap,
and no number is given twice on this agent for as many microseconds (71 years)."""


def _purge(settings: StoreSettings, connection: duckdb.DuckDBPyConnection, clock: Clock, instruments: Instruments) -> None:
    """Carry out what was ordered before anything is served.

    Raises:
        ConfigError: it cannot be done.
    """
    if not has_orders(settings.directory):
        return
    try:
        purged = Purge(settings, connection, clock, instruments).run()
    except (duckdb.Error, OSError) as error:
        raise ConfigError(
            f"store.dir: what was ordered by coral-agent purge could not be done in {settings.directory} ({error}); "
            f"make room on the disk, or remove the segments by hand, then the file {ORDERS}"
        ) from error
    _log.warning("what was ordered to be purged is gone", rows=dict(purged.rows))


@contextmanager
def open_store(settings: StoreSettings, clock: Clock, instruments: Instruments) -> Iterator[tuple[Store, RecentRequests]]:
    """The store over ``settings.directory`` and the requests it still remembers.

    Raises:
        ConfigError: the directory cannot be written, or another agent has it.
    """
    directory = settings.directory.resolve()
    settings = replace(settings, directory=directory)
    with lodged(directory) as lodging:
        connect = partial(database.connect, directory, settings.memory_limit_bytes, settings.threads)
        connection = connect()
        store: Store | None = None
        wall = clock
        steady = SteadyClock(directory, wall, instruments) if isinstance(wall, SystemClock) else None
        clock = steady or wall
        try:
            _purge(settings, connection, clock, instruments)
            recovery = Recovery(settings, connection, clock, instruments, same_boot=same_boot(directory))
            segments = recovery.run()
            (directory / BOOT).write_text(boot_id())
            # Microseconds since 1970 as a floor: arrival numbers grow even when nothing is left to count on from.
            floor = clock.now_ns() // 1000
            first = {signal: floor + number * APART for number, signal in enumerate(Signal)}
            next_arrivals = {signal: max(recovery.highest_arrivals.get(signal, -1) + 1, first[signal]) for signal in Signal}
            grounds = Grounds(connection, connect, lodging, instruments, Faults(instruments), wall, steady)
            store = Store(settings, clock, grounds, segments, next_arrivals)
            yield store, recovery.recent
        finally:
            if store:
                store.disconnect()
            else:
                connection.close()
