"""Protobuf by hand: what a hostile or a broken sender writes, and mutants of what a good one does."""

from __future__ import annotations

import random
from collections.abc import Callable

OVERSIZED = b"\xff" * 10 + b"\x01"
_FIXED = {1: 8, 5: 4}  # bytes by wire type


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, octets: bytes) -> bytes:
    """A length-delimited field."""
    return varint(number << 3 | 2) + varint(len(octets)) + octets


def nested(levels: int, *numbers: int) -> bytes:
    """Messages inside each other, their field numbers in turn from the outside."""
    octets = b""
    for level in range(levels):
        octets = field(numbers[-1 - level % len(numbers)], octets)
    return octets


def parts(octets: bytes) -> list[tuple[bytes, bytes | None]] | None:
    """The fields: tag, and octets of those with a length (others stand in the tag whole); None when it is no message."""
    found: list[tuple[bytes, bytes | None]] = []
    at = 0
    while at < len(octets):
        start = at
        tag, at = _read(octets, at)
        if tag >> 3 == 0 or tag & 7 not in {0, 1, 2, 5}:
            return None
        if tag & 7 == 2:
            head = octets[start:at]
            size, at = _read(octets, at)
            if at + size > len(octets):
                return None
            found.append((head, octets[at : at + size]))
            at += size
        else:
            at = _read(octets, at)[1] if tag & 7 == 0 else at + _FIXED[tag & 7]
            if at > len(octets):
                return None
            found.append((octets[start:at], None))
    return found


def _read(octets: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while at < len(octets) and shift < 64:
        byte = octets[at]
        number, shift, at = number | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:
            return number, at
    return 1 << 62, len(octets) + 1


def joined(fields: list[tuple[bytes, bytes | None]]) -> bytes:
    """Octets of fields; lengths are right again."""
    return b"".join(tag if octets is None else tag + varint(len(octets)) + octets for tag, octets in fields)


def mutant(rng: random.Random, octets: bytes, other: bytes) -> bytes:
    """``octets`` with one to three faults, at the top or inside any of its messages."""
    for _ in range(rng.randint(1, 3)):
        octets = _descend(rng, octets, other) if rng.random() < 0.8 else _damaged(rng, octets, other)
    return octets


def _descend(rng: random.Random, octets: bytes, other: bytes) -> bytes:
    """Damage somewhere below, with the lengths around it right: it gets past whoever looks at the envelopes alone."""
    fields = parts(octets)
    inside = [i for i, (_, content) in enumerate(fields or []) if content is not None]
    if not fields or not inside or rng.random() < 0.15:
        return _damaged(rng, octets, other)
    index = rng.choice(inside)
    tag, content = fields[index]
    fields[index] = (tag, _descend(rng, content or b"", other))
    return joined(fields)


def _damaged(rng: random.Random, octets: bytes, other: bytes) -> bytes:
    at, size = rng.randint(0, len(octets)), rng.randint(0, 40)
    ways: list[Callable[[], bytes]] = [
        lambda: octets[:at],
        lambda: octets[:at] + octets[at + size :],
        lambda: _flipped(rng, octets, at),
        lambda: octets[: at + size] + octets[at:],
        lambda: octets[:at] + other[rng.randint(0, len(other)) :][:size] + octets[at:],
        lambda: octets[:at] + OVERSIZED + octets[at:],
        lambda: octets[:at] + field(rng.randint(1, 20), OVERSIZED) + octets[at:],
        lambda: octets[:at] + nested(rng.randint(1, 300), rng.randint(1, 12), rng.randint(1, 6)) + octets[at:],
        lambda: octets[:at] + rng.randbytes(size) + octets[at + size :],
        lambda: _fields_again(rng, octets),
        lambda: octets[:at] + field(rng.randint(1, 20), b"\xc3\x28 no UTF-8 \xff") + octets[at:],
    ]
    return rng.choice(ways)()


def _flipped(rng: random.Random, octets: bytes, at: int) -> bytes:
    return octets[:at] + bytes(byte ^ 1 << rng.randrange(8) for byte in octets[at : at + 1]) + octets[at + 1 :]


def _fields_again(rng: random.Random, octets: bytes) -> bytes:
    """Its fields in another order, one of them twice."""
    fields = parts(octets) or []
    if not fields:
        return octets
    fields.append(rng.choice(fields))
    rng.shuffle(fields)
    return joined(fields)
