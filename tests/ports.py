"""Ports for servers that must know theirs beforehand, or must have it again after a restart.

They are below those that the system gives to connections: of the others one may be somebody's end of a connection by the time
the server binds it, or a client's own, which then speaks to itself. Between the look here and the server's own bind another
worker might take one: each has ports of its own, and gives none a second time before all others.
"""

from __future__ import annotations

import itertools
import os
import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress

_PORTS = range(20_000, 32_000)


def ports_of(worker: int, workers: int) -> Iterator[int]:
    """One worker's ports, again and again, in an order that another run of the tests does not share."""
    own = list(_PORTS[worker::workers])
    random.SystemRandom().shuffle(own)
    return itertools.cycle(own)


_NAME, _COUNT = (os.environ.get(f"PYTEST_XDIST_WORKER{part}", alone) for part, alone in (("", "gw0"), ("_COUNT", "1")))
_OWN = ports_of(int(_NAME.removeprefix("gw")), int(_COUNT))


def free_ports(count: int) -> list[int]:
    found: list[int] = []
    with ExitStack() as stack:
        while len(found) < count:
            one, port = stack.enter_context(socket.socket()), next(_OWN)
            with suppress(OSError):
                one.bind(("127.0.0.1", port))
                found.append(port)
    return found


def free_port() -> int:
    (port,) = free_ports(1)
    return port
