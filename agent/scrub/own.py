"""Rules of the configuration: what each mode makes of a match or of the value under a key.

A mark is never looked into again, so that a pattern which matches its own mark comes to rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import re2

from agent.scrub.addresses import truncate
from agent.scrub.engine import UTF8, Search
from agent.scrub.rules import Mode, OwnRule

KEPT = 4
"""Characters at the end that ``partial`` shows of twelve or more."""

_MARK = re2.compile(rb"\[REDACTED:[^\]\n]{0,300}\]|hmac:[0-9a-f]{24}", UTF8)
_DOMAIN = re2.compile(r"[^@\s]+(@[^@\s\]]{1,250})")


_ESCAPED_BOUNDARY = re2.compile(r"\\[AbBzZQ]")
_BOUNDARY = re2.compile(r"\$|\(\?[^:]|(?:\A|[^\[])\^")


def _asks_for_a_boundary(pattern: str) -> bool:
    """Whether a pattern may look around its match, or has flags or names. A ``^`` that begins a class does not."""
    return bool(_ESCAPED_BOUNDARY.search(pattern) or _BOUNDARY.search(re.sub(r"(?s)\\.", "", pattern)))


def hints_of(rules: Sequence[OwnRule]) -> Search | None:
    """One pattern that finds, in raw bytes, every string that these rules may change; None without rules.

    A pattern that asks for a boundary finds none between the bytes of messages: every byte is suspect then. So is all that
    is not ASCII, which may be another character once folded, and a backslash, which may escape one in JSON.
    """
    if not rules:
        return None
    parts = ["[^\\x00-\\x7f]", r"\\"]
    for rule in rules:
        parts += [f"(?i:{re.escape(key.rstrip('*'))})" for key in rule.keys]
        if rule.pattern and not rule.keys:
            parts.append("." if _asks_for_a_boundary(rule.pattern) else f"(?:{rule.pattern})")
    return Search("|".join(parts).encode(), UTF8)


def masked(rule: OwnRule) -> str:
    """The mark of a rule."""
    return f"[REDACTED:{rule.name}]"


def partly(rule: OwnRule, text: str) -> str:
    """The mark with what ``partial`` shows: an address's domain, else the last characters of what is long enough."""
    domain = _DOMAIN.fullmatch(text)
    shown = domain.group(1) if domain else text[-KEPT:] if len(text) >= 3 * KEPT else ""
    shown = shown.replace("]", "").replace("\n", "")
    return f"[REDACTED:{rule.name}:{shown}]" if shown else masked(rule)


def replacement(rule: OwnRule, text: str, pseudonym: Callable[[str], str]) -> str:
    """What a rule makes of a text that it hits."""
    if _is_mark(text.encode("utf-8", "replace")):
        return text
    if rule.mode is Mode.PARTIAL:
        return partly(rule, text)
    if rule.mode is Mode.HMAC:
        return pseudonym(text)
    return truncate(text) if rule.mode is Mode.TRUNCATE_IP else masked(rule)


def _is_mark(text: bytes) -> bool:
    return _MARK.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class OwnPattern:
    """One rule's pattern over UTF-8 text."""

    rule: OwnRule
    pattern: Any
    pseudonym: Callable[[str], str]

    @classmethod
    def of(cls, rule: OwnRule, pseudonym: Callable[[str], str]) -> OwnPattern:
        """The rule compiled; it has a pattern."""
        return cls(rule, re2.compile((rule.pattern or "").encode(), UTF8), pseudonym)

    def applied(self, text: bytes, hits: list[tuple[str, str]]) -> bytes:
        """The text without what the pattern matches; what is already a mark stays."""
        match = self.pattern.search(text)
        if match is None:
            return text
        marks = [(mark.start(), mark.end()) for mark in _MARK.finditer(text)]
        pieces: list[bytes] = []
        kept = 0
        for match in self.pattern.finditer(text):
            start, end = match.start(), match.end()
            while marks and marks[0][1] < end:
                marks.pop(0)
            if start == end or (marks and marks[0][0] <= start and end <= marks[0][1]):
                continue
            pieces += (text[kept:start], self._replaced(text[start:end]))
            kept = end
        cleaned = b"".join((*pieces, text[kept:]))
        if cleaned != text:
            hits.append((self.rule.name, self.rule.mode))
        return cleaned

    def _replaced(self, found: bytes) -> bytes:
        return replacement(self.rule, found.decode("utf-8", "replace"), self.pseudonym).encode("utf-8", "replace")
