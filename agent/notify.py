"""What systemd is told: ready, stopping, alive. The protocol: sd_notify(3), lines of KEY=VALUE in one datagram.

``NOTIFY_SOCKET`` names the unix socket, by its path or, after an @, as an abstract name; without it nobody is told.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

import structlog

_log = structlog.get_logger(__name__)

_PATIENCE_SECONDS = 1.0
"""For what must arrive. A beat does not wait: the next one comes, and the event loop has other work."""


class Systemd:
    """Who started this program, if it wants to hear from it. What cannot be told is logged once, and the program goes on."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._name = environ.get("NOTIFY_SOCKET", "")
        self._wants_beats = "WATCHDOG_USEC" in environ and environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._has_failed = False

    def ready(self) -> None:
        """Every door is open."""
        self._tell(b"READY=1", _PATIENCE_SECONDS)

    def stopping(self) -> None:
        """The doors close; what waits is being written."""
        self._tell(b"STOPPING=1", _PATIENCE_SECONDS)

    def alive(self) -> None:
        """A beat for the unit's ``WatchdogSec``."""
        if self._wants_beats:
            self._tell(b"WATCHDOG=1", 0)

    def _tell(self, message: bytes, patience_seconds: float) -> None:
        if not self._name:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.settimeout(patience_seconds)
                out.sendto(message, _address(self._name))
        except OSError as error:
            if not self._has_failed:
                _log.warning("systemd cannot be told", message=message.decode(), fault=error.strerror or str(error))
            self._has_failed = True


def _address(name: str) -> str:
    return f"\0{name[1:]}" if name.startswith("@") else name
