"""What the process gives back of what it freed; glibc and Arrow's own allocator keep more of it than the rows in memory take.

glibc gives every busy thread an arena of its own, and each keeps what it once needed: at 10,000 spans a second with queries 40
of 97 MiB. Arrow's mimalloc asks for huge pages: 61 MiB for 14 that were in use.
"""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pyarrow as pa

ARENAS = 2
_M_ARENA_MAX = -8  # malloc.h

TRIM_SECONDS = 10.0
"""A trim takes 1 to 4 ms, and what it gives back comes again as page faults."""


def spare_memory() -> None:
    """Have Arrow allocate where everybody does, in few arenas; before the first thread. Without glibc nothing changes."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None and mallopt(_M_ARENA_MAX, ARENAS):
        pa.set_memory_pool(pa.system_memory_pool())


def trim() -> None:
    """Give what is free back to the system, as far as glibc is there to do it; other threads go on meanwhile."""
    malloc_trim: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)


@asynccontextmanager
async def trimming(seconds: float = TRIM_SECONDS) -> AsyncIterator[None]:
    """Trim every so often."""

    async def loop() -> None:
        while True:
            await asyncio.sleep(seconds)
            await asyncio.to_thread(trim)

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(loop())
        try:
            yield
        finally:
            task.cancel()
