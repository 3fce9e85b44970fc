"""Once a second: whether the paths still lead to the files that are written and read. DuckDB does not notice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from agent.errors import ConfigError
from agent.store.faults import Kind
from agent.store.lodging import Identity, identity
from agent.store.segment import Segment, State
from agent.store.store import Store

INTERVAL_SECONDS = 1.0

_log = structlog.get_logger()


class Watch:
    """The files of one store as they were first seen."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[Path, Identity] = {}

    def look(self) -> None:
        """Restore the directory if it has gone, and have the flusher repair segments whose files have gone or changed."""
        if self._store.grounds.steady:
            self._store.grounds.steady.look()
        if not self._store.upkeep.acquire(timeout=INTERVAL_SECONDS):
            return  # files are being opened again or retired: next time
        try:
            self._look_at_directory()
            lost = [segment.name for segment in self._store.segments if self._has_lost(segment)]
        finally:
            self._store.upkeep.release()
        if lost:
            self._store.faults.meet(Kind.FILES)
            self._store.suspect(*lost)
        names = {segment.name for segment in self._store.segments}
        self._known = {path: seen for path, seen in self._known.items() if path.name.partition(".")[0] in names}

    def _look_at_directory(self) -> None:
        lodging = self._store.grounds.lodging
        try:
            if lodging.is_there():
                return
            lodging.restore()
        except (OSError, ConfigError) as error:
            self._store.faults.meet(Kind.DIRECTORY, error)
        else:
            self._store.faults.heal(Kind.DIRECTORY)
            _log.error("the data directory was removed under the running agent, and made again")

    def _has_lost(self, segment: Segment) -> bool:
        """Whether a file of a segment that was there is another now, or none."""
        expected = {
            segment.journal: segment.state is not State.SEALED,
            segment.file: segment.attached,
            segment.blocks: any(part.cold.written for part in segment.parts.values()),
        }
        lost = False
        for path, is_expected in expected.items():
            seen = identity(path)
            known = self._known.pop(path, None)
            if (seen is None and is_expected) or (None not in (seen, known) and seen != known):
                sealed_meanwhile = path == segment.journal and segment.state is State.SEALED
                lost = lost or not (sealed_meanwhile or segment.retired)
            elif seen is not None:
                self._known[path] = seen
        return lost


@asynccontextmanager
async def watching(store: Store) -> AsyncIterator[None]:
    """Look once a second until left."""
    watch = Watch(store)
    async with asyncio.TaskGroup() as tasks:
        loop = tasks.create_task(_look_forever(watch))
        try:
            yield
        finally:
            loop.cancel()


async def _look_forever(watch: Watch) -> None:
    while True:
        try:
            await asyncio.to_thread(watch.look)
        except Exception as error:  # noqa: BLE001 the watch goes on whatever happens
            _log.error("could not look after the files; trying again", exc_info=error)
        await asyncio.sleep(INTERVAL_SECONDS)
