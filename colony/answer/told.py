"""What a tool answers: a first line that says what it is and what is missing, the fenced telemetry, and the bare facts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from colony.answer.words import FENCE, fit, listed, size_of
from colony.outcome import Outcome

BYTES_OF_TOKEN = 3
MAX_TOKENS = 10_000
LEAST_TOKENS = 600
_LONGEST_HEAD = 640
_LONGEST_MISSING = 240
_LONGEST_CUT = 180
_LONGEST_NOTE = 200
_MOST_NOTES = 4
_MOST_MISSING = 5


@dataclass(frozen=True, slots=True)
class Facts:
    """What every answer can say of itself. ``cursor`` is empty on the last page."""

    shown: int = 0
    total: int = 0
    total_is_exact: bool = True
    cursor: str = ""
    missing: Sequence[Outcome] = ()
    notes: Sequence[str] = ()
    """What was left out or changed, a line each."""
    extra: dict[str, Any] = field(default_factory=dict)

    def structured(self) -> dict[str, Any]:
        """For programs; what says nothing is left out. Never the telemetry again."""
        found: dict[str, Any] = {"shown": self.shown, "total": self.total}
        if not self.total_is_exact:
            found["total_is_exact"] = False
        if self.cursor:
            found["cursor"] = self.cursor
        if self.missing:
            found["missing_agents"] = [fit(one.agent, 64) for one in self.missing[:_MOST_MISSING]]
            found["missing_count"] = len(self.missing)
        return found | self.extra


OUTPUT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "shown": {"type": "integer"},
        "total": {"type": "integer"},
        "total_is_exact": {"type": "boolean"},
        "cursor": {"type": "string"},
        "missing_agents": {"type": "array", "items": {"type": "string"}},
        "missing_count": {"type": "integer"},
        "complete": {"type": "string"},
        "upstream": {"type": "string"},
        "upstream_shown": {"type": "integer"},
        "upstream_missing": {"type": "boolean"},
    },
    "required": ["shown", "total"],
}


@dataclass(frozen=True, slots=True)
class Told:
    """A finished answer. ``rows`` is how many of the rows it was given it holds."""

    text: str
    structured: dict[str, Any]
    rows: int = 0

    @property
    def size_bytes(self) -> int:
        """UTF-8 bytes of the text and of the structure together: what a budget bounds."""
        return size_of(self.text) + size_of(json.dumps(self.structured, ensure_ascii=False))


def tokens_of(text: str) -> int:
    """A token is three UTF-8 bytes."""
    return -(-size_of(text) // BYTES_OF_TOKEN)


def budget_bytes(tokens: int) -> int:
    """What an answer may take, text and structure together."""
    return min(max(tokens, LEAST_TOKENS), MAX_TOKENS) * BYTES_OF_TOKEN


def missing_text(missing: Sequence[Outcome], asked: int) -> str:
    """Who did not answer and why, short; empty when all did."""
    if not missing:
        return ""
    reasons = [f"{one.agent} ({one.result.replace('_', ' ')}: {one.reason})" for one in missing]
    return f"MISSING {len(missing)} of {asked} agents: {listed(reasons, 3, 120)}"


def head_of(what: str, missing: str, cut: str) -> str:
    """The first line: what is missing stands before what was cut, and neither is lost to a long name."""
    rest = "; ".join(part for part in (fit(missing, _LONGEST_MISSING), fit(cut, _LONGEST_CUT)) if part)
    return fit(what, _LONGEST_HEAD - size_of(rest)) + (f"; {rest}" if rest else "")


def room(head: str, facts: Facts, tokens: int) -> int:
    """Bytes for the telemetry: what head, fence, notes and structure leave."""
    bare = replace(facts, cursor="")  # the same room with and without: a page is told again once its cursor has a name
    return budget_bytes(tokens) - Told(_page(head, ("",), bare), bare.structured()).size_bytes - _CURSOR_ROOM


_CURSOR_ROOM = 160
"""For a cursor, in the text and in the structure, and for counts that grow a digit."""


def told(head: str, lines: Sequence[str], facts: Facts, rows: int = 0) -> Told:
    """The answer."""
    return Told(_page(head, lines, facts), facts.structured(), rows)


def _page(head: str, lines: Sequence[str], facts: Facts) -> str:
    parts = [head]
    if lines:
        parts += [f"<{FENCE}>", *lines, f"</{FENCE}>"]
    notes = list(facts.notes)
    parts += [fit(note, _LONGEST_NOTE) for note in notes[:_MOST_NOTES]]
    if len(notes) > _MOST_NOTES:
        parts.append(f"({len(notes) - _MOST_NOTES} more notes)")
    if facts.cursor:
        parts.append(f"more: same arguments with cursor={facts.cursor}")
    return "\n".join(parts)
