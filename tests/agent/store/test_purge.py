"""Purging: what is ordered goes with every byte, the rest stays row by row, and a kill at any moment only delays it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from prometheus_client import CollectorRegistry

from agent import schema
from agent.batch import Export, Receipt, Signal
from agent.clock import MINUTE_NS
from agent.decode.logs import log_decoder
from agent.decode.points import point_decoder
from agent.decode.spans import span_decoder
from agent.errors import DirectoryInUse
from agent.instruments import Instruments
from agent.store import database, purge, rewrite
from agent.store.block import Block
from agent.store.cold import places_in, read_block
from agent.store.duplicates import request_rows
from agent.store.journal import replay
from agent.store.lodging import lodged
from agent.store.purge import Order, Purged, give_order, has_orders, purge_directory
from agent.store.store import Store
from tests.agent.store.keeping import StoppedClock, flushed, opened, reading, settings
from tests.telemetry import START, any_value, attributes, gauge, log, log_request, metric_request, request, span

LEAK = "leaked-b7f3c1"
"""Stands in every place of a record of the service that is purged."""

DECODERS = {Signal.TRACES: span_decoder, Signal.LOGS: log_decoder, Signal.METRICS: point_decoder}


def keep(store: Store, number: int, service: str, text: str) -> None:
    """One span, log record and data point of a service, one minute after the last."""
    said = attributes({text: text, "n": number})
    at = START + number * MINUTE_NS
    one = span(number, name=text, attributes=said, start_time_unix_nano=at, end_time_unix_nano=at)
    record = log(number, body=any_value(text), attributes=said, time_unix_nano=at)
    metric = gauge(text, number, attributes=said)
    metric.unit, metric.gauge.data_points[0].time_unix_nano = text, at
    for signal, sent in (
        (Signal.TRACES, request(one, service=service, note=text)),
        (Signal.LOGS, log_request(record, service=service, note=text)),
        (Signal.METRICS, metric_request(metric, service=service, note=text)),
    ):
        decoded = DECODERS[signal](lambda _: True).decode([Export(signal, sent.SerializeToString(), 1)], at)
        assert decoded.batch is not None
        key = number.to_bytes(8, "little") + signal.value.encode().ljust(8)[:8]
        store.append([decoded.batch], request_rows([key], [Receipt(1, {}, "")], at))


def fill(directory: Path) -> None:
    """Four segments: sealed with both services, sealed with the leak alone, one half moved to files, one in its journal alone."""
    with opened(directory) as (store, _):
        for number in (0, 1):
            keep(store, number, ("checkout", "payment")[number], (LEAK, "fine")[number])
        flushed(store, seal=True)
        keep(store, 2, "checkout", LEAK)
        flushed(store, seal=True)
        for number in (3, 4):
            keep(store, number, ("checkout", "payment")[number % 2 == 0], (LEAK, "fine")[number % 2 == 0])
        store.close_segment()
        for number in (5, 6):
            keep(store, number, ("checkout", "payment")[number % 2 == 0], (LEAK, "fine")[number % 2 == 0])


def unpacked(block: Block) -> bytes:
    """What a block holds."""
    return repr([block.column(name).to_pylist() for name in schema.COLD[block.extent.signal]]).encode()


def in_blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        for place in (place for places in places_in(path).values() for place in places):
            yield unpacked(read_block(file.fileno(), place))


def in_journal(path: Path) -> Iterator[bytes]:
    for frame in replay(path):
        yield repr([batch.to_pylist() for batch in frame.batches.values()]).encode()
        yield from map(unpacked, frame.blocks)


def in_tables(path: Path) -> Iterator[bytes]:
    with duckdb.connect(str(path), read_only=True) as connection:
        for table in database.TABLES:
            yield repr(connection.execute(f"SELECT * FROM {table}").fetchall()).encode()


def decoded_content(directory: Path) -> Iterator[bytes]:
    """All that lies in a directory: the files' own bytes, and what the packed ones hold."""
    for path in (path for path in directory.rglob("*") if path.is_file()):
        yield path.read_bytes()
    for kind, content in (("blocks", in_blocks), ("journal", in_journal), ("duckdb", in_tables)):
        for path in directory.glob(f"*.{kind}"):
            yield from content(path)


def holds(directory: Path, text: str) -> bool:
    return any(text.encode() in content for content in decoded_content(directory))


def left(store: Store) -> dict[Signal, list[int]]:
    """The numbers of the records that queries show, from their attributes."""
    found: dict[Signal, list[int]] = {}
    for signal in schema.TABLES:
        numbers = []
        with reading(store) as one:
            for source in one.sources(signal):
                below = "" if source.below is None else f" WHERE arrival < {source.below}"
                rows = one._cursor.execute(f"SELECT arrival, origin FROM {source.relation}{below}").fetchall()
                cold = one.cold(source.segment, signal, [arrival for arrival, _ in rows], ["attributes"])
                assert len(one.origins(source.segment, [origin for _, origin in rows])) == len({o for _, o in rows})
                numbers += [cold[arrival][0] for arrival, _ in rows]
            assert one.damaged == []
        found[signal] = sorted(_number(wires) for wires in numbers)
    return found


def every(*numbers: int) -> dict[Signal, list[int]]:
    """These numbers of each signal."""
    return {signal: list(numbers) for signal in schema.TABLES}


def _number(wires: list[bytes]) -> int:
    return next(wire[-1] for wire in wires if wire[2:3] == b"n")


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
    for number in range(1, 500):
        directory = tmp_path / str(number)
        directory.mkdir()
        fill(directory)
        give_order(directory, Order(("checkout",)))
        with monkeypatch.context() as patched:
            killed_at(patched, number, after=after)
            try:
                purge_directory(settings(directory), StoppedClock(), Instruments(CollectorRegistry()))
            except KilledError:
                was_killed = True
            else:
                was_killed = False
        with opened(directory) as (store, _):
            assert left(store) == every(1, 4, 6), number
        assert not holds(directory, LEAK), number
        assert not has_orders(directory)
        if not was_killed:
            assert number > 20
            return
    raise AssertionError("it never came to its end")


def test_a_line_of_orders_that_was_cut_short_does_not_count_and_spoils_no_other(tmp_path):
    fill(tmp_path)
    with (tmp_path / purge.ORDERS).open("ab") as file:
        file.write(json.dumps({"order": {"services": ["payment"], "before_ns": None}}).encode()[:-3])
    purged(tmp_path, Order(("checkout",)))
    with opened(tmp_path) as (store, _):
        assert left(store) == every(1, 4, 6)
    assert not has_orders(tmp_path)
