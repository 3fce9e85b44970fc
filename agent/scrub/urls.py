"""The URL rule: no user information, no value of a sensitive query parameter; everything else as it came."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

import re2

from agent.scrub.engine import LATIN1, replaced_everywhere
from agent.scrub.rules import URL_PARAMETERS

IN_TEXT = r"""[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\x00-\x20"'<>`]*[@=][^\x00-\x20"'<>`]*"""
"""A URL with a user or a parameter in it."""
_REST = rf"(?:{IN_TEXT}[ \n,;]*)+"

_NAME = rf"(?i:{'|'.join(sorted(URL_PARAMETERS, key=len, reverse=True))}|[^=?&#;\s]*%[^=?&#;\s]*)"
"""A name with an escape in it may be any name; what it spells is looked at after."""
_IN_TEXT = re2.compile(IN_TEXT.encode(), LATIN1)
_USER = re2.compile(rb"//[^/?#\s]*@", LATIN1)
_USER_WITH_SLASH = re2.compile(rb"//[^/?#\s@:]*:[^\s@]*@", LATIN1)
_PARAMETER = re2.compile(rf"(?:\A|[?&#;]){_NAME}=".encode(), LATIN1)
_VALUE_END = re2.compile(rb"""[&#\s"'<>]|\z""", LATIN1)
_PORT = re2.compile(rb":[0-9]*(?:[/?#]|\z)", LATIN1)
_REDACTED_USER = b"//REDACTED:REDACTED@"

WORK = 512
"""URLs of one text, and parameters of one URL, that are looked at; what stands behind them goes."""


def _without_user(url: bytes) -> bytes:
    match = _USER.search(url) or _USER_WITH_SLASH.search(url)
    if match is None or _PORT.search(url[match.start() : match.end() - 1]):
        return url
    return url[: match.start()] + _REDACTED_USER + url[match.end() :]


def _sensitive(name: bytes) -> bool:
    return b"%" not in name or unquote_to_bytes(name).decode("utf-8", "replace").lower() in URL_PARAMETERS


def _without_parameters(url: bytes) -> bytes:
    pieces: list[bytes] = []
    kept = at = 0
    work = WORK
    while (match := _PARAMETER.search(url, at)) is not None:
        at = match.end()
        work -= 1
        if work < 0:
            return b"".join((*pieces, url[kept:at], b"REDACTED"))
        if _sensitive(url[match.start() : at - 1].lstrip(b"?&#;")):
            end = _VALUE_END.search(url, at).start()
            pieces += (url[kept:at], b"REDACTED" if end > at else b"")
            kept = at = end
    return b"".join((*pieces, url[kept:])) if pieces else url


def scrub_url(url: bytes) -> bytes:
    """A whole URL, or the path or query of one."""
    if b"@" in url:
        url = _without_user(url)
    return _without_parameters(url) if b"=" in url else url


def in_text(text: bytes) -> bytes:
    """Every URL that stands in a text."""
    pieces: list[bytes] = []
    kept = 0
    for work, match in enumerate(_IN_TEXT.finditer(text)):
        if work > WORK:
            pieces += (text[kept : match.start()], replaced_everywhere(text[match.start() :], _REST, "[REDACTED:url]"))
            return b"".join(pieces)
        url = match.group()
        cleaned = scrub_url(url)
        if cleaned is not url:
            pieces += (text[kept : match.start()], cleaned)
            kept = match.end()
    return b"".join((*pieces, text[kept:])) if pieces else text
