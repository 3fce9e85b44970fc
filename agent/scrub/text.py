"""Value rules over one string: one cheap search first, then only the rules that can match, until nothing changes."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from itertools import accumulate
from typing import Any

import re2

from agent.scrub import urls
from agent.scrub.engine import LATIN1, UTF8
from agent.scrub.rules import VALUE_RULES

Hits = list[tuple[str, str]]
"""What fired: (rule, mode), in order."""

UNSTABLE = "[REDACTED:unstable]"
PASSES = 8
"""Two are usual: one that changes, one that sees it is done. What still changes after eight leaves as ``UNSTABLE``."""

_INVISIBLE = (
    "AD 34F 600-605 61C 6DD 70F 890-891 8E2 180B-180F 200B-200F 202A-202E 2060-206F FE00-FE0F FEFF FFF9-FFFB 110BD 110CD "
    "13430-1343F 1BCA0-1BCA3 1D173-1D17A E0001 E0020-E007F"
)
"""Category Cf of Unicode 16, with the variation selectors and the grapheme joiner: they hide a secret as well."""


def _code_points(spans: str) -> dict[int, None]:
    ends = [span.partition("-") for span in spans.split()]
    return {point: None for a, _, b in ends for point in range(int(a, 16), int(b or a, 16) + 1)}


INVISIBLE = _code_points(_INVISIBLE)


def _set_of(patterns: list[str]) -> Any:  # noqa: ANN401 - re2 publishes no types
    candidates = re2.Set.SearchSet(LATIN1)
    for pattern in patterns:
        candidates.Add(pattern.encode())
    candidates.Compile()
    return candidates


_HINTS = [*(rule.hint for rule in VALUE_RULES), urls.HINT]
_SUSPECT = re2.compile(
    "|".join([r"[\x80-\xff]|\x00\s*[\[{]", *_HINTS]).encode(),
    LATIN1,
)
"""Every string starts behind a zero byte: a JSON document is seen at its first character."""
_CANDIDATES = _set_of(_HINTS)
_PATTERNS = [re2.compile(rule.pattern.encode(), UTF8) for rule in VALUE_RULES]
_GROUPS = [pattern.groups for pattern in _PATTERNS]
_URL = len(VALUE_RULES)


def suspects(strings: list[bytes]) -> list[int]:
    """The places of those UTF-8 strings that some value rule or the JSON walk may change; one search when there are none."""
    joined = b"\x00" + b"\x00".join(strings)
    match = _SUSPECT.search(joined)
    if match is None:
        return []
    ends = list(accumulate(len(string) + 1 for string in strings))
    found: list[int] = []
    index = 0
    while match is not None:
        at = match.start()
        while ends[index] <= at:
            index += 1
        found.append(index)
        if index + 1 == len(ends):
            break
        match = _SUSPECT.search(joined, ends[index])
    return found


def _span(match: Any, groups: int) -> tuple[int, int]:  # noqa: ANN401 - re2 publishes no types
    for group in range(1, groups + 1):
        if match.start(group) >= 0:
            return match.start(group), match.end(group)
    return match.start(), match.end()


def _apply(index: int, text: bytes, hits: Hits) -> bytes:
    rule, pattern, groups = VALUE_RULES[index], _PATTERNS[index], _GROUPS[index]
    pieces: list[bytes] = []
    kept = at = 0
    while (match := pattern.search(text, at)) is not None:
        span = rule.check(text, *_span(match, groups))
        if span is None or span[0] < kept:
            at = match.start() + 1 if rule.overlap else match.end()
            continue
        pieces += (text[kept : span[0]], b"[REDACTED:%s]" % rule.name.encode())
        kept = span[1]
        at = max(span[1], match.start() + 1)
        hits.append((rule.name, "mask"))
    return b"".join((*pieces, text[kept:])) if pieces else text


def _pass(text: bytes, hits: Hits) -> bytes:
    found = _CANDIDATES.Match(text)
    if not found:
        return text
    if _URL in found:
        cleaned = urls.in_text(text)
        if cleaned != text:
            hits.append(("url", "replace"))
            text = cleaned
    for index in sorted(found):
        if index != _URL:
            text = _apply(index, text, hits)
    return text


def normalised(text: str) -> str:
    """Compatibility forms folded, invisible characters gone: what a reader sees."""
    return unicodedata.normalize("NFKC", text.translate(INVISIBLE))


def scrub_once(text: str, hits: Hits) -> str:
    """One pass of the value rules over the text, then over its normalised form, which leaves when it has a hit."""
    raw = text.encode("utf-8", "replace")
    done = _pass(raw, hits)
    if done is not raw:
        text = done.decode("utf-8", "replace")
    if text.isascii():
        return text
    plain = normalised(text)
    if plain == text:
        return text
    cleaned = _pass(plain.encode(), hits).decode("utf-8", "replace")
    return text if cleaned == plain else cleaned


def until_stable(text: str, once: Callable[[str], str], hits: Hits) -> str:
    """``once`` again and again until it changes nothing: so that a second scrub finds what the first left."""
    for _ in range(PASSES):
        cleaned = once(text)
        if cleaned == text:
            return text
        text = cleaned
    hits.append(("unstable", "mask"))
    return UNSTABLE


def scrub_text(text: str, hits: Hits) -> str:
    """The value rules over a string until nothing changes."""
    return until_stable(text, lambda left: scrub_once(left, hits), hits)
