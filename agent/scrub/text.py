"""Value rules over one string: one cheap search first, then only the rules that can match, until nothing changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agent.scrub import urls
from agent.scrub.characters import is_plain, normalised
from agent.scrub.engine import UTF8, Search, Span, replaced_everywhere, set_of
from agent.scrub.hints import SUSPECT, VALUE_HINTS
from agent.scrub.own import OwnPattern
from agent.scrub.rules import VALUE_RULES

Hits = list[tuple[str, str]]
"""What fired: (rule, mode), in order."""

UNSTABLE = "[REDACTED:unstable]"
PASSES = 8
"""Two are usual: one that changes, one that sees it is done. What still changes after eight leaves as ``UNSTABLE``."""

WORK = 256
"""Candidates of one rule in one text that are checked one by one, and one more for every KiB; behind them whatever
looks like one is masked unchecked. A check takes 3 us, a megabyte can hold 60,000 candidates."""

_CANDIDATES = set_of(VALUE_HINTS)
_PATTERNS = [Search(rule.pattern.encode(), UTF8) for rule in VALUE_RULES]
_CROWDED = [rf"(?s)(?:(?:{rule.crowded or rule.pattern}).{{0,8}}?)*(?:{rule.crowded or rule.pattern})" for rule in VALUE_RULES]
"""What stands close together becomes one mark: a replacement takes half a microsecond wherever it is done."""
_URL = len(VALUE_RULES)


def _masked(spans: list[Span]) -> Span:
    """The first group that took part, else the whole match."""
    for span in spans[1:]:
        if span[0] >= 0:
            return span
    return spans[0]


def _apply(index: int, text: bytes, hits: Hits) -> bytes:
    rule, pattern = VALUE_RULES[index], _PATTERNS[index]
    mark = b"[REDACTED:%s]" % rule.name.encode()
    pieces: list[bytes] = []
    kept = at = 0
    work = WORK + len(text) // 1024
    while (spans := pattern.spans(text, at)) is not None:
        start, end = _masked(spans)
        work -= 1 + text.count(b" ", start, end) + text.count(b"-", start, end)
        if work < 0:
            start = max(kept, spans[0][0])
            pieces += (text[kept:start], replaced_everywhere(text[start:], _CROWDED[index], mark.decode()))
            hits.append((rule.name, "mask"))
            return b"".join(pieces)
        span = rule.check(text, start, end)
        if span is None or span[0] < kept:
            at = spans[0][0] + 1 if rule.overlap else spans[0][1]
            continue
        pieces += (text[kept : span[0]], mark)
        kept = span[1]
        at = max(span[1], spans[0][0] + 1)
        hits.append((rule.name, "mask"))
    return b"".join((*pieces, text[kept:])) if pieces else text


def _defaults(text: bytes, hits: Hits) -> bytes:
    """One pass of the default rules."""
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


def until_stable(text: str, once: Callable[[str], str], hits: Hits) -> str:
    """``once`` again and again until it changes nothing: so that a second scrub finds what the first left."""
    for _ in range(PASSES):
        cleaned = once(text)
        if cleaned == text:
            return text
        text = cleaned
    hits.append(("unstable", "mask"))
    return UNSTABLE


class ValueRules:
    """The default value rules, behind those of the configuration.

    ``hints`` finds every string that a rule of the configuration may change; None when there is no such rule.
    """

    def __init__(self, own: Sequence[OwnPattern] = (), hints: Search | None = None) -> None:
        self._own = tuple(own)
        self.hints = (SUSPECT,) if hints is None else (SUSPECT, hints)

    def suspicious(self, text: str) -> bool:
        """Whether some rule may change a string, its key aside."""
        raw = text.encode("utf-8", "replace")
        return any(hint.start(raw) >= 0 for hint in self.hints)

    def _pass(self, text: bytes, hits: Hits) -> bytes:
        for own in self._own:
            text = own.applied(text, hits)
        return _defaults(text, hits)

    def once(self, text: str, hits: Hits) -> str:
        """One pass over the text, then over its normalised form, which leaves when it has a hit."""
        raw = text.encode("utf-8", "replace")
        done = self._pass(raw, hits)
        if done is not raw:
            text = done.decode("utf-8", "replace")
        if is_plain(done):
            return text
        plain = normalised(text)
        cleaned = self._pass(plain.encode(), hits).decode("utf-8", "replace")
        return text if cleaned == plain else cleaned

    def scrubbed(self, text: str, hits: Hits) -> str:
        """The text when nothing changes any more."""
        return until_stable(text, lambda left: self.once(left, hits), hits)
