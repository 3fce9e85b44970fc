"""Marks in scrubbed text: what a text search must not find by chance, since what a mark replaces is nobody's business; pure."""

from __future__ import annotations

from collections.abc import Sequence

import re2

_ADDRESS = r"[0-9]{1,3}(?:\.[0-9]{1,3}){2}\.0\b"
"""The network of an address: which host it was is gone."""

_MARK = re2.compile(r"\[redacted:[^\]\n]{0,300}\]|hmac:[0-9a-f]{24}|redacted|" + _ADDRESS)
_WHOLE = re2.compile(r"redacted|hmac:|" + _ADDRESS)
_BEGINNINGS = ("[redacted:", "hmac:")


def unmarked(folded: str) -> Sequence[str]:
    """What stands around the marks of a scrubbed text, which is folded (``values.folded``).

    It stood in the raw text as well, but for the white space of a JSON document that was written anew.
    """
    pieces: list[str] = _MARK.split(folded)
    return pieces


def may_be_a_mark(text: str) -> bool:
    """Whether a text is looked for among marks: it holds one, or is four characters of how one begins, or more."""
    lowered = text.lower()
    return _WHOLE.search(lowered) is not None or (len(text) > 3 and any(lowered in mark for mark in _BEGINNINGS))
