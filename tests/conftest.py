"""What holds for all tests: how golden files are compared and rewritten, and how a program's log is written meanwhile."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

GOLDEN = Path(__file__).parent / "golden"

# structlog draws an exception with all variables of all its frames, which takes half a second each.
structlog.configure(
    [
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden/ with what the code says now")


def pytest_collection_finish() -> None:
    """Modules and tests stay to the end: no collection of garbage need look through them again."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Extension modules count what was never collected, and say so at the end of the process."""
    gc.unfreeze()


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with the golden file of a name."""
    update = bool(request.config.getoption("--update-golden"))

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        assert path.exists(), f"{name} is new: run pytest --update-golden and read what it wrote"
        assert path.read_text() == text, f"{name} changed: if that is meant, run pytest --update-golden"

    return compare
