"""The one writer: a queue, and everything that waits in it is one group: decoded, journaled, synced and answered together."""

from __future__ import annotations

import asyncio
import copy
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import structlog

from agent.batch import Batch, Decoded, Export, Receipt, Signal
from agent.errors import AgentError, QueueFull, ShareFull
from agent.instruments import Instruments
from agent.status import status_of
from agent.store.duplicates import RecentRequests, key_of, request_rows
from agent.store.gathering import Gathering, Waiting
from agent.store.shares import Shares
from agent.store.store import Store

Decode = Callable[[Sequence[Export], int], Decoded]
"""Decodes a group that arrived at a time in nanoseconds."""

TICK_SECONDS = 1.0
ROOM_SECONDS = 0.5
PROBE_SECONDS = 1.0
"""When nothing has been committed for so long, a few bytes are: whether the disk takes them is known before a sender comes."""

TELL_SECONDS = 10.0

_SHARE_FULL = "a service in this request has its share of the disk (store.max_service_percent); send again later"

_log = structlog.get_logger()


class Writer:
    """The Sink that keeps what it is given. Open it with ``writing``."""

    def __init__(
        self,
        store: Store,
        decoders: Mapping[Signal, Decode],
        recent: RecentRequests,
        instruments: Instruments,
        shares: Shares | None = None,
    ) -> None:
        self._store = store
        self._shares = shares
        self._decoders = decoders
        self._recent = recent
        self._instruments = instruments
        self._waiting = Gathering(TICK_SECONDS)
        self._loop = asyncio.get_running_loop()
        self._told = -TELL_SECONDS
        self._beat = self._worked = time.monotonic()
        self._is_busy = False
        self.thread = threading.Thread(target=self.run, name="writer")

    async def write(self, export: Export) -> Receipt:
        """Keep an export's records; see ``receive.sink.Sink``."""
        waiting = Waiting(export, self._loop.create_future(), time.monotonic())
        self._waiting.put(waiting)
        return await waiting.reply

    def run(self) -> None:
        """Write groups until stopped, then close the open segment."""
        while not self._waiting.stopped:
            self._beat, self._is_busy = time.monotonic(), False
            group = self._waiting.next()
            self._beat, self._is_busy = time.monotonic(), True
            try:
                if group:
                    self._write_group(group)
                else:
                    self._store.close_due_segment(self._store.clock.now_ns())
                if time.monotonic() - self._worked >= PROBE_SECONDS:
                    self._store.disk.probe()
                    self._worked = time.monotonic()
            except Exception as error:  # noqa: BLE001 a writer that ends would leave every sender waiting
                _log.error("the writer met a fault and goes on", exc_info=error)
        self._store.close_segment()

    def stuck_seconds(self) -> float:
        """For how long the group or the probe under way has taken; 0 while it waits for requests."""
        return time.monotonic() - self._beat if self._is_busy else 0.0

    def stop(self) -> None:
        """Let ``run`` return once everything that waits is written."""
        self._waiting.stop()

    def _write_group(self, group: list[Waiting]) -> None:
        replies: list[Receipt | Exception]
        try:
            replies = self._settle([waiting.export for waiting in group])
        except Exception as error:  # noqa: BLE001 whatever it is, those who wait must hear of it
            self._tell(error)
            replies = [copy.copy(error) for _ in group]  # each waiter raises its own
        else:
            self._instruments.commit_seconds.observe(time.monotonic() - group[0].since)
            self._worked = time.monotonic()
        self._loop.call_soon_threadsafe(_answer, group, replies)

    def _tell(self, error: Exception) -> None:
        """Log a fault: every unexpected one, of those that a retry cures one in ten seconds."""
        if isinstance(error, AgentError):
            if time.monotonic() - self._told < TELL_SECONDS:
                return
            self._told = time.monotonic()
        _log.error("a group could not be written", reason=status_of(error).message, exc_info=error)

    def _settle(self, exports: Sequence[Export]) -> list[Receipt | Exception]:
        """Keep a group; a reply for each of its exports."""
        now = self._store.clock.now_ns()
        keys = [key_of(export) for export in exports]
        replies: dict[bytes, Receipt | Exception] = {}
        new: dict[bytes, Export] = {}
        for key, export in zip(keys, exports, strict=True):
            known = self._recent.reply(key, now)
            if known is not None:
                replies[key] = replace(known, again=True)
            if known is not None or key in new:
                self._instruments.requests_duplicate.inc()
            else:
                new[key] = export
        refused = self._refused(new)
        replies |= refused
        replies.update(self._keep({key: export for key, export in new.items() if key not in refused}, now))
        answered: set[bytes] = set()
        found: list[Receipt | Exception] = []
        for key in keys:
            reply = replies[key]
            found.append(replace(reply, again=True) if key in answered and isinstance(reply, Receipt) else reply)
            answered.add(key)
        return found

    def _keep(self, new: Mapping[bytes, Export], now_ns: int) -> dict[bytes, Receipt | Exception]:
        """Decode and append what did not come before."""
        if not new:
            return {}
        if not self._store.wait_for_room(ROOM_SECONDS):
            raise QueueFull("the store is behind in moving rows to disk; send again")
        replies: dict[bytes, Receipt | Exception] = {}
        batches: list[Batch] = []
        skewed: dict[Signal, Mapping[str, int]] = {}
        for signal, decode in self._decoders.items():
            keys = [key for key, export in new.items() if export.signal is signal]
            if keys:
                decoded = decode([new[key] for key in keys], self._store.grounds.wall.now_ns())
                replies.update(zip(keys, decoded.receipts, strict=True))
                if decoded.batch is not None:
                    batches.append(decoded.batch)
                    skewed[signal] = decoded.skewed
        if batches:
            kept = {key: reply for key, reply in replies.items() if isinstance(reply, Receipt)}
            self._store.append(batches, request_rows(list(kept), list(kept.values()), now_ns))
            self._count_skewed(skewed)
            for key, receipt in kept.items():
                self._recent.remember(key, receipt, now_ns)
            self._share([new[key] for key in kept])
        return replies

    def _refused(self, new: Mapping[bytes, Export]) -> dict[bytes, Receipt | Exception]:
        """Those of services that have their share of the disk."""
        if self._shares is None:
            return {}
        return {key: ShareFull(_SHARE_FULL) for key, export in new.items() if self._shares.refuses(export)}

    def _share(self, written: Sequence[Export]) -> None:
        if self._shares is not None:
            for export in written:
                self._shares.add(self._store.segments[-1].name, export)

    def _count_skewed(self, skewed: Mapping[Signal, Mapping[str, int]]) -> None:
        for signal, counts in skewed.items():
            for direction, count in counts.items():
                self._instruments.skewed_records.labels(signal, direction).inc(count)


def _answer(group: Sequence[Waiting], replies: Sequence[Receipt | Exception]) -> None:
    for waiting, reply in zip(group, replies, strict=True):
        if waiting.reply.done():
            continue  # the caller has gone; the records are kept
        if isinstance(reply, Exception):
            waiting.reply.set_exception(reply)
        else:
            waiting.reply.set_result(reply)


@asynccontextmanager
async def writing(
    store: Store,
    decoders: Mapping[Signal, Decode],
    recent: RecentRequests,
    instruments: Instruments,
    shares: Shares | None = None,
) -> AsyncIterator[Writer]:
    """A Writer on a thread of its own; everything that waits is written before it ends."""
    writer = Writer(store, decoders, recent, instruments, shares)
    writer.thread.start()
    try:
        yield writer
    finally:
        writer.stop()
        await asyncio.to_thread(writer.thread.join)
