"""What many tests need and takes long to make: the release of this checkout, a newcomer's machine, the demo on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deploy import said
from tests.deploy.newcomer import Newcomer, at_work
from tests.deploy.release import Release, released


@pytest.fixture(scope="session")
def release() -> Iterator[Release]:
    with released() as built:
        yield built


@pytest.fixture(scope="session")
def newcomer() -> Iterator[Newcomer]:
    with at_work() as found:
        yield found


@pytest.fixture(scope="module")
def demo(newcomer: Newcomer) -> Iterator[list[str]]:
    """What ``make demo`` says up to the end of its investigation; it goes on meanwhile."""
    with newcomer.typing("make demo", said.GO_ON["make demo"]) as lines:
        yield lines
