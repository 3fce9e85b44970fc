"""What /livez and /readyz say: reasons why the agent cannot keep its promise now, asked anew at each request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from threading import Thread

from agent.errors import Broken
from agent.instruments import Instruments

STUCK_SECONDS = 1.5
"""A commit that takes longer is a promise that is not being kept, which must be said within two seconds."""

DEAD_SECONDS = 60.0
"""A commit that takes longer will not come back: only another process helps."""

Reason = Callable[[], str | None]


@dataclass(slots=True)
class Health:
    """Whether the agent takes and answers requests. ``reasons`` are asked in order; the first that speaks is told."""

    threads: Mapping[str, Thread]
    stuck_seconds: Callable[[], float]
    reasons: list[Reason] = field(default_factory=list)
    is_open: bool = False

    def ended(self) -> str | None:
        """Which thread has stopped; None while all run."""
        return next((f"the {name} has stopped" for name, thread in self.threads.items() if not thread.is_alive()), None)

    def dead(self) -> str | None:
        """Why the process is beyond help; None while it is not. For ``/livez``, which only an event loop that runs answers."""
        if (ended := self.ended()) is not None:
            return ended
        stuck = self.stuck_seconds()
        return f"the writer has been stuck for {stuck:.0f} s" if stuck > DEAD_SECONDS else None

    def fault(self) -> str | None:
        """Why it does not take requests; None when it does. For ``/readyz``."""
        if (dead := self.dead()) is not None:
            return dead
        if not self.is_open:
            return "starting or draining"
        if (stuck := self.stuck_seconds()) > STUCK_SECONDS:
            return f"the disk has not answered for {stuck:.0f} s"
        return next((said for reason in self.reasons if (said := reason()) is not None), None)


@asynccontextmanager
async def living(health: Health, instruments: Instruments, alive: Callable[[], None] = lambda: None) -> AsyncIterator[None]:
    """Show readiness as an instrument, asked anew at each scrape; end the process when a thread has ended: nothing else helps.

    ``alive`` is called each second in which ``/livez`` would be 200.

    Raises:
        Broken: one has.
    """
    instruments.ready.set_function(lambda: float(health.fault() is None))

    async def look() -> None:
        while True:
            ended = [name for name, thread in health.threads.items() if not thread.is_alive()]
            if ended:
                raise Broken(
                    f"the {ended[0]} has stopped; the agent ends, and what was acknowledged is on disk: start it again"
                )
            if health.dead() is None:
                alive()
            await asyncio.sleep(1)

    async with asyncio.TaskGroup() as tasks:
        loop = tasks.create_task(look())
        try:
            yield
        finally:
            loop.cancel()
