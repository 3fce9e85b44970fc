"""Protobuf's wire format, as far as writing it by hand needs: varints, zigzag, lengths; pure."""

from __future__ import annotations

from collections.abc import Callable


def varint(number: int) -> bytes:
    """A number of at least 0 as a base-128 varint."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def with_length(tag: bytes) -> Callable[[bytes], bytes]:
    """Puts a field's tag and length before its octets; short lengths come from a table."""
    short = [tag + bytes([length]) for length in range(0x80)]

    def prefixed(octets: bytes) -> bytes:
        length = len(octets)
        return (short[length] if length < 0x80 else tag + varint(length)) + octets

    return prefixed


def signed_varint(number: int) -> bytes:
    """An int32 or int64: negative ones are ten bytes of their two's complement."""
    return varint(number & 0xFFFF_FFFF_FFFF_FFFF)


def zigzag(number: int) -> bytes:
    """An sint32 or sint64."""
    return varint(number << 1 if number >= 0 else ~number << 1 | 1)
