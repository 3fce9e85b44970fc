"""Bytes and requests in flight: who goes on at once, who waits for room, who is told to retry.

Every request is already in memory when it asks, so those who wait are bounded by the same budget as those in flight.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from agent import errors

PATIENCE_SECONDS = 0.5
"""Node's gRPC exporter never retries, so a full queue is worth a short wait; longer, and senders pile up."""

MAX_REQUESTS = 1024
"""In flight, and waiting: small requests cost more than their bytes."""


class Admission:
    """A budget of ``max_bytes`` for requests between arrival and answer; first come, first served."""

    def __init__(self, max_bytes: int, *, max_requests: int = MAX_REQUESTS, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._max_bytes = max_bytes
        self._max_requests = max_requests
        self._patience_seconds = patience_seconds
        self._bytes = 0
        self._requests = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def bytes_in_flight(self) -> int:
        """What is admitted and not yet answered."""
        return self._bytes

    @property
    def requests_waiting(self) -> int:
        """How many ask for room and have none yet."""
        return len(self._waiting)

    @asynccontextmanager
    async def room(self, nbytes: int) -> AsyncIterator[None]:
        """Holds ``nbytes`` of the budget; more than the whole budget only when nothing else is in flight.

        Raises:
            QueueFull: no room within the patience, or too many wait already.
        """
        await self._enter(nbytes)
        try:
            yield
        finally:
            self._leave(nbytes)

    async def _enter(self, nbytes: int) -> None:
        if not self._waiting and self._fits(nbytes):
            self._take(nbytes)
            return
        if not self._may_wait(nbytes):
            raise self._full()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((nbytes, turn))
        try:
            async with asyncio.timeout(self._patience_seconds):
                await turn
        except BaseException as error:
            self._give_up(nbytes, turn)
            if isinstance(error, TimeoutError):
                raise self._full() from None
            raise

    def _give_up(self, nbytes: int, turn: asyncio.Future[None]) -> None:
        if turn.done() and not turn.cancelled():  # the turn came in the very step in which patience or the caller ended
            self._leave(nbytes)
            return
        self._waiting.remove((nbytes, turn))
        self._admit_waiting()

    def _leave(self, nbytes: int) -> None:
        self._bytes -= nbytes
        self._requests -= 1
        self._admit_waiting()

    def _admit_waiting(self) -> None:
        """Lets the first in line go on while there is room, never one behind it."""
        while self._waiting:
            nbytes, turn = self._waiting[0]
            if turn.cancelled() or not self._fits(nbytes):  # one that was cancelled leaves the line itself, then calls again
                return
            self._waiting.popleft()
            self._take(nbytes)
            turn.set_result(None)

    def _take(self, nbytes: int) -> None:
        self._bytes += nbytes
        self._requests += 1

    def _fits(self, nbytes: int) -> bool:
        if self._requests == 0:
            return True
        return self._requests < self._max_requests and self._bytes + nbytes <= self._max_bytes

    def _may_wait(self, nbytes: int) -> bool:
        if not self._waiting:
            return True
        waiting_bytes = sum(waiting for waiting, _ in self._waiting)
        return len(self._waiting) < self._max_requests and waiting_bytes + nbytes <= self._max_bytes

    def _full(self) -> errors.QueueFull:
        return errors.QueueFull(
            f"{self._requests} requests with {self._bytes} bytes are being written, limits.queue_bytes allows "
            f"{self._max_bytes}: try again, or raise it"
        )
