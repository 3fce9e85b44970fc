"""Runs the tests that the checklist names, and prints each item with what came of it: ``make conformance``.

The exit code is 1 when a MUST fails or is not shown.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pytest

from tests.conformance.table import Item, read

Outcomes = Mapping[str, set[str]]
"""What came of a test's cases, by the test's name without their parameters."""


class _Watcher:
    """A pytest plugin that remembers outcomes."""

    def __init__(self) -> None:
        self.outcomes: dict[str, set[str]] = defaultdict(set)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Each phase of a case: a setup or a teardown that fails is a failure too."""
        if report.when == "call" or report.outcome != "passed":
            expected = hasattr(report, "wasxfail") and report.outcome == "skipped"
            self.outcomes[report.nodeid.partition("[")[0]].add("known failure" if expected else report.outcome)


def verdict(item: Item, outcomes: Outcomes) -> str:
    """``pass``, ``FAIL`` or the like: the worst of an item's tests."""
    if item.reason:
        return "n/a"
    if not item.tests:
        return "pending"
    seen = set().union(*(outcomes.get(test) or {"missing"} for test in item.tests))
    for outcome, word in (("failed", "FAIL"), ("missing", "FAIL"), ("known failure", "XFAIL"), ("skipped", "skipped")):
        if outcome in seen:
            return word
    return "part" if item.pending else "pass"


def _line(item: Item, word: str) -> str:
    why = item.reason or item.pending
    return f"{item.number:4} {item.level:9} {word:8} {item.requirement}{f' ({why})' if why else ''}"


def main() -> int:
    """Run, print, and say by the exit code whether every MUST holds."""
    table = read()
    watcher = _Watcher()
    named = sorted({test for item in table for test in item.tests})
    code = pytest.main(["--no-header", "--tb=short", *sys.argv[1:], *named], plugins=[watcher])
    words = {item.number: verdict(item, watcher.outcomes) for item in table}
    lines = [_line(item, words[item.number]) for item in table]
    counts = ", ".join(f"{list(words.values()).count(word)} {word}" for word in sorted(set(words.values())))
    broken = [item.number for item in table if item.level == "MUST" and words[item.number] not in {"pass", "part", "n/a"}]
    lines += ["", f"{len(table)} items: {counts}", f"MUST that do not hold: {broken or 'none'}"]
    sys.stdout.write("\n".join(lines) + "\n")
    return int(bool(broken) or code not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED})


if __name__ == "__main__":
    sys.exit(main())
