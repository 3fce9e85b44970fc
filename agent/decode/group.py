"""A group of Exports of one signal to one Batch, and a Receipt for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from google.protobuf.message import Message

from agent import schema
from agent.batch import Batch, Decoded, Export, Receipt, Signal
from agent.decode import columns
from agent.decode.columns import Flat, Origin, Repeating, Undecodable
from agent.decode.refusals import Check, Refusals, sift
from agent.decode.skew import skewed
from agent.decode.slices import SLICE_BYTES, slices
from agent.errors import MalformedExport, TooLarge

PORTION_BYTES = 2 * SLICE_BYTES
"""Of requests that are decoded together: a call costs half a millisecond, the densest 2 MiB 40."""

MAX_ENTRIES = 1 << 20
"""Attributes, events, links, exemplars and the like of one request. Decoded, each costs 24 bytes beside its own, and may
have come as two: 64 MiB of them would cost 800 MiB."""

_TOO_DENSE = (
    f"the request has more than {MAX_ENTRIES} attributes, events, links, exemplars and data points: send smaller batches"
)

_REPEATING = (
    "the request has Resources or metrics of so many bytes for so many scopes or data points that they cannot be kept beside "
    "each: send shorter texts, or fewer in a request"
)


@dataclass(frozen=True, slots=True)
class Decoder:
    """How one signal is decoded.

    Its trimmed request, how that becomes records (``expand``: a metric becomes its data points), what makes a record bad, and
    which columns a good one fills. ``rows`` is given the time of arrival in nanoseconds. ``repeated`` says how many bytes
    ``expand`` will take with what it repeats, or raises ``Repeating``.
    """

    signal: Signal
    message: type[Message]
    checks: tuple[Check, ...]
    rows: Callable[[Flat, int], pa.RecordBatch]
    noun: str
    expand: Callable[[Flat], Flat] = lambda flat: flat
    repeated: Callable[[Flat, Sequence[bytes]], int] = lambda _flat, _payloads: 0

    def decode(self, exports: Sequence[Export], now_ns: int) -> Decoded:
        """Decode a group that arrived now; an export that is not OTLP, or too dense, costs itself alone."""
        payloads = [export.payload for export in exports]
        batches: list[Batch] = []
        receipts: list[Receipt | Exception] = []
        for portion in _portions(payloads):
            decoded = self._large(portion[0], now_ns) if _is_large(portion[0]) else self._together(portion, now_ns)
            receipts += decoded.receipts
            if decoded.batch is not None:
                batches.append(decoded.batch)
        batch = _joined(batches)
        return Decoded(batch, receipts, {} if batch is None else skewed(batch.rows[schema.TIME_COLUMNS[self.signal]], now_ns))

    def _together(self, payloads: Sequence[bytes], now_ns: int) -> Decoded:
        try:
            flats = [self._flat(payloads)[0]]
        except Undecodable:
            return self._readable(payloads, now_ns)
        return self._decoded(flats, len(payloads), now_ns)

    def _large(self, payload: bytes, now_ns: int) -> Decoded:
        """One request in slices; none of it is kept when one of them cannot be."""
        flats = []
        entries = repeated = 0
        try:
            for piece in slices(self.signal, payload):
                flat, more = self._flat([piece])
                flats.append(flat)
                repeated += more
                entries += columns.entries(flat.columns)
                if entries > MAX_ENTRIES:
                    return Decoded(None, [TooLarge(_TOO_DENSE)])
                if repeated > columns.MAX_REPEATED_BYTES:
                    return Decoded(None, [TooLarge(_REPEATING)])
        except Repeating:
            return Decoded(None, [TooLarge(_REPEATING)])
        except (Undecodable, MalformedExport):
            return Decoded(None, [self._malformed()])
        return self._decoded(flats, 1, now_ns)

    def _flat(self, payloads: Sequence[bytes]) -> tuple[Flat, int]:
        """What these payloads hold, and the bytes that it takes with what is said once for many."""
        flat = columns.flatten(payloads, self.message)
        return flat, flat.repeated + self.repeated(flat, payloads)

    def _decoded(self, flats: Iterable[Flat], requests: int, now_ns: int) -> Decoded:
        """What ``requests`` requests hold, which were flattened together or in slices."""
        totals, refusals, batches = [0] * requests, Refusals(), []
        for flat in map(self.expand, flats):
            for request, count in enumerate(np.bincount(flat.request, minlength=requests).tolist()):
                totals[request] += count
            good, refusals = sift(flat, self.checks, refusals)
            batch = self._batch(good, now_ns)
            if batch is not None:
                batches.append(batch)
        return Decoded(_joined(batches), list(refusals.receipts(totals, self.noun)))

    def _batch(self, flat: Flat, now_ns: int) -> Batch | None:
        if not len(flat.columns):
            return None
        used: dict[int, Origin] = {}
        for index in np.flatnonzero(np.bincount(flat.scope)).tolist():
            origin = flat.origins[index]
            if origin is not None:
                used[origin.hash] = origin
        return Batch(self.signal, self.rows(flat, now_ns), columns.origins_batch(list(used.values())))

    def _readable(self, payloads: Sequence[bytes], now_ns: int) -> Decoded:
        """The slow way, for a group with at least one payload that is not OTLP: find out which."""
        readable = []
        receipts: list[Receipt | Exception] = [self._malformed() for _ in payloads]
        for index, payload in enumerate(payloads):
            try:
                self._flat([payload])
            except Repeating:
                receipts[index] = TooLarge(_REPEATING)
            except Undecodable:
                continue
            else:
                readable.append(index)
        if not readable:
            return Decoded(None, receipts)
        decoded = self._together([payloads[index] for index in readable], now_ns)
        for index, receipt in zip(readable, decoded.receipts, strict=True):
            receipts[index] = receipt
        return Decoded(decoded.batch, receipts)

    def _malformed(self) -> MalformedExport:
        return MalformedExport(f"body is not a valid OTLP {self.signal} request in protobuf")


def _is_large(payload: bytes) -> bool:
    return len(payload) > SLICE_BYTES


def _portions(payloads: Sequence[bytes]) -> Iterator[list[bytes]]:
    """What is decoded in one call: small requests together, a large one alone."""
    portion: list[bytes] = []
    size = 0
    for payload in payloads:
        if portion and (size + len(payload) > PORTION_BYTES or _is_large(payload) or _is_large(portion[0])):
            yield portion
            portion, size = [], 0
        portion.append(payload)
        size += len(payload)
    if portion:
        yield portion


def _joined(batches: Sequence[Batch]) -> Batch | None:
    """The rows of all; each of their origins once."""
    if len(batches) < 2:
        return batches[0] if batches else None
    origins = pa.concat_batches([batch.origins for batch in batches])
    first = {hash_: index for index, hash_ in reversed(list(enumerate(origins["hash"].to_pylist())))}
    return Batch(
        batches[0].signal,
        pa.concat_batches([batch.rows for batch in batches]),
        origins.take(pa.array(sorted(first.values()), pa.int64())),
    )
