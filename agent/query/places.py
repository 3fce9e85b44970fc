"""Who may run a query now: so many at a time, shared out among those who ask, and a short queue for each.

Used by one event loop; nothing here waits but ``take``.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from agent.errors import TooManyQueries

QUEUE_SECONDS = 0.5
"""A query that finds no place waits this long for one."""

WAITING = 16
"""Queries of one peer that may wait; the next one is told to come again at once."""

RECENT_SECONDS = 60.0
"""A peer that asked within this time has its share: the places it does not use now are used by others, never all of them."""

SPARE = 4
"""Where peers are told apart, one place in so many is left by each for whoever comes next."""

_FULL = "as many queries run as this agent allows (query.max_concurrent); ask again"


class Places:
    """The places of one agent. A peer is whoever an identity names; callers without one are one peer together."""

    def __init__(self, number: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._number = number
        self._clock = clock
        self._running: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._asked: dict[str, float] = {}
        self._turns: dict[str, int] = {}
        """When each peer last began a query, counted in queries."""
        self._begun = 0

    def resize(self, number: int) -> None:
        """Have this many places from now on; queries that run go on."""
        self._number = number
        self._wake()

    def share(self, peer: str) -> int:
        """How many places a peer may hold now; at least one."""
        since = self._clock() - RECENT_SECONDS
        self._asked = {one: asked for one, asked in self._asked.items() if asked >= since or self._running[one]}
        self._turns = {one: turn for one, turn in self._turns.items() if one in self._asked}
        peers = len(self._asked.keys() | {peer})
        spare = self._number // SPARE if peer else 0
        return max(1, min(self._number - spare, -(-self._number // peers)))

    @asynccontextmanager
    async def place(self, peer: str) -> AsyncIterator[None]:
        """Hold a place.

        Raises:
            TooManyQueries: there was none in time.
        """
        await self.take(peer)
        try:
            yield
        finally:
            self.give(peer)

    async def take(self, peer: str) -> None:
        """Wait for a place, but not long; give it back with ``give``.

        Raises:
            TooManyQueries: there was none in time, or too many of this peer wait.
        """
        self._asked[peer] = self._clock()
        if self._may_run(peer):
            self._begin(peer)
            return
        queue = self._waiting.setdefault(peer, deque())
        if len(queue) >= WAITING:
            raise TooManyQueries(_FULL)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            async with asyncio.timeout(QUEUE_SECONDS):
                await asyncio.shield(turn)
        except BaseException as error:
            self._leave(peer, turn)
            if isinstance(error, TimeoutError):
                raise TooManyQueries(_FULL) from error
            raise

    def _leave(self, peer: str, turn: asyncio.Future[None]) -> None:
        """Wait no longer; a turn that came at the same moment goes to the next."""
        if turn.done():
            self.give(peer)
        else:
            self._waiting[peer].remove(turn)
            self._tidy(peer)

    def give(self, peer: str) -> None:
        """Give a place back."""
        self._running[peer] -= 1
        if not self._running[peer]:
            del self._running[peer]
        self._wake()

    def _may_run(self, peer: str) -> bool:
        return self._running.total() < self._number and self._running[peer] < self.share(peer)

    def _begin(self, peer: str) -> None:
        self._begun += 1
        self._running[peer] += 1
        self._turns[peer] = self._begun

    def _wake(self) -> None:
        """Turns for those who wait: first whoever has the fewest running, then whoever had none for longest."""
        while ready := [peer for peer in self._waiting if self._may_run(peer)]:
            peer = min(ready, key=lambda one: (self._running[one], self._turns.get(one, 0)))
            self._begin(peer)
            self._waiting[peer].popleft().set_result(None)
            self._tidy(peer)

    def _tidy(self, peer: str) -> None:
        if not self._waiting[peer]:
            del self._waiting[peer]
