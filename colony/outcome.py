"""Pure: what became of asking one agent."""

from __future__ import annotations

import enum
import unicodedata
from dataclasses import dataclass

_LONGEST_REASON = 200


class Result(enum.StrEnum):
    """How a request to an agent ended."""

    ANSWERED = "answered"
    REFUSED = "refused"
    """It answered, and not with what was asked: this colony may not ask, the agent is busy, the request is wrong."""
    TIMED_OUT = "timed_out"
    UNREACHABLE = "unreachable"
    TOO_OLD = "too_old"
    """It does not know the question."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one agent said to one question; ``reason`` is empty when it answered."""

    agent: str
    result: Result
    reason: str = ""
    rows: int = 0
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()

    @property
    def has_answered(self) -> bool:
        """Whether its rows are in the answer."""
        return self.result is Result.ANSWERED


class AgentFailure(Exception):
    """An agent did not answer; says how and, in one short line that can be shown, why."""

    def __init__(self, result: Result, reason: str) -> None:
        super().__init__(result, reason)
        self.result = result
        self.reason = one_line(reason)


def one_line(text: str) -> str:
    """A peer's words as one short line of characters that can be seen."""
    seen = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
    words = " ".join(seen.split())
    return words if len(words) <= _LONGEST_REASON else words[: _LONGEST_REASON - 1] + "…"
