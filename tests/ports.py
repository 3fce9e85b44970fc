"""Ports for servers that must know theirs beforehand, or must have it again after a restart.

They are below those that the system gives to connections: of the others one may be somebody's end of a connection by the time
the server binds it, or a client's own, which then speaks to itself.
"""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack, suppress

_PORTS = range(20_000, 32_000)
_DICE = random.SystemRandom()
"""Not the seeded one, which two workers share."""


def free_ports(count: int) -> list[int]:
    found: list[int] = []
    with ExitStack() as stack:
        while len(found) < count:
            one, port = stack.enter_context(socket.socket()), _DICE.choice(_PORTS)
            with suppress(OSError):
                one.bind(("127.0.0.1", port))
                found.append(port)
    return found


def free_port() -> int:
    (port,) = free_ports(1)
    return port
