"""A group of Exports of one signal to one Batch, and a Receipt for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf.message import Message

from agent.batch import Batch, Decoded, Export, Receipt, Signal
from agent.decode import columns
from agent.decode.columns import Flat, Origin, Undecodable
from agent.decode.refusals import Check, sift
from agent.errors import MalformedExport


@dataclass(frozen=True, slots=True)
class Decoder:
    """How one signal is decoded.

    Its trimmed request, how that becomes records (``expand``: a metric becomes its data points), what makes a record bad, and
    which columns a good one fills. ``rows`` is given the time of arrival in nanoseconds.
    """

    signal: Signal
    message: type[Message]
    checks: tuple[Check, ...]
    rows: Callable[[Flat, int], pa.RecordBatch]
    noun: str
    expand: Callable[[Flat], Flat] = lambda flat: flat

    def decode(self, exports: Sequence[Export], now_ns: int) -> Decoded:
        """Decode a group that arrived now; an export that is not OTLP costs itself alone."""
        payloads = [export.payload for export in exports]
        try:
            batch, receipts = self._decode(payloads, now_ns)
        except Undecodable:
            return self._decode_readable(payloads, now_ns)
        return Decoded(batch, list(receipts))

    def _decode(self, payloads: Sequence[bytes], now_ns: int) -> tuple[Batch | None, list[Receipt]]:
        flat = self.expand(columns.flatten(payloads, self.message))
        totals = [0] * len(payloads)
        for entry in pc.value_counts(flat.request).to_pylist():
            totals[entry["values"]] = entry["counts"]
        good, refusals = sift(flat, self.checks)
        return self._batch(good, now_ns), refusals.receipts(totals, self.noun)

    def _batch(self, flat: Flat, now_ns: int) -> Batch | None:
        if not len(flat.columns):
            return None
        used: dict[int, Origin] = {}
        for index in pc.unique(flat.scope).to_pylist():
            origin = flat.origins[index]
            if origin is not None:
                used[origin.hash] = origin
        return Batch(self.signal, self.rows(flat, now_ns), columns.origins_batch(list(used.values())))

    def _decode_readable(self, payloads: Sequence[bytes], now_ns: int) -> Decoded:
        """The slow way, for a group with at least one payload that is not OTLP: find out which."""
        readable = []
        for index, payload in enumerate(payloads):
            try:
                columns.flatten([payload], self.message)
            except Undecodable:
                continue
            readable.append(index)
        receipts: list[Receipt | Exception] = [
            MalformedExport(f"body is not a valid OTLP {self.signal} request in protobuf") for _ in payloads
        ]
        if not readable:
            return Decoded(None, receipts)
        batch, good = self._decode([payloads[index] for index in readable], now_ns)
        for index, receipt in zip(readable, good, strict=True):
            receipts[index] = receipt
        return Decoded(batch, receipts)
