"""Requests on their way to the writer, gathered into groups: everything that waits is one."""

from __future__ import annotations

import asyncio
import queue
import time
from dataclasses import dataclass

from agent.batch import Export, Receipt

GROUP_BYTES = 8 * 1024 * 1024
"""A group ends at this many bytes of requests, which bounds the memory and the time until its first reply."""

GATHER_SECONDS = 0.01
"""Senders that were answered together send again within milliseconds of each other. A group that takes the first of them alone
leaves seven of eight for the next, and the one for the one after that; a request of 512 spans alone costs twice as much a span
as eight together (ADR 13). Without this wait nearly half the groups under saturation were of one request."""


@dataclass(slots=True)
class Waiting:
    """An export, who waits for it, and since when (``time.monotonic``)."""

    export: Export
    reply: asyncio.Future[Receipt]
    since: float


class Gathering:
    """A queue that gives groups; any thread puts, one takes."""

    def __init__(self, tick_seconds: float, gather_seconds: float = GATHER_SECONDS) -> None:
        self._tick_seconds = tick_seconds
        self._gather_seconds = gather_seconds
        self._queue: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self._last = 0
        self.stopped = False

    def put(self, waiting: Waiting) -> None:
        """Add to what waits."""
        self._queue.put(waiting)

    def stop(self) -> None:
        """Have the group that holds all put before this be the last."""
        self._queue.put(None)

    def next(self) -> list[Waiting]:
        """All that waits, up to the size of a group; nothing after a tick without a request.

        When fewer wait than the last group had, it waits ``gather_seconds`` for as many.
        """
        group: list[Waiting] = []
        size, patience = 0, self._tick_seconds
        until = float("inf")
        try:
            while size < GROUP_BYTES:
                waiting = self._queue.get(timeout=patience)
                if waiting is None:
                    self.stopped = True
                    break
                group.append(waiting)
                size += len(waiting.export.payload)
                until = min(until, time.monotonic() + self._gather_seconds)
                patience = max(0.0, until - time.monotonic()) if len(group) < self._last else 0.0
        except queue.Empty:
            pass
        self._last = len(group)
        return group
