"""What a test needs from the machine: without it ``make test`` skips the test, and ``make check`` fails."""

from __future__ import annotations

import os

import pytest


def needs(there: object, what: str) -> None:
    """Go on when ``there`` holds; ``what`` says what is missing otherwise and how to get it."""
    if there:
        return
    if os.environ.get("CORAL_CHECK"):
        pytest.fail(f"make check needs {what}", pytrace=False)
    pytest.skip(f"needs {what}")
