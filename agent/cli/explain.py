"""Findings of scrub rules as a table, and which signal a sample is of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from agent.batch import Signal
from agent.cli.text import cell, safe
from agent.errors import MalformedExport

if TYPE_CHECKING:
    from agent.scrub.explain import Finding

_ROOTS = {"resourceSpans": Signal.TRACES, "resourceLogs": Signal.LOGS, "resourceMetrics": Signal.METRICS}


def signal_of(document: bytes) -> Signal:
    """The signal of a request in OTLP JSON.

    Raises:
        MalformedExport: it is no JSON object, or none of a signal.
    """
    try:
        root = json.loads(document)
    except ValueError as error:
        raise MalformedExport("the sample is not JSON; give a request in OTLP JSON") from error
    named = [signal for name, signal in _ROOTS.items() if isinstance(root, dict) and name in root]
    if len(named) != 1:
        raise MalformedExport(f"the sample has not one of {', '.join(_ROOTS)}; give a request of one signal in OTLP JSON")
    return named[0]


def findings_table(found: Sequence[Finding]) -> Table:
    """A line for each place that a rule hit."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("WHERE", "RULES", "LEAVES AS"):
        table.add_column(name, overflow="fold")
    for finding in found:
        rules = ", ".join(f"{rule} ({mode})" for rule, mode in finding.rules)
        table.add_row(Text(safe(finding.path)), cell(rules, "cyan"), Text(safe(finding.leaves)))
    return table


def summary_line(found: Sequence[Finding], profile: str) -> Text:
    """How many places were hit, under which profile."""
    if profile == "off":
        return Text("scrub.profile is off: everything leaves as it came", "yellow")
    return Text(f"{len(found)} places hit, profile {profile}" if found else f"no rule hits anything, profile {profile}")
