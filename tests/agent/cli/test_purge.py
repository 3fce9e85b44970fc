"""The command ``purge``: what it takes, what it says, and how it ends."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agent.cli.commands import commands
from agent.store.lodging import lodged
from agent.store.purge import has_orders
from tests.agent.store.keeping import opened
from tests.agent.store.leaking import LEAK, every, fill, holds, left


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(commands, ["purge", *arguments])


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory without a configuration file."""
    monkeypatch.chdir(tmp_path)


def test_it_says_what_went(tmp_path):
    fill(tmp_path / "store")
    done = typed("--service", "checkout", "--data-dir", str(tmp_path / "store"))
    assert (done.exit_code, done.stdout) == (
        0,
        "purged 4 rows of logs, 4 rows of metrics, 4 rows of traces: 1 segments removed, 3 written anew without them\n",
    )
    assert not holds(tmp_path / "store", LEAK)


def test_json_is_for_programs(tmp_path):
    fill(tmp_path / "store")
    done = typed("--before", "2000-01-01T00:00:00Z", "--data-dir", str(tmp_path / "store"), "-o", "json")
    assert json.loads(done.stdout) == {
        "rows": {},
        "segments_removed": 0,
        "segments_rewritten": 0,
        "quarantined_files_removed": 0,
    }


def test_beside_a_running_agent_it_orders_and_says_so(tmp_path):
    fill(tmp_path / "store")
    with lodged(tmp_path / "store"):
        done = typed("--service", "checkout", "--data-dir", str(tmp_path / "store"))
    assert done.exit_code == 1
    assert "Restart it now; until then nothing is gone" in done.stderr
    with opened(tmp_path / "store") as (store, _):
        assert left(store) == every(1, 4, 6)


def test_only_the_owner_of_the_directory_may_purge_it_else_the_agent_could_not_read_it(tmp_path, monkeypatch):
    fill(tmp_path / "store")
    monkeypatch.setattr(os, "geteuid", lambda: (tmp_path / "store").stat().st_uid + 1)
    done = typed("--service", "checkout", "--data-dir", str(tmp_path / "store"))
    assert (done.exit_code, "purge as that user" in done.stderr) == (2, True)
    assert not has_orders(tmp_path / "store")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "say what must go: --service NAME, --before TIME, or both"),
        (("--service", "a", "--data-dir", "nowhere"), "there is no such directory"),
        (("--before", "yesterday"), "RFC 3339"),
    ],
)
def test_what_cannot_be_is_refused_and_orders_nothing(tmp_path, arguments, said):
    done = typed(*arguments)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert not has_orders(tmp_path)
