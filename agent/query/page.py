"""Page tokens: where the next page begins, for which query, and what the first page said; pure.

A token carries a fingerprint of RPC, filters and order, the resolved window, the position of the last row shown, and the
first total. It is a bookmark, not a permission: everything it says is checked again like the request beside it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass

from agent.errors import InvalidQuery

_REFUSED = "page_token is not one of this query; send back next_page_token with the same filters and order, or none"


@dataclass(frozen=True, slots=True)
class Window:
    """Half-open ``[start_ns, end_ns)`` in event time; None is no bound."""

    start_ns: int | None
    end_ns: int | None


@dataclass(frozen=True, slots=True)
class Position:
    """A row's place in an order: the value it is ordered by (nanoseconds), then its arrival number."""

    key: int
    arrival: int


def fingerprint_of(rpc: str, request: bytes) -> bytes:
    """Eight bytes that stand for an RPC and its filters."""
    return hashlib.blake2b(rpc.encode() + b"\0" + request, digest_size=8).digest()


@dataclass(frozen=True, slots=True)
class PageToken:
    """The next page's beginning. ``total`` is the first page's total and whether it was exact."""

    fingerprint: bytes
    window: Window
    position: Position
    total: tuple[int, bool]

    def encode(self) -> str:
        """The token's text, URL-safe."""
        fields = [
            self.fingerprint.hex(),
            self.window.start_ns,
            self.window.end_ns,
            self.position.key,
            self.position.arrival,
            *self.total,
        ]
        return base64.urlsafe_b64encode(json.dumps(fields, separators=(",", ":")).encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str, fingerprint: bytes) -> PageToken:
        """The token in ``text``, which must belong to the query with this fingerprint.

        Raises:
            InvalidQuery: it does not.
        """
        try:
            fields = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            mark, start, end, key, arrival, total, exact = fields
        except (ValueError, TypeError, binascii.Error, RecursionError) as error:
            raise InvalidQuery(_REFUSED) from error
        numbers = [key, arrival, total, *(bound for bound in (start, end) if bound is not None)]
        sound = all(type(number) is int and -(2**63) <= number < 2**63 for number in numbers) and type(exact) is bool
        sound = sound and 0 <= total < 2**31
        if not sound or mark != fingerprint.hex():
            raise InvalidQuery(_REFUSED)
        return cls(fingerprint, Window(start, end), Position(key, arrival), (total, exact))
