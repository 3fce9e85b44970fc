"""Spans from an upstream behind those of agents: told apart, in a block of their own within its share of the budget."""

from __future__ import annotations

from colony.answer.rows import lines_of_spans
from colony.answer.told import BYTES_OF_TOKEN, Told
from colony.answer.words import FENCE, counted, fit, one_line, size_of
from colony.question import Portion

SHARE = 0.4
"""Of an answer's budget, for what is not from agents."""
_LONGEST_HEAD = 240
_LEAST = 120


def share_of(tokens: int) -> int:
    """Tokens of an answer's budget that are kept for the block."""
    return int(tokens * SHARE)


def with_older(told: Told, portion: Portion, what: str, tokens: int) -> Told:
    """The answer with the block behind it; ``tokens`` bound the block alone."""
    source = portion.outcome.agent
    if not portion.outcome.has_answered:
        reason = fit(one_line(portion.outcome.reason, 160), 200)
        why = f"{source} did not answer ({portion.outcome.result.replace('_', ' ')}: {reason})"
        return _joined(told, fit(f"MISSING {what}: {why}", _LONGEST_HEAD + 200), 0, source, is_missing=True)
    if not portion.rows:
        return _joined(told, fit(f"{what} from {source}: none", _LONGEST_HEAD), 0, source)
    notes = [fit(note, 200) for note in (*portion.notes, "no agent scrubbed these")]
    space = tokens * BYTES_OF_TOKEN - _LONGEST_HEAD - sum(size_of(note) + 1 for note in notes) - 2 * len(FENCE) - _LEAST
    top, lines = lines_of_spans(portion.rows, space)
    hidden = len(portion.rows) - len(lines)
    head = fit(
        f"{what} from {source}: {counted(len(portion.rows), 'span')}" + (f", {hidden} of them not shown" if hidden else ""),
        _LONGEST_HEAD,
    )
    block = "\n".join([head, f"<{FENCE}>", top, *lines, f"</{FENCE}>", *notes]) if lines else head
    return _joined(told, block, len(lines), source)


def _joined(told: Told, block: str, shown: int, source: str, *, is_missing: bool = False) -> Told:
    more = {"upstream": source, "upstream_shown": shown} | ({"upstream_missing": True} if is_missing else {})
    return Told(f"{told.text}\n{block}", told.structured | more, told.rows + shown)
