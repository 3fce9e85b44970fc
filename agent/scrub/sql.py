"""The SQL rule: literals become ``?`` in a statement that has no placeholder of its own."""

from __future__ import annotations

from typing import Any

import re2

_TOKEN = re2.compile(
    r"""(?s)(?P<string>[nNeExXbB]?'(?:[^'\\]|''|\\.)*(?:'|\\?\z)|\$\$.*?(?:\$\$|\z)|\$[A-Za-z_]\w*\$.*?(?:\$[A-Za-z_]\w*\$|\z))"""
    r"""|(?P<quoted>"(?:[^"\\]|""|\\.)*(?:"|\\?\z))"""
    r"""|(?P<comment>--[^\n]*|/\*.*?(?:\*/|\z))"""
    r"""|(?P<hole>\?|\$[0-9]+|::|:[A-Za-z_]\w*|%s|%\(\w+\)s|@[A-Za-z_]\w*)"""
    r"""|(?P<name>[\pL_`\[][\pL\pN_$`\].]*)"""
    r"""|(?P<number>(?:0[xX][0-9a-fA-F]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?))"""
    r"""|(?P<sign>[=<>!(,]|\s+|.)"""
)
_LIST = re2.compile(r"(?i)\b(in\s*\()\s*\?(?:\s*,\s*\?)+\s*\)")
_KINDS = ("string", "quoted", "comment", "hole", "name", "number", "sign")
_COMPARISON = frozenset(("=", "<", ">", "like", "ilike", "regexp", "rlike"))


def _kind(match: Any) -> str:  # noqa: ANN401 - re2 publishes no types
    return next(kind for kind, span in zip(_KINDS, range(1, 8), strict=True) if match.start(span) >= 0)


def _tokens(statement: str) -> list[tuple[str, str]]:
    return [(_kind(match), match.group()) for match in _TOKEN.finditer(statement)]


def _is_literal(kind: str, before: str, after: str, in_values: bool) -> bool:
    """Double quotes hold a string after a comparison and among VALUES (MySQL), elsewhere a name (standard SQL)."""
    if kind != "quoted":
        return kind in ("string", "number")
    return after != "." and (in_values or before in _COMPARISON)


def scrub_sql(statement: str) -> str:
    """String and numeric literals as ``?``, lists of them collapsed; comments go too, for they hold whatever they hold."""
    tokens = _tokens(statement)
    if any(kind == "hole" and text != "::" for kind, text in tokens):
        return statement
    pieces: list[str] = []
    before, in_values = "", False
    for index, (kind, text) in enumerate(tokens):
        after = tokens[index + 1][1] if index + 1 < len(tokens) else ""
        if kind == "comment":
            pieces.append("/*?*/")
        else:
            pieces.append("?" if _is_literal(kind, before, after, in_values) else text)
        if text.strip():
            before = text.lower()
            in_values = in_values or before == "values"
    cleaned: str = _LIST.sub(r"\1?)", "".join(pieces))
    return cleaned if cleaned != statement else statement
