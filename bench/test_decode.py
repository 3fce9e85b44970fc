"""Decoding a group of eight requests, as the writer does under load."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from agent.batch import Receipt, Signal
from agent.decode.limits import count_records
from bench.decoding import decode, groups
from bench.shapes import SHAPES

GROUP = 8


ATTRIBUTES = {Signal.TRACES: 12, Signal.LOGS: 6, Signal.METRICS: 3}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("signal", ATTRIBUTES)
def test_decode_a_group(benchmark: BenchmarkFixture, shape: str, signal: Signal) -> None:
    group = next(groups(shape, 11, GROUP, signal))
    decoded = benchmark.pedantic(decode, (group,), rounds=50, warmup_rounds=2)  # type: ignore[no-untyped-call]  # it has no types
    benchmark.extra_info["records"] = 512 * GROUP
    assert decoded.receipts == [Receipt(512)] * GROUP
    assert decoded.batch.rows.num_rows == 512 * GROUP
    assert sum(len(wires) for wires in decoded.batch.rows.column("attributes").to_pylist()) == ATTRIBUTES[signal] * 512 * GROUP


@pytest.mark.parametrize("shape", SHAPES)
def test_count_the_records_of_a_request(benchmark: BenchmarkFixture, shape: str) -> None:
    export = next(groups(shape, 11, 1))[0]
    assert benchmark(count_records, Signal.TRACES, export.payload, 65_536) == 512
