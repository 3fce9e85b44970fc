"""How long an event loop was kept from its tasks by the program itself, not by whoever else runs on the machine.

Lateness alone says neither. The kernel tells how long each thread was ready to run and had no processor
(``/proc/self/task/TID/schedstat``): what the loop's thread waited so is taken off, and of the time in which that thread
slept (in a call, or for the interpreter's lock) what another thread, which may hold that lock, waited so since the last look.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from pathlib import Path

_BEAT_SECONDS = 0.005
_TASKS = Path("/proc/self/task")


_LONG_SECONDS = 0.02
"""To look at every thread gives the interpreter's lock away for each: it is done only when there is something to explain."""


class Heartbeat:
    """Made and ``beat`` in the loop's thread; ``blocked_seconds`` is the longest block since the last ``reset``."""

    def __init__(self) -> None:
        self._own = threading.get_native_id()
        self._file = os.open(_TASKS / str(self._own) / "schedstat", os.O_RDONLY)
        self.reset()

    def reset(self) -> None:
        """Forget what was measured."""
        self.blocked_seconds = 0.0
        self._others = self._waits_of_others()

    async def beat(self) -> None:
        """Until cancelled; once."""
        (ran, waited), began = self._scheduled(), time.monotonic()
        try:
            while True:
                await asyncio.sleep(_BEAT_SECONDS)
                now, (ran_now, waited_now) = time.monotonic(), self._scheduled()
                blocked = now - began - _BEAT_SECONDS - (waited_now - waited)
                slept = now - began - (ran_now - ran) - (waited_now - waited)
                if slept > _LONG_SECONDS:
                    blocked -= min(slept, self._longest_wait())
                self.blocked_seconds = max(self.blocked_seconds, blocked)
                (ran, waited), began = self._scheduled(), time.monotonic()  # the looking is no block
        finally:
            os.close(self._file)

    def _scheduled(self) -> tuple[float, float]:
        """Seconds that this thread had a processor, and wanted one and had none."""
        ran, waited, _ = os.pread(self._file, 100, 0).split()
        return int(ran) / 1e9, int(waited) / 1e9

    def _longest_wait(self) -> float:
        """Of any other thread, for a processor, since the last look."""
        before, self._others = self._others, self._waits_of_others()
        return max((waited - before.get(name, 0.0) for name, waited in self._others.items()), default=0.0)

    def _waits_of_others(self) -> dict[str, float]:
        found = {}
        for task in _TASKS.iterdir():
            with contextlib.suppress(OSError):  # it has ended
                found[task.name] = int((task / "schedstat").read_text().split()[1]) / 1e9
        found.pop(str(self._own))
        return found
