"""Pure: how long to wait before the next try, and how many second tries there may be."""

from __future__ import annotations

import random

_PER_CALL = 0.2
_AT_MOST = 10.0


class Pauses:
    """Pauses that double, each drawn from its upper half, so that many colonies do not come back together."""

    def __init__(self, least: float, most: float, draw: random.Random) -> None:
        self._least = least
        self._most = most
        self._draw = draw
        self._next = least

    def take(self) -> float:
        """The next pause in seconds."""
        pause = self._next * self._draw.uniform(0.5, 1.0)
        self._next = min(self._most, self._next * 2)
        return pause

    def reset(self) -> None:
        """Begin again: a connection stood."""
        self._next = self._least


class RetryBudget:
    """Second tries: one for every five calls, ten at once at most, so that a sick server is not asked twice as much."""

    def __init__(self) -> None:
        self._left = _AT_MOST

    def call(self) -> None:
        """Count a call."""
        self._left = min(_AT_MOST, self._left + _PER_CALL)

    def take(self) -> bool:
        """Whether one more is allowed."""
        if self._left < 1:
            return False
        self._left -= 1
        return True
