"""A JSON body too large to be read at once, walked from member to member; only what stands at the place asked for is read.

orjson holds the interpreter's lock while it reads: 95 ms for a million empty lists, and 200 MiB for what it makes of them.
Of a walked body it reads one piece at a time, a record say, which is within ``MAX_PIECE_TOKENS`` and ``MAX_PIECE_BYTES``.
To find a piece's end costs 50 µs for a span of ten attributes, half of what it costs to convert it.
"""

from __future__ import annotations

import gc
import re
from collections import Counter
from collections.abc import Iterator

import orjson

from agent import errors

MAX_PIECE_TOKENS = 1 << 17
"""Brackets and commas: 10 ms, 12 MiB."""

MAX_PIECE_BYTES = 16 << 20
"""A record of ``limits.max_record_bytes`` has at most about six times its size in JSON: every character as an escape."""

_WINDOW = 64 << 10
"""What one match reads: a regular expression does not give the lock away, and takes up to 85 ms for a mebibyte."""

_LONGEST_LITERAL = 4096
"""Digits of a number."""

_BLANKS = re.compile(rb"[ \t\n\r]*+")
_LITERAL = re.compile(rb"[-+.0-9A-Za-z]*+")
_WORD = re.compile(rb'"([A-Za-z0-9]*+)"')
_UP_TO_BRACKET = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_BLANK, _QUOTE, _COMMA, _COLON, _BACKSLASH, _NULL = b' ",:\\n'
_OPENING, _CLOSING = b"{[", b"}]"


def malformed(why: str, at: int) -> errors.MalformedExport:
    """The error for a body that is not JSON."""
    return errors.MalformedExport(f"the body is not JSON: {why} at byte {at}")


def parsed(text: bytes | memoryview, at: int = 0) -> object:
    """The JSON value in ``text``, which begins at ``at`` in the body.

    Without garbage collection meanwhile: it would look at all that is made again and again, eight times as long as reading.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise malformed(error.msg, at + error.pos) from None
    finally:
        if collecting:
            gc.enable()


def tokens(body: bytes, start: int, end: int) -> int:
    """Brackets and commas, inside of strings too, counted a mebibyte at a time."""
    return sum(
        body.count(token, at, min(at + (1 << 20), end)) for at in range(start, end, 1 << 20) for token in (b"{", b"[", b",")
    )


class Walk:
    """A place in a JSON body.

    ``members`` and ``elements`` open what stands there and yield with the place at each value; whoever iterates takes it,
    with ``value`` or by opening it in turn, before going on.
    """

    def __init__(self, body: bytes, start: int, max_elements: int) -> None:
        self._body = body
        self._at = start
        self._max_elements = max_elements
        self._elements: Counter[str] = Counter()

    def first(self) -> int:
        """The first byte of what stands here, behind blanks."""
        body = self._body
        while self._at < len(body) and body[self._at] <= _BLANK:
            end = _BLANKS.match(body, self._at, self._at + _WINDOW).end()  # type: ignore[union-attr]  # matches always
            if end == self._at:
                break
            self._at = end
        if self._at >= len(body):
            raise malformed("it ends", self._at)
        return body[self._at]

    def is_null(self) -> bool:
        """Whether null stands here; then the place is behind it."""
        return self.first() == _NULL and self.value() is None

    def members(self) -> Iterator[str]:
        """The names of an object's members."""
        if self._opens_empty(b"{}"):
            return
        while True:
            name = self._name() if self.first() == _QUOTE else None
            if not isinstance(name, str) or self.first() != _COLON:
                raise malformed("a member without a name", self._at)
            self._at += 1
            yield name
            if self._closes(b"}"):
                return

    def elements(self, kind: str) -> Iterator[None]:
        """Once for each element of a list.

        Raises:
            TooLarge: this one is over the number that all lists of this ``kind`` may have together.
        """
        if self._opens_empty(b"[]"):
            return
        while True:
            self._elements[kind] += 1
            if self._elements[kind] > self._max_elements:
                raise errors.TooLarge(
                    f"the request has more than {self._max_elements} {kind}, as limits.max_records has it: send smaller batches"
                )
            yield
            if self._closes(b"]"):
                return

    def value(self) -> object:
        """What stands here, read whole; the place is then behind it.

        Raises:
            TooLarge: it is no piece that can be read at once.
        """
        first, start = self.first(), self._at
        if first == _QUOTE:
            self._at = self._string_end(start)
        elif first in _OPENING:
            self._at = self._closing(start)
        else:
            self._at = _LITERAL.match(self._body, start, start + _LONGEST_LITERAL).end()  # type: ignore[union-attr]  # matches always
        if self._at - start > MAX_PIECE_TOKENS and tokens(self._body, start, self._at) > MAX_PIECE_TOKENS:
            raise _too_large(start)
        return parsed(memoryview(self._body)[start : self._at], start)

    def end(self) -> None:
        """Nothing but blanks may follow."""
        at = len(self._body.rstrip(b" \t\n\r"))
        if self._at < at:
            raise malformed("it goes on after its end", self._at)

    def _name(self) -> object:
        """The string that stands here: nearly always a plain word."""
        word = _WORD.match(self._body, self._at, self._at + _WINDOW)
        if word is None:
            return self.value()
        self._at = word.end()
        return word[1].decode()

    def _opens_empty(self, brackets: bytes) -> bool:
        """Steps into an object or a list; whether it is over at once. The caller knows that it stands before one."""
        self._at += 1
        if self.first() != brackets[1]:
            return False
        self._at += 1
        return True

    def _closes(self, bracket: bytes) -> bool:
        """Steps over the comma or the bracket behind a value; whether it was the bracket."""
        byte = self.first()
        if byte != _COMMA and byte != bracket[0]:
            raise malformed("neither a comma nor a bracket", self._at)
        self._at += 1
        return byte != _COMMA

    def _closing(self, start: int) -> int:
        """Where the object or the list at ``start`` ends; that its brackets match in kind is for who reads it."""
        body, at, depth, brackets = self._body, start, 0, 0
        while True:
            at = _UP_TO_BRACKET.match(body, at, at + _WINDOW).end()  # type: ignore[union-attr]  # matches always
            byte = body[at] if at < len(body) else 0
            if at >= len(body):
                raise malformed("it ends", at)
            if byte == _QUOTE:  # a string that the window cuts
                at = self._string_end(at)
            elif byte in _OPENING:
                at, depth, brackets = at + 1, depth + 1, brackets + 1
            elif byte in _CLOSING:
                at, depth = at + 1, depth - 1
                if not depth:
                    return at
            if brackets > MAX_PIECE_TOKENS or at - start > MAX_PIECE_BYTES:
                raise _too_large(start)

    def _string_end(self, start: int) -> int:
        """Where the string at ``start`` ends: at a quote with an even number of backslashes before it."""
        body, end = self._body, start
        while True:
            end = body.find(b'"', end + 1)
            if end < 0:
                raise malformed("a string without end", start)
            if end - start > MAX_PIECE_BYTES:
                raise _too_large(start)
            before = end
            while body[before - 1] == _BACKSLASH:
                before -= 1
            if (end - before) % 2 == 0:
                return end + 1


def _too_large(at: int) -> errors.TooLarge:
    return errors.TooLarge(
        f"what begins at byte {at} of the JSON body has more than {MAX_PIECE_TOKENS} brackets and commas or "
        f"{MAX_PIECE_BYTES} bytes: send smaller records"
    )
