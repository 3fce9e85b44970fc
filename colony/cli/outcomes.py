"""What every answer ends with: how much of how much, from whom, who is missing and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.text import Text

from colony.cli.text import safe
from colony.outcome import Outcome
from colony.question import Answer


def missing_lines(outcomes: Sequence[Outcome]) -> list[Text]:
    """Who did not answer, one a line, after how many did."""
    missing = [outcome for outcome in outcomes if not outcome.has_answered]
    lines = []
    if missing:
        lines.append(Text(f"{len(outcomes) - len(missing)} of {len(outcomes)} agents answered; missing:", "bold yellow"))
    lines += [
        Text(safe(f"  {outcome.agent}: {outcome.result.replace('_', ' ')}: {outcome.reason}"), "yellow") for outcome in missing
    ]
    lines += [
        Text(safe(f"warning: {outcome.agent}: {warning}"), "yellow") for outcome in outcomes for warning in outcome.warnings
    ]
    return lines


def warning_lines(warnings: Iterable[str]) -> list[Text]:
    """What the answer leaves out or changes, one a line."""
    return [Text(safe(f"warning: {warning}"), "yellow") for warning in warnings]


def footer(answer: Answer, records: str) -> list[Text]:
    """The lines under a page of rows."""
    answered = len(answer.outcomes) - len(answer.missing)
    total = f"{answer.total:,}" if answer.total_is_exact else f"at least {answer.total:,}"
    if answer.rows:
        line = f"showing {len(answer.rows):,} {records} of {total}, from {answered} agents"
    elif not answer.outcomes:
        line = "no agent has this service; what there is: coral-colony agents"
    else:
        line = f"no {records} match; look further back with --last 1h"
    if answer.cursor:
        line += f"; next page: --cursor {answer.cursor}"
    skewed = [
        Text(
            safe(
                f"the clock of {agent} is {abs(ahead) / 1e9:.0f} s {'ahead' if ahead > 0 else 'behind'}; its rows are sorted in"
            ),
            "yellow",
        )
        for agent, ahead in sorted(answer.shifts_ns.items())
    ]
    return [Text(safe(line), "dim"), *skewed, *missing_lines(answer.outcomes), *warning_lines(answer.warnings)]


def outcomes_json(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """For programs: every agent that was asked."""
    return [
        {
            "agent": outcome.agent,
            "result": str(outcome.result),
            "reason": outcome.reason,
            "rows": outcome.rows,
            "seconds": round(outcome.seconds, 4),
            "warnings": list(outcome.warnings),
        }
        for outcome in outcomes
    ]
