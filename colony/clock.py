"""Time as a value that is passed in, so that an hour takes no time in a test."""

from __future__ import annotations

import time
from typing import Protocol

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS


class Clock(Protocol):
    """Whoever knows what time it is."""

    def now_ns(self) -> int:
        """Nanoseconds since 1970."""
        ...


class SystemClock:
    """The machine's wall clock."""

    def now_ns(self) -> int:
        """Nanoseconds since 1970."""
        return time.time_ns()  # noqa: TID251 the one place that reads the machine's clock
