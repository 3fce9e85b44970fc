"""The table of the checklist is whole: every item once, each with a test that exists, or why there is none."""

from __future__ import annotations

import ast
from collections import defaultdict

import pytest

from tests.conformance.table import ITEMS, LEVELS, ROOT, Item, read

TABLE = read()
NUMBERS = [item.number for item in TABLE]


def named_in(path: str) -> set[str]:
    """The tests of a file as pytest names them: functions, and methods behind their class."""
    module = ast.parse((ROOT / path).read_text())
    found = {node.name for node in module.body if isinstance(node, ast.FunctionDef)}
    for node in module.body:
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
    return {name for name in found if name.rpartition("::")[2].startswith("test_")}


def test_every_item_is_there_once_and_in_order():
    assert list(range(1, ITEMS + 1)) == NUMBERS


@pytest.mark.parametrize("item", TABLE, ids=NUMBERS)
def test_an_item_is_shown_by_tests_or_says_why_not(item: Item):
    assert item.requirement
    assert item.source
    assert item.level in LEVELS
    assert item.tests or item.reason or item.pending
    assert not (item.reason and (item.tests or item.pending))
    assert len(set(item.tests)) == len(item.tests)


@pytest.mark.parametrize("item", TABLE, ids=NUMBERS)
def test_what_is_pending_names_its_issue_and_no_must_is(item: Item):
    if item.pending:
        assert "issue about" in item.pending
        assert item.tests or item.level != "MUST"


def test_every_test_that_is_named_exists():
    named: dict[str, set[str]] = defaultdict(set)
    for item in TABLE:
        for test in item.tests:
            path, _, name = test.partition("::")
            named[path].add(name)
    missing = {f"{path}::{name}" for path, names in named.items() for name in names - named_in(path)}
    assert not missing
