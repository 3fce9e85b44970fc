"""What both transports do with an Export: find room, count, hand on, count what came of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import structlog

from agent import errors
from agent.batch import Export, Receipt, Signal
from agent.decode.limits import MAX_RECORD_BYTES, trimmed
from agent.instruments import Instruments
from agent.receive.admission import Admission
from agent.receive.sink import Sink

_INLINE_BYTES = 1 << 20
"""Up to here counting takes a tenth of a millisecond for ordinary records, less than a hop to a thread and back."""

_REASONS: tuple[tuple[type[errors.AgentError], str], ...] = (
    (errors.MalformedExport, "malformed"),
    (errors.Rejected, "rejected"),
    (errors.TooLarge, "too_large"),
    (errors.ShareFull, "share_full"),
    (errors.Overloaded, "queue_full"),
    (errors.StoreUnavailable, "store_unavailable"),
    (errors.DeadlinePassed, "deadline_passed"),
)

_log = structlog.get_logger()


class Receiver:
    """Takes protobuf bytes from a transport and returns the Sink's Receipt."""

    def __init__(
        self,
        sink: Sink,
        admission: Admission,
        instruments: Instruments,
        *,
        max_records: int,
        max_record_bytes: int = MAX_RECORD_BYTES,
    ) -> None:
        self._sink = sink
        self._admission = admission
        self._instruments = instruments
        self.max_records = max_records
        self._max_record_bytes = max_record_bytes
        instruments.queue_bytes.set_function(lambda: admission.bytes_in_flight)

    async def take(self, signal: Signal, transport: str, payload: bytes) -> Receipt:
        """What became of the request; errors are the caller's to answer and to ``refuse``.

        Raises:
            AgentError: nothing of the request is kept.
        """
        records = 0
        try:
            async with self._admission.room(len(payload)):
                kept, records, too_large = await self._trimmed(signal, payload)
                # Nothing to keep is a success even when nothing can be kept.
                receipt = await self._sink.write(Export(signal, kept, records)) if records else Receipt(accepted=0)
                if too_large:
                    receipt = self._also_too_large(receipt, too_large)
        except Exception as error:
            self.refuse(signal, transport, error, records)
            raise
        if receipt.again:
            return receipt
        self._instruments.accepted[signal].labels(transport).inc(receipt.accepted)
        for reason, count in receipt.refused.items():
            self._instruments.refused[signal].labels(transport, reason).inc(count)
        return receipt

    def refuse(self, signal: Signal, transport: str, error: Exception, records: int = 0) -> None:
        """Counts a request that is refused as a whole, and logs a fault of ours."""
        reason = next((label for kind, label in _REASONS if isinstance(error, kind)), "unexpected")
        self._instruments.refused[signal].labels(transport, reason).inc(records)
        self._instruments.refused_requests.labels(signal, transport, reason).inc()
        if not isinstance(error, errors.AgentError):
            _log.error("export failed unexpectedly", signal=str(signal), transport=transport, exc_info=error)

    def _also_too_large(self, receipt: Receipt, count: int) -> Receipt:
        said = f"{count} refused: larger than limits.max_record_bytes ({self._max_record_bytes} bytes)"
        message = f"{receipt.message}. {said}" if receipt.message else said
        return replace(receipt, refused={**receipt.refused, "too_large": count}, message=message)

    async def _trimmed(self, signal: Signal, payload: bytes) -> tuple[bytes, int, int]:
        limits = self.max_records, self._max_record_bytes
        if len(payload) <= _INLINE_BYTES:
            return trimmed(signal, payload, *limits)
        return await asyncio.to_thread(trimmed, signal, payload, *limits)
