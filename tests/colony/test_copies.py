"""The agent and the colony meet in proto alone: what both need in the same form is written twice, and must not drift."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["quantity.py", "clock.py", "notify.py", "cli/text.py"])
def test_what_is_written_twice_is_the_same(name: str):
    assert (ROOT / "colony" / name).read_text() == (ROOT / "agent" / name).read_text(), f"copy agent/{name}"
