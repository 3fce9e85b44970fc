"""Once a second: whether the paths still lead to the files that are written and read. DuckDB does not notice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from agent.errors import ConfigError
from agent.store.errand import errand
from agent.store.faults import Kind
from agent.store.store import Store

INTERVAL_SECONDS = 1.0

_log = structlog.get_logger()


def look(store: Store) -> None:
    """Restore the directory if it has gone, and have the flusher repair segments whose files have gone or changed."""
    if store.grounds.steady:
        store.grounds.steady.look()
    if not store.upkeep.acquire(timeout=INTERVAL_SECONDS):
        return  # files are being opened again or retired: next time
    try:
        _look_at_directory(store)
        lost = [segment.name for segment in store.segments if segment.has_lost()]
    finally:
        store.upkeep.release()
    if lost:
        store.faults.meet(Kind.FILES)
        store.suspect(*lost)


def _look_at_directory(store: Store) -> None:
    lodging = store.grounds.lodging
    try:
        if lodging.is_there():
            return
        lodging.restore()
    except (OSError, ConfigError) as error:
        store.faults.meet(Kind.DIRECTORY, error)
    else:
        store.faults.heal(Kind.DIRECTORY)
        _log.error("the data directory was removed under the running agent, and made again")


@asynccontextmanager
async def watching(store: Store) -> AsyncIterator[None]:
    """Look once a second until left."""
    async with asyncio.TaskGroup() as tasks:
        loop = tasks.create_task(_look_forever(store))
        try:
            yield
        finally:
            loop.cancel()


async def _look_forever(store: Store) -> None:
    while True:
        try:
            await errand(look, store)
        except Exception as error:  # noqa: BLE001 the watch goes on whatever happens
            _log.error("could not look after the files; trying again", exc_info=error)
        await asyncio.sleep(INTERVAL_SECONDS)
