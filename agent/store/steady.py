"""The store's own time: it goes on evenly, across restarts too, when somebody sets the machine's clock.

What is kept for an hour is kept for an hour of the machine's running, whatever its clock is set to. Between two boots only the
clock tells how long it was off; it is believed unless it went back.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import structlog

from agent.clock import SECOND_NS, Clock
from agent.instruments import Instruments
from agent.store.lodging import boot_id

FILE = "clock"
JUMP_NS = SECOND_NS
SAVE_SECONDS = 10.0

READINGS = 5
"""Of two clocks, until nothing came between them: a stop of a second there would look like a step of the clock."""

_log = structlog.get_logger()


def running_ns() -> int:
    """Nanoseconds since the machine was booted, sleep included; nobody can set it."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def _together(wall: Clock) -> tuple[int, int]:
    """What a clock says, and ``running_ns``; a process that was stopped between the two reads both again."""
    for _ in range(READINGS):
        running, now = running_ns(), wall.now_ns()
        if running_ns() - running < JUMP_NS // 10:
            break
    return now, running


class SteadyClock:
    """A Clock that never jumps. ``look`` notices when the machine's does, and notes how far this one has come."""

    def __init__(self, directory: Path, wall: Clock, instruments: Instruments) -> None:
        self._path = directory / FILE
        self._wall = wall
        self._jumps = instruments.clock_jumps
        self._boot = boot_id()
        now, running = _together(wall)
        self._ahead_ns = self._begin(now, running) - running
        self._offset_ns = now - running - self._ahead_ns
        self._saved = -SAVE_SECONDS
        if abs(self._offset_ns) > JUMP_NS:
            self._tell(self._offset_ns)

    def now_ns(self) -> int:
        """Nanoseconds since 1970, as the machine's clock would say had nobody set it."""
        return running_ns() + self._ahead_ns

    def _begin(self, now: int, running: int) -> int:
        """What time it is now, told by the last note."""
        if not any(self._path.parent.glob("*_*_*")):
            return now  # nothing is kept that could come of age
        try:
            note = json.loads(self._path.read_text())
            steady, wall, then, boot = note["steady"], note["wall"], note["running"], note["boot"]
        except (OSError, ValueError, KeyError, TypeError):
            return now
        passed = running - then if boot == self._boot else now - wall
        return int(steady + max(passed, 0))

    def look(self) -> None:
        """Count and tell a step of the machine's clock; note both times. Called about once a second."""
        now, running = _together(self._wall)
        offset = now - running - self._ahead_ns
        if abs(offset - self._offset_ns) > JUMP_NS:
            self._tell(offset - self._offset_ns)
            self._saved = -SAVE_SECONDS
        self._offset_ns = offset
        if time.monotonic() - self._saved >= SAVE_SECONDS:
            self._save()
            self._saved = time.monotonic()

    def _save(self) -> None:
        running = running_ns()
        note = {"steady": running + self._ahead_ns, "wall": self._wall.now_ns(), "running": running, "boot": self._boot}
        unfinished = self._path.with_suffix(".new")
        unfinished.write_text(json.dumps(note))
        unfinished.replace(self._path)

    def _tell(self, step_ns: int) -> None:
        self._jumps.labels("forward" if step_ns > 0 else "back").inc()
        step = round(step_ns / SECOND_NS)
        _log.warning("the machine's clock was set; what is kept comes of age as before", step_seconds=step)
