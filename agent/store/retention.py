"""The loop that retires: whole segments, by age and by the disk budget, and the gauges that show what is kept."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog

from agent.batch import Signal
from agent.clock import SECOND_NS
from agent.instruments import Instruments
from agent.store.errand import errand
from agent.store.flusher import Flusher
from agent.store.segment import QUARANTINE, Segment, State, expired, over_budget, times_in
from agent.store.store import Store
from agent.store.usage import file_bytes

INTERVAL_SECONDS = 1.0

HEADROOM = 16
"""Segments are retired from a sixteenth above the reserve on."""

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
    _keep_reserve(store, flusher, [segment for segment in sealed if not segment.retired])
    for path in (store.settings.directory / QUARANTINE).glob("*_*_*"):
        with contextlib.suppress(ValueError):  # somebody else's file stays
            if expired(times_in(path.name.partition(".")[0])[1], store.settings.retention_ns, now):
                path.unlink(missing_ok=True)


def _keep_reserve(store: Store, flusher: Flusher, sealed: Sequence[Segment]) -> None:
    """Retire the oldest before senders must be refused for lack of free bytes; none when even all of them would not do."""
    lacking = store.disk.lacks(store.settings.min_free_bytes // HEADROOM)
    if not lacking or sum(_bytes(segment) for segment in sealed) < store.disk.lacks():
        return
    for segment in sealed:
        if lacking <= 0:
            return
        lacking -= _bytes(segment)
        flusher.retire(segment, "reserve")


def _bytes(segment: Segment) -> int:
    return sum(file_bytes(path) for path in segment.files)


def show(store: Store, instruments: Instruments) -> None:
    """Set the gauges of what is kept."""
    segments = store.segments
    instruments.store_bytes.set(store.used_bytes())
    instruments.store_max_bytes.set(store.settings.max_bytes)
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
    shown: Counter[str] = Counter()
    while True:
        try:
            await errand(retire, store, flusher)
            await errand(show, store, instruments)
        except Exception as error:  # noqa: BLE001 retention goes on whatever happens
            _log.error("could not retire a segment; trying again", exc_info=error)
        for reason in ("age", "budget", "reserve", "damage"):
            instruments.segments_retired.labels(reason).inc(store.retired[reason] - shown[reason])
            shown[reason] = store.retired[reason]
        await asyncio.sleep(INTERVAL_SECONDS)
