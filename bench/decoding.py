"""Requests to batches as the writer makes them: the one place in the benchmarks that knows how a decoder is called."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import pyarrow as pa

from agent.batch import Decoded, Export, Receipt, Signal
from agent.clock import SystemClock
from agent.decode.logs import log_decoder
from agent.decode.points import point_decoder
from agent.decode.spans import span_decoder
from agent.store.duplicates import key_of, request_rows
from bench.shapes import Requests

DECODERS = {
    decoder.signal: decoder for decoder in (make(lambda _: True) for make in (span_decoder, log_decoder, point_decoder))
}
DECODER = DECODERS[Signal.TRACES]


def decode(group: Sequence[Export]) -> Decoded:
    """A group that arrives now."""
    return DECODERS[group[0].signal].decode(group, SystemClock().now_ns())


def rows_of_requests(group: Sequence[Export]) -> pa.RecordBatch:
    """What the store remembers of a group that was accepted whole."""
    receipts = [Receipt(export.records) for export in group]
    return request_rows([key_of(export) for export in group], receipts, SystemClock().now_ns())


def groups(shape: str, seed: int, size: int, signal: Signal = Signal.TRACES) -> Iterator[list[Export]]:
    """Groups of so many requests of this moment, without end."""
    requests = Requests(signal.value, shape, seed)
    made = requests.at(iter(SystemClock().now_ns, 0))
    while True:
        yield [Export(signal, payload, requests.records) for payload, _ in itertools.islice(made, size)]
