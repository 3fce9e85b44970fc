"""The bytes of bodies before they are admitted: read, inflated and made into protobuf, at both doors."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from agent import errors
from agent.receive.inflate import Limit, inflated

_INLINE_COMPRESSED_BYTES = 4 << 10
"""As gzip or deflate it inflates to 4 MiB at the most, 10 ms; more goes to a thread, and zstd, which has no such ratio."""


class BodyBudget:
    """The bytes of all bodies of one door, together at most ``max_bytes``.

    Bodies are inflated on threads, and take from it there.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._lock = threading.Lock()

    @contextmanager
    def share(self) -> Iterator[BodyShare]:
        """One body's part of it, given back at the end."""
        share = BodyShare(self)
        try:
            yield share
        finally:
            self.give_back(share.bytes)

    def take(self, nbytes: int) -> None:
        """A little more.

        Raises:
            QueueFull: there is no more.
        """
        with self._lock:
            if self._bytes + nbytes > self._max_bytes:
                raise errors.QueueFull(
                    f"bodies of {self._bytes} bytes are being read, limits.queue_bytes allows {self._max_bytes}: "
                    "try again, or raise it"
                )
            self._bytes += nbytes

    def give_back(self, nbytes: int) -> None:
        """What ``take`` took."""
        with self._lock:
            self._bytes -= nbytes


class BodyShare:
    """What one body has of a budget."""

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self.bytes = 0

    def grow(self, nbytes: int) -> None:
        """As the body comes; ``QueueFull`` as the budget has it."""
        self._budget.take(nbytes)
        self.bytes += nbytes

    def shrink(self, nbytes: int) -> None:
        """When a part of it is no longer held."""
        self._budget.give_back(nbytes)
        self.bytes -= nbytes


async def inflated_within(share: BodyShare, encoding: str, body: bytes, limit: Limit) -> bytes:
    """``body`` without its encoding, taken from ``share``; a large one is inflated on a thread.

    Raises:
        QueueFull, TooLarge, MalformedExport: as ``share`` and ``inflated`` have them.
    """
    if len(body) <= _INLINE_COMPRESSED_BYTES and encoding != "zstd":
        return inflated(encoding, body, limit, share.grow)
    return await asyncio.to_thread(inflated, encoding, body, limit, share.grow)
