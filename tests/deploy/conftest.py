"""The release of this checkout, made and installed once for all tests that need it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deploy.release import Release, released


@pytest.fixture(scope="session")
def release() -> Iterator[Release]:
    with released() as built:
        yield built
