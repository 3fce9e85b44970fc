"""Purging: what is ordered goes with every byte, the rest stays row by row, and a kill at any moment only delays it."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from agent import schema
from agent.clock import MINUTE_NS
from agent.errors import ConfigError, DirectoryInUse
from agent.instruments import Instruments
from agent.store import database, purge, rewrite
from agent.store.lodging import lodged
from agent.store.purge import Order, Purged, give_order, has_orders, purge_directory
from tests.agent.store.keeping import StoppedClock, flushed, opened, settings
from tests.agent.store.leaking import LEAK, every, fill, holds, keep, left
from tests.telemetry import START


def purged(directory: Path, order: Order, **changed: Any) -> Purged:
    give_order(directory, order)
    return purge_directory(settings(directory, **changed), StoppedClock(), Instruments(CollectorRegistry()))


def test_what_the_tests_look_for_is_there_before(tmp_path):
    fill(tmp_path)
    assert holds(tmp_path, LEAK)
    with opened(tmp_path) as (store, _):
        assert left(store) == every(*range(7))


@pytest.mark.parametrize("name", ["checkout", " checkout "])
def test_of_a_purged_service_no_byte_is_left_and_of_the_others_every_row(tmp_path, name):
    fill(tmp_path)
    (tmp_path / "quarantine").mkdir()
    (tmp_path / "quarantine" / "0_1_a.journal").write_text(LEAK)
    done = purged(tmp_path, Order((name,)))
    assert (done.segments_removed, done.segments_rewritten, done.set_aside_removed) == (1, 3, 1)
    assert done.rows == {str(signal): 4 for signal in schema.TABLES}
    assert not holds(tmp_path, LEAK)
    assert not (tmp_path / purge.STAGING).exists()
    assert not has_orders(tmp_path)
    with opened(tmp_path) as (store, _):
        assert left(store) == every(1, 4, 6)
        keep(store, 7, "payment", "later")
        flushed(store, seal=True)
        assert left(store) == every(1, 4, 6, 7)
    assert purged(tmp_path, Order(("payment",))).rows == {str(signal): 4 for signal in schema.TABLES}
    assert not list(tmp_path.glob("*.duckdb"))


def test_before_a_moment_everything_goes_and_behind_it_nothing(tmp_path):
    fill(tmp_path)
    assert purged(tmp_path, Order((), START + 3 * MINUTE_NS)).rows == {str(signal): 3 for signal in schema.TABLES}
    with opened(tmp_path) as (store, _):
        assert left(store) == every(3, 4, 5, 6)


def test_a_service_before_a_moment_is_what_is_both(tmp_path):
    fill(tmp_path)
    purged(tmp_path, Order(("checkout",), START + 3 * MINUTE_NS))
    with opened(tmp_path) as (store, _):
        assert left(store) == every(1, 3, 4, 5, 6)


def test_a_segment_that_took_no_more_rows_by_then_goes_whatever_its_rows_say_of_their_time(tmp_path):
    clock = StoppedClock(START - 60 * MINUTE_NS)
    with opened(tmp_path, clock) as (store, _):
        keep(store, 9, "checkout", LEAK)
        flushed(store, seal=True)
    purged(tmp_path, Order((), START))
    assert not holds(tmp_path, LEAK)


def test_where_nothing_must_go_nothing_is_touched(tmp_path):
    fill(tmp_path)
    before = {path.name: path.stat().st_ino for path in tmp_path.glob("*.blocks")}
    done = purged(tmp_path, Order(("somebody",)))
    assert (done.rows, done.segments_removed, done.segments_rewritten) == ({}, 0, 0)
    assert before == {path.name: path.stat().st_ino for path in tmp_path.glob("*.blocks") if path.name in before}
    with opened(tmp_path) as (store, _):
        assert left(store) == every(*range(7))


def test_beside_a_running_agent_it_is_ordered_and_its_next_start_carries_it_out(tmp_path):
    fill(tmp_path)
    with lodged(tmp_path):
        with pytest.raises(DirectoryInUse):
            purged(tmp_path, Order(("checkout",)))
        assert holds(tmp_path, LEAK)
    with opened(tmp_path) as (store, _):
        assert left(store) == every(1, 4, 6)
        assert not holds_raw(tmp_path, LEAK)


def test_a_start_that_cannot_carry_out_an_order_serves_nothing_and_says_why(tmp_path, monkeypatch):
    fill(tmp_path)
    give_order(tmp_path, Order(("checkout",)))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(rewrite, "write_blocks", full)
        with (
            pytest.raises(ConfigError, match=r"ordered by coral-agent purge could not be done .*No space left"),
            opened(tmp_path),
        ):
            pass
    with opened(tmp_path) as (store, _):
        assert left(store) == every(1, 4, 6)


def holds_raw(directory: Path, text: str) -> bool:
    """As ``holds``, of a directory in use."""
    return any(text.encode() in path.read_bytes() for path in directory.rglob("*") if path.is_file())


class KilledError(BaseException):
    """Nothing catches it, like kill -9."""


STEPS: tuple[tuple[Any, str], ...] = (
    (database, "insert"),
    (database, "checkpoint"),
    (rewrite, "write_blocks"),
    (purge, "_note"),
    (Path, "rename"),
    (Path, "unlink"),
)


def killed_at(monkeypatch: pytest.MonkeyPatch, number: int, *, after: bool) -> None:
    """Have the numbered step of a purge, counted over all kinds, end the process just before or just behind it."""
    done = [0]

    def killing(step: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any, **named: Any) -> Any:
            done[0] += 1
            if done[0] == number and not after:
                raise KilledError
            found = step(*given, **named)
            if done[0] == number:
                raise KilledError
            return found

        return run

    for place, name in STEPS:
        monkeypatch.setattr(place, name, killing(getattr(place, name)))


@pytest.mark.parametrize("after", [False, True], ids=["before a step", "behind a step"])
def test_killed_at_any_step_the_next_start_finishes_and_nothing_else_is_lost_or_doubled(tmp_path, monkeypatch, after):
    filled = tmp_path / "filled"
    with opened(filled) as (store, _):
        keep(store, 0, "checkout", LEAK)
        keep(store, 1, "payment", "fine")
        flushed(store, seal=True)
        keep(store, 2, "checkout", LEAK)
        flushed(store, seal=True)
        keep(store, 3, "checkout", LEAK)
        keep(store, 4, "payment", "fine")
    give_order(filled, Order(("checkout",)))
    for number in range(1, 500):
        directory = tmp_path / str(number)
        shutil.copytree(filled, directory)
        with monkeypatch.context() as patched:
            killed_at(patched, number, after=after)
            try:
                purge_directory(settings(directory), StoppedClock(), Instruments(CollectorRegistry()))
            except KilledError:
                was_killed = True
            else:
                was_killed = False
        with opened(directory) as (store, _):
            assert left(store) == every(1, 4), number
        assert not holds(directory, LEAK), number
        assert not has_orders(directory)
        if not was_killed:
            assert number > 20
            return
        shutil.rmtree(directory)
    raise AssertionError("it never came to its end")


def test_a_line_of_orders_that_was_cut_short_does_not_count_and_spoils_no_other(tmp_path):
    fill(tmp_path)
    with (tmp_path / purge.ORDERS).open("ab") as file:
        file.write(json.dumps({"order": {"services": ["payment"], "before_ns": None}}).encode()[:-3])
    purged(tmp_path, Order(("checkout",)))
    with opened(tmp_path) as (store, _):
        assert left(store) == every(1, 4, 6)
    assert not has_orders(tmp_path)
