"""How RE2 is asked here: over UTF-8, or over bytes as Latin-1 where only ASCII matters, and silent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import re2

MEMORY_BYTES = 32 << 20
"""For the automaton of all hints: it needs 16 MiB, and with RE2's 8 MiB it is thrown away again and again, ten times slower."""


def _options(encoding: str, memory_bytes: int = 8 << 20) -> Any:  # noqa: ANN401 - re2 publishes no types
    options = re2.Options()
    options.encoding = getattr(re2.Options.Encoding, encoding)
    options.log_errors = False  # it writes to stderr past every log setting
    options.max_mem = memory_bytes
    return options


LATIN1 = _options("LATIN1")
UTF8 = _options("UTF8")
HINTS = _options("LATIN1", MEMORY_BYTES)


Span = tuple[int, int]
_ANYWHERE = re2._Anchor.UNANCHORED  # noqa: SLF001 - see Search
_AT_THE_START = re2._Anchor.ANCHOR_START  # noqa: SLF001 - as above


class Search:
    """One pattern over bytes, asked for its first match: a call takes 1.2 us, through the package's own objects 4.2."""

    __slots__ = ("_match", "source")

    def __init__(self, pattern: bytes, options: Any) -> None:  # noqa: ANN401 - re2 publishes no types
        self.source = re2.compile(pattern, options)
        self._match = self.source._regexp.Match  # noqa: SLF001 - the only way round a generator and three properties a call

    def spans(self, text: bytes, at: int = 0) -> list[Span] | None:
        """The first match from ``at`` on, then its groups; (-1, -1) is a group that took no part."""
        found: list[Span] = self._match(_ANYWHERE, text, at, len(text))
        return None if found[0][0] < 0 else found

    def start(self, text: bytes, at: int = 0) -> int:
        """Where the first match from ``at`` on begins; -1 without one."""
        return int(self._match(_ANYWHERE, text, at, len(text))[0][0])

    def end_at(self, text: bytes, at: int) -> int:
        """Where the match that begins exactly at ``at`` ends; -1 without one."""
        return int(self._match(_AT_THE_START, text, at, len(text))[0][1])


def set_of(patterns: Iterable[str]) -> Any:  # noqa: ANN401 - re2 publishes no types
    """Tells which of the patterns match somewhere in a text; bytes as Latin-1."""
    found = re2.Set.SearchSet(HINTS)
    for pattern in patterns:
        found.Add(pattern.encode())
    found.Compile()
    return found


def replaced_everywhere(text: bytes, pattern: str, by: str) -> bytes:
    """Every match replaced without a call into Python: a hundredth of the time. ``text`` is UTF-8."""
    cleaned = pc.replace_substring_regex(pa.array([text], pa.binary()).cast(pa.string()), pattern, by)
    return bytes(cleaned.cast(pa.binary())[0].as_py())
