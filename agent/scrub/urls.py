"""The URL rule: no user information, no value of a sensitive query parameter; everything else as it came."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

import re2

from agent.scrub.rules import URL_PARAMETERS

IN_TEXT = r"""[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\x00-\x20"'<>`]+"""
HINT = r"://[^\x00]*[=@]"

_IN_TEXT = re2.compile(IN_TEXT.encode())
_USER = re2.compile(rb"//([^/?#\s]*)@")
_USER_WITH_SLASH = re2.compile(rb"//([^/?#\s@:]*:[^\s@]*)@")
_NAME = re2.compile(rb"(?:\A|[?&#;])([^=?&#;\s]{1,200})=")
_VALUE_END = re2.compile(rb"""[&#\s"'<>]|\z""")
_PORT = re2.compile(rb":[0-9]*(?:[/?#]|\z)")
_REDACTED_USER = b"REDACTED:REDACTED"


def _without_user(url: bytes) -> bytes:
    match = _USER.search(url) or _USER_WITH_SLASH.search(url)
    if match is None or _PORT.search(match.group(1)):
        return url
    return url[: match.start(1)] + _REDACTED_USER + url[match.end(1) :]


def _sensitive(name: bytes) -> bool:
    return unquote_to_bytes(name).decode("utf-8", "replace").lower() in URL_PARAMETERS


def _without_parameters(url: bytes) -> bytes:
    pieces: list[bytes] = []
    kept = at = 0
    while (match := _NAME.search(url, at)) is not None:
        at = match.end()
        if _sensitive(match.group(1)):
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

    def replaced(match: Any) -> bytes:  # noqa: ANN401 - re2 publishes no types
        return scrub_url(match.group())

    cleaned: bytes = _IN_TEXT.sub(replaced, text)
    return cleaned
