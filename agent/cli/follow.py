"""Records as they come in: polls whose windows overlap, and the memory of what was shown.

The agent is asked by event time, and records arrive after it: each poll looks back ``LATE_NS`` behind the beginning of the one
before, so what comes that late is found, and what was shown is known by its position.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

import grpc
from coral.agent.v1 import telemetry_query_pb2 as api
from google.protobuf.timestamp_pb2 import Timestamp

from agent.cli import ask
from agent.clock import SECOND_NS, Clock

LATE_NS = 10 * SECOND_NS
"""How long after its event time a record may arrive and still be shown."""

POLL_SECONDS = 1.0
MOST_REMEMBERED = 200_000
"""Records in an overlap; with more, the older ones are not looked at again and late ones among them are missed."""

_PASSING = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED}

Record = TypeVar("Record", api.Span, api.LogRecord, api.DataPoint)


class Memory(Generic[Record]):
    """Where the next poll begins, and what of its window was shown."""

    def __init__(self, time_of: Callable[[Record], Timestamp | None], now_ns: int, since_ns: int) -> None:
        self.start_ns = min(since_ns, now_ns - LATE_NS)
        self._time_of: Callable[[Record], Timestamp | None] = time_of
        self._since_ns = since_ns  # the first poll finds older ones, to know them from those that arrive late
        self._shown: set[int] = set()
        self._answered: deque[tuple[int, int]] = deque()
        self._forgotten_ns = 0

    def fresh(self, records: Iterable[Record], began_ns: int) -> list[Record]:
        """Those to show, of a page of the poll that began then; pages come oldest first."""
        found = []
        for record in records:
            time = self._time_of(record)
            time_ns = began_ns if time is None else time.ToNanoseconds()
            if record.position not in self._shown and time_ns >= self._since_ns:
                found.append(record)
            self._answered.append((time_ns, record.position))
            if len(self._answered) > MOST_REMEMBERED:
                self._forgotten_ns = self._answered.popleft()[0]
        return found

    def turn(self, began_ns: int) -> None:
        """The poll that began then is complete."""
        self.start_ns = max(self.start_ns, began_ns - LATE_NS, self._forgotten_ns + 1)
        self._since_ns = self._forgotten_ns = 0
        self._shown = {position for time_ns, position in self._answered if time_ns >= self.start_ns}
        self._answered.clear()

    def retry(self) -> None:
        """The poll broke off; the next asks for the same window."""
        self._shown.update(position for _, position in self._answered)
        self._answered.clear()


Batch = tuple[list[Record], Sequence[str]]


def polled(
    call: ask.Call,
    request: ask.Request,
    records: Callable[[ask.Page], Sequence[Record]],
    memory: Memory[Record],
    clock: Clock,
) -> Iterator[Batch[Record]]:
    """Records that were not there before, and warnings, batch after batch without an end.

    Raises:
        grpc.RpcError: the first poll failed, or one failed in a way that does not pass.
    """
    has_answered = False
    while True:
        began_ns = clock.now_ns()
        request.start_time.FromNanoseconds(memory.start_ns)
        request.page_token = ""
        try:
            for page in ask.pages(call, request):
                yield memory.fresh(records(page), began_ns), page.warnings
            memory.turn(began_ns)
            has_answered = True
        except grpc.RpcError as error:
            if not has_answered or not isinstance(error, grpc.Call) or error.code() not in _PASSING:
                raise
            memory.retry()
            yield [], [f"{error.code().name}: {error.details()}; asking again"]
        time.sleep(POLL_SECONDS)
