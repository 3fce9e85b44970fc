"""Protobuf's wire format, as far as reading and writing it by hand needs: varints, zigzag, lengths, fields; pure."""

from __future__ import annotations

from collections.abc import Callable

from agent import errors

MALFORMED = "the body is not an OTLP request: send the protobuf bytes of Export…ServiceRequest, uncut"
LENGTH_DELIMITED = 2  # wire type
GROUP_STEPS = {3: 1, 4: -1}  # by wire type: into a group, out of it
_FIXED_BYTES = {1: 8, 5: 4}  # by wire type


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


def field_at(payload: bytes, at: int, end: int) -> tuple[int, int, int]:
    """The tag of the field at ``at``, how long its octets are and where they start; a varint is read over.

    Raises:
        MalformedExport: there is no field; its octets may still go over the ``end``.
    """
    tag, at = _varint(payload, at, end)
    wire_type = tag & 7
    if not 0 < tag >> 3 < 1 << 29 or wire_type > 5:
        raise errors.MalformedExport(MALFORMED)
    if wire_type == LENGTH_DELIMITED:
        size, at = _varint(payload, at, end)
        return tag, size, at
    if wire_type == 0:
        return tag, 0, _varint(payload, at, end)[1]
    return tag, _FIXED_BYTES.get(wire_type, 0), at


def _varint(payload: bytes, at: int, end: int) -> tuple[int, int]:
    """The varint at ``at`` and where it ends."""
    result = shift = 0
    while at < end and shift < 70:
        byte = payload[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, at
        shift += 7
    raise errors.MalformedExport(MALFORMED)
