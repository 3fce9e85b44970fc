"""One agent a directory, private to its user; what was spilled is wiped, what cannot be is refused in one line."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pytest

from agent.errors import ConfigError
from tests.agent.store.keeping import (
    NO_REQUESTS,
    StoppedClock,
    batch,
    flushed,
    kept_numbers,
    numbers,
    opened,
    reading,
    selected,
)


def modes(directory: Path) -> dict[str, int]:
    return {path.suffix or path.name: path.stat().st_mode & 0o777 for path in directory.rglob("*")}


def test_the_directory_is_made_for_its_user_alone(tmp_path):
    with opened(tmp_path / "a" / "b") as (store, _):
        assert numbers(store) == []
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["o'clock", "with space", "per%cent", "ünïcode", 'quo"te', "semi;colon"])
def test_any_name_of_a_directory_will_do(tmp_path, name):
    with opened(tmp_path / name) as (store, _):
        store.append([batch(5)], NO_REQUESTS)
        flushed(store, seal=True)
    assert kept_numbers(tmp_path / name) == list(range(5))


def test_a_directory_behind_a_link_will_do(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with opened(tmp_path / "link") as (store, _):
        store.append([batch(5)], NO_REQUESTS)
        flushed(store, seal=True)
    assert kept_numbers(tmp_path / "link") == list(range(5))


def test_a_second_agent_is_refused_and_told_who_has_the_directory(tmp_path):
    script = (
        "import fcntl, os, sys\n"
        "fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)\n"
        "fcntl.flock(fd, fcntl.LOCK_EX)\n"
        "os.write(fd, str(os.getpid()).encode())\n"
        "print(flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        other.stdout.readline()
        with pytest.raises(ConfigError, match=rf"store\.dir: .*process {other.pid}"), opened(tmp_path):
            pass
        other.communicate(timeout=10)
    with opened(tmp_path):
        assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_the_lock_of_one_that_died_is_free(tmp_path):
    (tmp_path / "lock").write_text("999999999999")
    for _ in range(2):
        with opened(tmp_path):
            assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_what_was_spilled_is_wiped(tmp_path):
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp" / "duckdb_temp_storage.tmp").write_text("somebody's telemetry")
    with opened(tmp_path):
        assert not (tmp_path / "tmp" / "duckdb_temp_storage.tmp").exists()


def test_a_directory_that_cannot_be_is_refused_by_its_key(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"store\.dir: cannot write"), opened(tmp_path / "file" / "below"):
        pass


def test_arrival_numbers_grow_across_starts_and_when_nothing_is_left(tmp_path):
    clock, seen = StoppedClock(), []
    for _ in range(3):
        with opened(tmp_path, clock) as (store, _):
            store.append([batch(3)], NO_REQUESTS)
            with reading(store) as found:
                seen.append(max(arrival for (arrival,) in selected(found, "arrival")))
    for path in tmp_path.glob("*_*"):
        path.unlink()
    clock.now += 10**9
    with opened(tmp_path, clock) as (store, _):
        store.append([batch(1)], NO_REQUESTS)
        with reading(store) as found:
            seen += [arrival for (arrival,) in selected(found, "arrival")]
    assert seen == sorted(set(seen))


def test_no_file_in_the_directory_is_for_others_to_read(tmp_path):
    (tmp_path / "state").mkdir(mode=0o755)
    before = os.umask(0o022)
    try:
        with opened(tmp_path / "state") as (store, _):
            store.append([batch(5)], NO_REQUESTS)
            flushed(store, seal=True)
            store.append([batch(5)], NO_REQUESTS)
            found = modes(tmp_path / "state")
    finally:
        os.umask(before)
    open_to_others = {name: oct(mode) for name, mode in found.items() if mode & 0o077}
    assert not open_to_others or (tmp_path / "state").stat().st_mode & 0o077 == 0


def test_a_query_that_still_runs_when_the_store_closes_is_stopped(tmp_path):
    # DuckDB 2 does not close an instance that works: it raised ResourceInUseException out of the shutdown.
    began = threading.Event()
    ended: list[Exception] = []

    def begun(number: int) -> int:
        began.set()
        return number

    def ask() -> None:
        try:
            cursor.execute("SELECT sum(begun(range)) FROM range(1_000_000_000)").fetchall()
        except duckdb.InterruptException as error:
            ended.append(error)
        finally:
            store.release(cursor)

    with opened(tmp_path) as (store, _):
        cursor = store.cursor()
        cursor.create_function("begun", begun, ["BIGINT"], "BIGINT", side_effects=True)  # type: ignore[list-item,arg-type]  # names of types will do
        asking = threading.Thread(target=ask)
        asking.start()
        assert began.wait(10)
    asking.join(10)
    assert len(ended) == 1
