"""Pure: where the next page of a question begins, on every agent at once; as text that whoever asked sends back.

It is a bookmark, not a permission: agents check everything that is made of it like any other request.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from colony.errors import InvalidQuestion
from colony.merge import Place, Shown

_REFUSED = "cursor is not one of this question; send back the cursor of the answer before with the same filters, or none"
_MAX_BYTES = 1 << 20
"""Of an unpacked cursor: a thousand agents take 60 KB."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """What the page before ended with.

    ``places`` are those of agents that have more, ``done`` the agents that have not. Any other agent did not answer: it joins
    behind ``boundary``, what the last row was ordered by.
    """

    question: str
    start_ns: int | None
    end_ns: int | None
    total: int
    is_exact: bool
    boundary: int
    places: Mapping[str, Place]
    shifts: Mapping[str, int] = field(default_factory=dict)
    done: frozenset[str] = frozenset()
    shown: tuple[Shown, ...] = ()

    def encode(self) -> str:
        """Its text, URL-safe."""
        names = sorted({*self.places, *self.shifts, *self.done, *(each.agent for each in self.shown)})
        number = {name: at for at, name in enumerate(names)}
        fields = [
            self.question,
            self.start_ns,
            self.end_ns,
            self.total,
            self.is_exact,
            self.boundary,
            names,
            [[number[name], place.key, place.position] for name, place in sorted(self.places.items())],
            [[number[name], shift] for name, shift in sorted(self.shifts.items())],
            sorted(number[name] for name in self.done),
            [[number[each.agent], each.content, each.times] for each in self.shown],
        ]
        packed = zlib.compress(json.dumps(fields, separators=(",", ":")).encode(), 9)
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str, question: str) -> Cursor:
        """The cursor in ``text``, which must belong to the question with this mark.

        Raises:
            InvalidQuestion: it does not.
        """
        try:
            found = cls._of(_unpacked(text))
        except (ValueError, TypeError, LookupError, binascii.Error, zlib.error, RecursionError) as error:
            raise InvalidQuestion(_REFUSED) from error
        if found.question != question:
            raise InvalidQuestion(_REFUSED)
        return found

    @classmethod
    def _of(cls, fields: list[Any]) -> Cursor:
        question, start, end, total, is_exact, boundary, names, places, shifts, done, shown = fields
        return cls(
            str(question),
            _bound(start),
            _bound(end),
            _whole(total),
            bool(is_exact),
            _whole(boundary),
            {str(names[at]): Place(_whole(key), _whole(position)) for at, key, position in places},
            {str(names[at]): _whole(shift) for at, shift in shifts},
            frozenset(str(names[at]) for at in done),
            tuple(Shown(str(names[at]), str(content), _whole(times)) for at, content, times in shown),
        )


def _unpacked(text: str) -> list[Any]:
    packed = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    unpacker = zlib.decompressobj()
    plain = unpacker.decompress(packed, _MAX_BYTES)
    if unpacker.unconsumed_tail:
        raise ValueError("too large")
    fields = json.loads(plain)
    if not isinstance(fields, list):
        raise TypeError("not a list")
    return fields


def _whole(value: object) -> int:
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise ValueError("not a number of 64 bits")
    return value


def _bound(value: object) -> int | None:
    return None if value is None else _whole(value)


def mark_of(rpc: str, filters: bytes) -> str:
    """What a cursor belongs to: the RPC and every filter."""
    return hashlib.blake2b(rpc.encode() + b"\0" + filters, digest_size=8).hexdigest()
