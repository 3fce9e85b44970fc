"""What the process gives back of what it freed: glibc and Arrow keep much more by default than the rows in memory take.

At 10,000 spans a second mimalloc, Arrow's default, which asks for huge pages, held 51 to 61 MiB for 7 to 14 that were in use;
of the arenas that glibc gives to each busy thread 40 of 97 MiB were free. By jemalloc and two arenas the process is 29 MiB
smaller in ingest alone, 40 with queries, and has no more page faults.
"""

from __future__ import annotations

import asyncio
import atexit
import ctypes
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pyarrow as pa

ARENAS = 2
_M_ARENA_MAX = -8  # malloc.h

TRIM_SECONDS = 60.0
"""A trim takes 1 to 4 ms. Every ten seconds it doubled the page faults: what is given back is soon wanted again."""


def spare_memory() -> None:
    """Choose Arrow's allocator and bound glibc's arenas, where they are there; before the first thread."""
    if "jemalloc" in pa.supported_memory_backends():
        pa.set_memory_pool(pa.jemalloc_memory_pool())
    mallopt: Callable[[int, int], int] | None = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, ARENAS)


def settle() -> None:
    """Spare what a start has made from every later search for garbage; once the doors are open.

    Python looks through all that lives after every so many allocations: for 25 ms, and one page of 1,000 rows in nineteen paid.
    """
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)  # else DuckDB's binding complains at the end of what it takes for leaks


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
