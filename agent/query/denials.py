"""Peers that were refused: every one counted, one line of log in ten seconds, with nothing of what they asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import structlog

from agent.identity import described
from agent.instruments import Instruments

TELL_SECONDS = 10.0

_log = structlog.get_logger()


class Denials:
    """The refusals of one door."""

    def __init__(self, instruments: Instruments, clock: Callable[[], float] = time.monotonic) -> None:
        self._count = instruments.peer_denied
        self._clock = clock
        self._told = -TELL_SECONDS
        self._untold = 0

    def add(self, identities: Sequence[bytes]) -> None:
        """A peer with these ``peer_spiffe_id`` values was refused."""
        self._count.inc()
        self._untold += 1
        now = self._clock()
        if now - self._told >= TELL_SECONDS:
            _log.warning("a peer was refused at the query door", peer=described(identities), refused=self._untold)
            self._told, self._untold = now, 0
