"""A request encoded once, with holes at known places that each copy fills afresh: ids, times, digits, text.

The wire format is written by hand because every hole has a fixed size, so that all lengths around it are known in advance. A
copy of 512 spans costs the client half a millisecond to a whole one: values are made for all holes of a kind in a few calls,
put in order by one ``itemgetter`` and joined.
"""

from __future__ import annotations

import enum
import operator
import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass

_VARINTS = 8192
_DIGITS = bytes(ord("0") + i % 10 for i in range(256))
_LETTERS = bytes(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[i % 64] for i in range(256))


class Kind(enum.Enum):
    """What a hole is filled with."""

    BYTES = "random bytes"
    HEX = "hexadecimal digits"
    DIGITS = "decimal digits"
    TEXT = "letters and digits"
    VARINT = "a three-byte varint, 16,384 to 2,097,151"
    TIME = "nanoseconds since 1970, fixed64"


@dataclass(frozen=True, slots=True)
class Hole:
    """A place of ``size`` bytes. Holes of one kind, size and ``number`` get the same value; an END is its START and a duration.

    For times ``number`` counts the moments of a request; see ``Template``.
    """

    kind: Kind
    size: int
    number: int


Piece = bytes | Hole


def size_of(pieces: Sequence[Piece]) -> int:
    """The bytes that pieces take."""
    return sum(piece.size if isinstance(piece, Hole) else len(piece) for piece in pieces)


def varint(number: int) -> bytes:
    """An unsigned number as protobuf writes it."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def message(field: int, *pieces: Piece) -> list[Piece]:
    """A length-delimited field: a string, bytes or a message."""
    return [varint(field << 3 | 2) + varint(size_of(pieces)), *pieces]


def number(field: int, value: int) -> list[Piece]:
    """A varint field."""
    return [varint(field << 3) + varint(value)]


def fixed64(field: int, value: Piece) -> list[Piece]:
    """A fixed64 field."""
    return [varint(field << 3 | 1), value]


class Template:
    """Bytes and holes of one request of ``records`` records.

    ``offsets_ns`` places each moment relative to the request's own time; ``long_after`` maps the moments that end something to
    the moment it began: their distance is drawn anew (lognormal around 5 ms).
    """

    def __init__(self, pieces: Sequence[Piece], records: int, offsets_ns: Sequence[int], long_after: dict[int, int]) -> None:
        self.records = records
        self._offsets = list(offsets_ns)
        self._long_after = long_after
        fixed, order, holes = _joined(pieces)
        counts: dict[tuple[Kind, int], int] = {}
        for hole in holes:
            group = (hole.kind, hole.size)
            counts[group] = max(counts.get(group, 0), hole.number + 1)
        self._counts = counts
        first = {}
        at = len(fixed)
        for group, count in counts.items():
            first[group] = at
            at += count
        self._fixed = fixed
        places = [p if isinstance(p, int) else first[p.kind, p.size] + p.number for p in order]
        self._in_order = operator.itemgetter(*places)
        dice = random.Random(records)
        self._varints = [varint(dice.randrange(1 << 14, 1 << 21)) for _ in range(_VARINTS)] * 2
        self._durations = [min(60_000_000_000, round(dice.lognormvariate(15.4, 1.2))) for _ in range(_VARINTS)] * 2

    def copy(self, dice: random.Random, now_ns: int) -> tuple[bytes, bytes]:
        """A request unlike any other, and the first of its sixteen-byte ids."""
        values: list[bytes] = list(self._fixed)
        first_id = b""
        for (kind, size), count in self._counts.items():
            made = self._values(kind, size, count, dice, now_ns)
            if kind is Kind.BYTES and size == 16:
                first_id = made[0]
            values += made
        return b"".join(self._in_order(values)), first_id

    def _values(self, kind: Kind, size: int, count: int, dice: random.Random, now_ns: int) -> Sequence[bytes]:
        if kind is Kind.VARINT:
            at = dice.randrange(_VARINTS)
            return self._varints[at : at + count]
        if kind is Kind.TIME:
            return _split(struct.pack(f"<{count}Q", *self._times(dice, now_ns)), 8, count)
        if kind is Kind.HEX:
            return _split(dice.randbytes((size * count + 1) // 2).hex().encode(), size, count)
        raw = dice.randbytes(size * count)
        if kind is Kind.DIGITS:
            raw = raw.translate(_DIGITS)
        elif kind is Kind.TEXT:
            raw = raw.translate(_LETTERS)
        return _split(raw, size, count)

    def _times(self, dice: random.Random, now_ns: int) -> list[int]:
        """Every moment; beginnings are shaken by up to 2 ms."""
        base, at = now_ns - 1_500_000_000, dice.randrange(_VARINTS)
        shaken = dice.getrandbits(21)
        times = [base + (offset ^ shaken) for offset in self._offsets]
        durations = self._durations[at : at + len(self._long_after)]
        for (end, begin), duration in zip(self._long_after.items(), durations, strict=True):
            times[end] = times[begin] + duration
        return times


def _split(raw: bytes, size: int, count: int) -> tuple[bytes, ...]:
    return struct.unpack(f"{size}s" * count, raw[: size * count])


def _joined(pieces: Sequence[Piece]) -> tuple[list[bytes], list[int | Hole], list[Hole]]:
    """The runs of fixed bytes; the whole as indexes of runs and holes, in order; the holes."""
    runs: list[bytes] = []
    order: list[int | Hole] = []
    run = b""
    for piece in pieces:
        if isinstance(piece, bytes):
            run += piece
            continue
        if run:
            order.append(len(runs))
            runs.append(run)
            run = b""
        order.append(piece)
    if run:
        order.append(len(runs))
        runs.append(run)
    return runs, order, [place for place in order if isinstance(place, Hole)]
