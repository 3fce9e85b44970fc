"""Reads the usual layout of a KeyValue without a parser, so that clean attributes cost no protobuf object.

Usual: key, then value, every field once, lengths under 128; anything else is left to protobuf. ``irregular`` tells many
attributes at once, by an automaton that counts lengths as it goes (1 ms a megabyte; one by one in Python costs 8).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from agent.scrub.engine import HINTS, Search

LONGEST: Final = 129
"""Bytes of a value field whose length takes one byte, with its tag and length."""
LONGEST_SEEN: Final = 300
"""Bytes of a text that ``irregular`` counts out; a longer one it leaves to the parser."""
NOT_SIMPLE: Final = -1
SEPARATOR: Final = b"\xff"
"""Between attributes that are looked at together: no UTF-8 text holds this byte."""

_KEY, _VALUE, _STRING, _BOOL, _INTEGER, _DOUBLE = 0x0A, 0x12, 0x0A, 0x10, 0x18, 0x21
_NEVER = b"\xff" * 5  # longer than the fields it stands for
_STRING_HEADS = [bytes((_VALUE, size - 2, _STRING, size - 4)) if size >= 4 else _NEVER for size in range(LONGEST + 1)]
"""What a string's value field of so many bytes begins with."""


def varint(number: int) -> bytes:
    """A length as protobuf writes it."""
    if number < 128:
        return bytes((number,))
    return bytes((number & 127 | 128,)) + varint(number >> 7)


def _text_head(length: int) -> bytes:
    """What stands between the value's tag and the text of a string of so many bytes, under 16,000."""
    text = bytes((_STRING,)) + varint(length)
    return varint(len(text) + length) + text


def _escaped(head: bytes) -> str:
    return "".join(rf"\x{byte:02x}" for byte in head)


def _counted(head: Callable[[int], bytes], longest: int) -> str:
    """A pattern for a head and the bytes it announces: nested, so that all lengths share one chain of bytes."""
    pattern = rf"{_escaped(head(longest))}[^\xff]"
    for length in reversed(range(1, longest)):
        pattern = rf"(?:{_escaped(head(length))}|{pattern})[^\xff]"
    return rf"(?:{_escaped(head(0))}|{pattern})"


def _pattern() -> str:
    """Attributes, each with a separator behind: a key, then nothing, a string, boolean, integer or double."""
    key = r"\x0a" + _counted(varint, 127)
    text = _counted(_text_head, LONGEST_SEEN)
    integers = "|".join(rf"\x{size + 2:02x}[\x10\x18][\x80-\xfe]{{{size}}}[\x00-\x7f]" for size in range(10))
    return rf"(?:{key}(?:\x12(?:{text}|{integers}|\x00|\x09\x21[^\xff]{{8}}))?\xff)+"


_REGULAR = Search(_pattern().encode(), HINTS)


def irregular(joined: bytes, ends: Sequence[int]) -> Iterator[int]:
    """The places of those attributes that have another layout than the usual one.

    ``joined`` is all of them with a separator behind each, ``ends`` where those separators end.
    """
    at = index = 0
    while True:
        at = max(at, _REGULAR.end_at(joined, at))
        if at == len(joined):
            return
        index = bisect_right(ends, at, index)
        yield index
        at = ends[index]


def is_key_head(head: bytes) -> bool:
    """Whether ``head`` is a whole key field: tag, length, text."""
    return len(head) >= 2 and head[0] == _KEY and head[1] < 128 and len(head) == head[1] + 2


def string_start(wire: bytes, at: int) -> int:
    """Where the text of a string begins when the value field starts at ``at``; the end for a number or boolean.

    ``NOT_SIMPLE`` unless every byte from ``at`` on is accounted for.
    """
    size = len(wire) - at
    if 0 <= size <= LONGEST and wire.startswith(_STRING_HEADS[size], at):
        return at + 4
    if not 4 <= size <= 13 or wire[at] != _VALUE or wire[at + 1] != size - 2:
        return _long_string_start(wire, at, size)
    kind = wire[at + 2]
    if kind == _DOUBLE:
        return len(wire) if size == 11 else NOT_SIMPLE
    whole = kind in (_BOOL, _INTEGER) and wire[-1] < 128 and (size == 4 or min(wire[at + 3 : -1]) >= 128)
    return len(wire) if whole else NOT_SIMPLE


def _long_string_start(wire: bytes, at: int, size: int) -> int:
    """As ``string_start`` for a longer string."""
    for text_at in (at + 5, at + 6):  # the string's own length may still take one byte
        length = len(wire) - text_at
        if LONGEST < size < 16_000 and wire[at + 1 : text_at] == _text_head(length) and wire[at] == _VALUE:
            return text_at
    return NOT_SIMPLE
