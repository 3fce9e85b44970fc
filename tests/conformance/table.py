"""The checklist of what an OTLP receiver must do, as data: ``otlp.toml``, one entry an item."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
ITEMS = 122
LEVELS = ("MUST", "SHOULD", "MAY", "interop", "collector")


@dataclass(frozen=True, slots=True)
class Item:
    """One requirement and what shows it: tests, the reason why it cannot hold, or the issue that it waits for.

    An item with tests may also say what of it is pending.
    """

    number: int
    requirement: str
    source: str
    level: str
    tests: tuple[str, ...] = ()
    reason: str = ""
    pending: str = ""


def read() -> list[Item]:
    """All items, in the order of the file."""
    entries: list[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "otlp.toml").read_text())["item"]
    return [Item(**{**entry, "tests": tuple(entry.get("tests", ()))}) for entry in entries]
