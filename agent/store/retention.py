"""The loop that retires: whole segments, by age and by the disk budget, and the gauges that show what is kept."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from agent.batch import Signal
from agent.clock import SECOND_NS
from agent.instruments import Instruments
from agent.store.flusher import Flusher
from agent.store.segment import QUARANTINE, Segment, State, expired, over_budget, times_in
from agent.store.store import Store, file_bytes

INTERVAL_SECONDS = 1.0

_log = structlog.get_logger()


def retire(store: Store, flusher: Flusher) -> None:
    """Retire every sealed segment past its retention, the oldest while the budget is exceeded, and old quarantine."""
    now = store.clock.now_ns()
    for segment in store.segments:
        if segment.state is State.SEALED and expired(segment.closes_ns, store.settings.retention_ns, now):
            flusher.retire(segment, "age")
    sealed = [segment for segment in store.segments if segment.state is State.SEALED]
    sizes = [_bytes(segment) for segment in sealed]
    rest = store.used_bytes() - sum(sizes)
    for segment in sealed[: over_budget(sizes, store.settings.max_bytes - rest)]:
        flusher.retire(segment, "budget")
    for path in (store.settings.directory / QUARANTINE).glob("*_*_*"):
        with contextlib.suppress(ValueError):  # somebody else's file stays
            if expired(times_in(path.name.partition(".")[0])[1], store.settings.retention_ns, now):
                path.unlink(missing_ok=True)


def _bytes(segment: Segment) -> int:
    return sum(file_bytes(path) for path in segment.files)


def show(store: Store, instruments: Instruments) -> None:
    """Set the gauges of what is kept."""
    segments = store.segments
    instruments.store_bytes.set(store.used_bytes())
    for signal in Signal:
        instruments.store_rows.labels(signal).set(sum(segment.part(signal).bounds.rows for segment in segments))
    for state in State:
        instruments.segments.labels(state).set(sum(segment.state is state for segment in segments))
    oldest = min((segment.opened_ns for segment in segments), default=None)
    age_ns = 0 if oldest is None else store.clock.now_ns() - oldest
    instruments.store_oldest_seconds.set(age_ns / SECOND_NS)


@asynccontextmanager
async def retiring(store: Store, flusher: Flusher, instruments: Instruments) -> AsyncIterator[None]:
    """Retire and show, once a second, until left."""
    async with asyncio.TaskGroup() as tasks:
        loop = tasks.create_task(_retire_forever(store, flusher, instruments))
        try:
            yield
        finally:
            loop.cancel()


async def _retire_forever(store: Store, flusher: Flusher, instruments: Instruments) -> None:
    shown = dict.fromkeys(store.retired, 0)
    while True:
        try:
            await asyncio.to_thread(retire, store, flusher)
            await asyncio.to_thread(show, store, instruments)
        except Exception as error:  # noqa: BLE001 retention goes on whatever happens
            _log.error("could not retire a segment; trying again", exc_info=error)
        for reason, count in store.retired.items():
            instruments.segments_retired.labels(reason).inc(count - shown[reason])
            shown[reason] = count
        await asyncio.sleep(INTERVAL_SECONDS)
