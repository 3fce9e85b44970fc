"""Whether the disk takes writes: the reserve of free bytes, a rest between failed journals, and a probe when nobody sends."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from agent.errors import StoreUnavailable
from agent.store.faults import REASONS, Faults, Kind

PROBE = "probe"
_PROBE_BYTES = 4096
REST_SECONDS, MAX_REST_SECONDS = 0.25, 2.0
DOUBT_SECONDS = 5.0
"""A probe is small: after a commit that failed only another commit says sooner that the disk is well."""


class Disk:
    """The disk under one data directory; the writer's thread uses it, but for ``free_bytes``."""

    def __init__(self, directory: Path, min_free_bytes: int, faults: Faults) -> None:
        self._directory = directory
        self._min_free_bytes = min_free_bytes
        self._faults = faults
        self._rested_until = 0.0
        self._rest_seconds = 0.0
        self._failed_at = -DOUBT_SECONDS

    def failed(self, error: OSError) -> None:
        """A commit was refused by the disk."""
        self._failed_at = time.monotonic()
        self._faults.meet(Kind.JOURNAL, error)

    def rest(self) -> None:
        """After two failures in a row no other journal at once: a disk that fails every sync would fill with them."""
        self._rested_until = time.monotonic() + self._rest_seconds
        self._rest_seconds = min(max(2 * self._rest_seconds, REST_SECONDS), MAX_REST_SECONDS)

    def is_resting(self) -> bool:
        """Whether it is too early for another journal."""
        return time.monotonic() < self._rested_until

    def wrote(self) -> None:
        """A commit or a probe has just been synced: whatever stood against it has gone."""
        self._rest_seconds = 0.0
        self._faults.heal(Kind.JOURNAL)

    def probe(self) -> None:
        """Write and sync a few bytes beside the journals, as a commit would."""
        try:
            fd = os.open(self._directory / PROBE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                os.write(fd, bytes(_PROBE_BYTES))
                os.fdatasync(fd)
            finally:
                os.close(fd)
        except OSError as error:
            self._faults.meet(Kind.JOURNAL, error)
        else:
            if time.monotonic() - self._failed_at >= DOUBT_SECONDS:
                self.wrote()

    def free_bytes(self) -> int:
        """What the disk has left for this user.

        Raises:
            OSError: the directory is gone.
        """
        return shutil.disk_usage(self._directory).free

    def lacks(self, headroom: int = 0) -> int:
        """How many bytes the reserve, and some more, is short of."""
        if not self._min_free_bytes:
            return 0
        return max(0, self._min_free_bytes + headroom - self.free_bytes())

    def keep_reserve(self) -> None:
        """Take nothing that would come out of the reserve.

        Raises:
            StoreUnavailable: less than the reserve is free.
        """
        try:
            short = self.lacks()
        except OSError:
            return  # the journal will say
        if short:
            self._faults.meet(Kind.RESERVE)
            raise StoreUnavailable(REASONS[Kind.RESERVE])
        self._faults.heal(Kind.RESERVE)
