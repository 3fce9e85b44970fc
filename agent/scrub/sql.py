"""The SQL rule: literals become ``?`` in a statement that has no placeholder of its own."""

from __future__ import annotations

from agent.scrub.engine import LATIN1, Search, replaced_everywhere

_STRING = r"'(?:[^'\\]|''|\\.)*(?:'|\\?\z)|\$\$.*?(?:\$\$|\z)|\$[A-Za-z_]\w*\$.*?(?:\$[A-Za-z_]\w*\$|\z)"
_NUMBER = r"\b0[xX][0-9a-fA-F]+|\b[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?"
_QUOTED = r'"(?:[^"\\]|""|\\.)*(?:"|\\?\z)'
_COMMENT = r"--[^\n]*|/\*.*?(?:\*/|\z)"
_PLACEHOLDER = r"\?|\$[0-9]+|:[A-Za-z_]\w*|%s\b|%\(\w+\)s|@[A-Za-z_]\w*"
_TOKEN = Search(rf"(?s)`[^`]*`|::|{_STRING}|{_NUMBER}|{_QUOTED}|{_COMMENT}|{_PLACEHOLDER}".encode(), LATIN1)
"""What may have to go, and what must not be taken for it. No groups: they take four times as long."""
_REST = rf"(?s)(?:(?:{_STRING}|{_NUMBER}|{_QUOTED}|{_COMMENT})[\s,()]*)+"
_LISTS = r"(?i)\bin\s*\(\s*\?(?:\s*,\s*\?)+\s*\)"
_LIST = Search(_LISTS.encode(), LATIN1)
_COMPARES = Search(rb"(?i)(?:[=<>]|\b(?:like|ilike|regexp|rlike))\s*\z", LATIN1)
_VALUES = Search(rb"(?i)\bvalues\b", LATIN1)

_LITERALS = frozenset(b"'0123456789")
"""What nearly every literal begins with, and nothing else."""

WORK = 1024
"""Literals of one statement that are looked at; behind them everything that may be one becomes ``?``."""
LONG = 4096
"""Bytes of a statement whose lists are collapsed outside Python: 80 us, of which all but 5 go into compiling the pattern."""


def _in_name(statement: bytes, at: int) -> bool:
    before = statement[at - 1 : at]
    return before.isalnum() or before == b"_" or before >= b"\x80"


def _is_placeholder(token: bytes, statement: bytes, at: int) -> bool:
    if token[:1] == b"$":
        return token[1:].isdigit() and not _in_name(statement, at)
    return token == b"?" or (len(token) > 1 and token[:1] in (b":", b"%", b"@") and token != b"::")


class _Names:
    """Double quotes hold a string after a comparison and among VALUES (MySQL), else a name."""

    def __init__(self, statement: bytes) -> None:
        self._statement = statement
        self._values: int | None = None

    def is_name(self, start: int, end: int) -> bool:
        """Whether the quoted text there is one."""
        if self._values is None:
            found = _VALUES.start(self._statement)
            self._values = len(self._statement) if found < 0 else found
        if self._statement[end : end + 1] == b".":
            return True
        return start < self._values and _COMPARES.start(self._statement[max(0, start - 40) : start]) < 0


def _replaced(statement: bytes) -> bytes | None:
    """The statement without literals; None when it has a placeholder."""
    pieces: list[bytes] = []
    kept = at = work = 0
    names = _Names(statement)
    while (spans := _TOKEN.spans(statement, at)) is not None:
        start, at = spans[0]
        work += 1
        if work > WORK:
            return b"".join((*pieces, statement[kept:start], replaced_everywhere(statement[start:], _REST, "?")))
        if statement[start] in _LITERALS:
            pieces += (statement[kept:start], b"?")
            kept = at
            continue
        token = statement[start:at]
        if _is_placeholder(token, statement, start):
            return None
        if token[:1] in (b"`", b":") or (token[:1] == b"$" and _in_name(statement, start)):
            continue
        if token[:1] == b'"' and names.is_name(start, at):
            continue
        pieces += (statement[kept:start], b"/*?*/" if token.startswith((b"--", b"/*")) else b"?")
        kept = at
    return b"".join((*pieces, statement[kept:]))


def scrub_sql(statement: str) -> str:
    """String and numeric literals as ``?``, lists of them collapsed; comments go too, for they hold whatever they hold."""
    cleaned = _replaced(statement.encode("utf-8", "replace"))
    if cleaned is None:
        return statement
    if _LIST.start(cleaned) >= 0:
        shorten = replaced_everywhere if len(cleaned) > LONG else _shortened
        cleaned = shorten(cleaned, _LISTS, "IN (?)")
    return cleaned.decode("utf-8", "replace")


def _shortened(statement: bytes, _pattern: str, by: str) -> bytes:
    return bytes(_LIST.source.sub(by.encode(), statement))
