"""Where a configuration is looked for: in a directory that may not be entered, nobody guesses that there is none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from colony import errors
from colony.config.sources import find_file


@pytest.fixture
def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory, which this process may not enter any more; root gives up its power over files meanwhile."""
    directory = tmp_path / "closed"
    directory.mkdir()
    monkeypatch.chdir(directory)
    directory.chmod(0)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(10001)
    yield directory
    if is_root:
        os.seteuid(0)
    directory.chmod(0o700)


def test_a_working_directory_that_may_not_be_entered_is_refused_by_name(closed: Path):
    with pytest.raises(errors.ConfigError) as refused:
        find_file(None, {})
    expected = (
        f"{closed}/coral-colony.toml: Permission denied; name a file that can be read with --config, or go to another directory"
    )
    assert refused.value.message == expected


def test_a_named_file_that_cannot_be_reached_is_refused_by_name(closed: Path):
    for given, environ in ((closed / "x.toml", {}), (None, {"CORAL_COLONY_CONFIG": str(closed / "x.toml")})):
        with pytest.raises(errors.ConfigError, match=r"closed/x\.toml: Permission denied; name a file"):
            find_file(given, environ)
