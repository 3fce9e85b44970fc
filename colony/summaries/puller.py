"""Pulls each agent's minutes: again until a minute is five minutes old, and what was missed as long as the agent keeps it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import structlog
from coral.agent.v1 import telemetry_query_pb2 as api

from colony.clock import MINUTE_NS, Clock
from colony.errors import SummariesUnavailable
from colony.instruments import Instruments
from colony.outcome import AgentFailure, Result
from colony.registry.agents import Known
from colony.registry.registry import Registry
from colony.signals import time_ns
from colony.sketch import GAMMA, bucket_of
from colony.summaries.store import ROWS, Minute, SummaryStore

SETTLED_NS = 5 * MINUTE_NS
"""Spans arrive late: SDKs batch for seconds, retries take a minute or two."""

MINUTES_A_REQUEST = 10
_TIMEOUT_SECONDS = 10.0
_AT_A_TIME = 8
_SAME_GAMMA = 1e-9

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reach:
    """Minutes by an agent's clock: the one that runs, the first that it surely has whole, the first that is kept here."""

    current: int
    oldest: int
    first: int


def reach_of(known: Known, agent_now_ns: int, retention_ns: int, last_ns: int) -> Reach:
    """How far back an agent is asked: as long as it keeps, we keep, and is wanted.

    Two agents under one id are asked from now on only: what they have was pulled under the id, as long as there was one.
    """
    current = agent_now_ns // MINUTE_NS
    first = (agent_now_ns - retention_ns) // MINUTE_NS + 1
    kept_ns = (known.inventory.retention_ns if known.inventory else 0) or retention_ns
    oldest = max((agent_now_ns - kept_ns) // MINUTE_NS + 1, first, (agent_now_ns - last_ns) // MINUTE_NS)
    return Reach(current, current if known.shares_id else oldest, first)


def due(checkpoints: Mapping[int, Minute], reach: Reach) -> tuple[list[int], list[int]]:
    """The minutes to ask an agent for, and those that are lost: not settled when it let go of them.

    ``checkpoints`` holds at least the newest one, all that are open, and all from ``reach.oldest`` on.
    """
    newest = max(checkpoints, default=reach.oldest)
    still_open = {number for number, minute in checkpoints.items() if minute.state == "open"}
    unasked = set(range(max(newest + 1, reach.first), reach.oldest))
    wanted = [m for m in range(reach.oldest, reach.current + 1) if m not in checkpoints or m in still_open]
    return wanted, sorted(unasked | {m for m in still_open if m < reach.oldest})


def stretches(minutes: Collection[int], longest: int = MINUTES_A_REQUEST) -> list[range]:
    """Sorted minutes as ranges without holes, each at most so long."""
    found: list[range] = []
    for minute in minutes:
        if found and minute == found[-1].stop and len(found[-1]) < longest:
            found[-1] = range(found[-1].start, minute + 1)
        else:
            found.append(range(minute, minute + 1))
    return found


class Puller:
    """Pulls from every agent of the registry; ``faults`` says why an agent's newest minutes are missing."""

    def __init__(
        self, registry: Registry, store: SummaryStore, clock: Clock, instruments: Instruments, retention_ns: int
    ) -> None:
        self._registry = registry
        self._store = store
        self._clock = clock
        self._instruments = instruments
        self._retention_ns = retention_ns
        self._places = asyncio.Semaphore(_AT_A_TIME)
        self.faults: dict[str, str] = {}

    async def pull(self, last_ns: int | None = None) -> None:
        """One round: what is due of every agent, of the last ``last_ns`` alone if given; then the old is forgotten."""
        async with asyncio.TaskGroup() as tasks:
            for known in self._registry.agents:
                tasks.create_task(self._pull_agent(known, last_ns or self._retention_ns))
        await self._store.expire((self._clock.now_ns() - self._retention_ns) // MINUTE_NS)
        self._instruments.summary_rows.set(await self._store.count())

    async def pull_forever(self, interval_seconds: float) -> None:
        """A round every interval; a store that fails is tried again."""
        while True:
            try:
                await self.pull()
            except* SummariesUnavailable as group:
                _log.error("summaries could not be stored", exc_info=group)
            await asyncio.sleep(interval_seconds)

    async def _pull_agent(self, known: Known, last_ns: int) -> None:
        if known.inventory is None or known.result is not Result.ANSWERED:
            self.faults[known.name] = known.reason or "it has not answered yet"
            return
        async with self._places:
            now = self._clock.now_ns() + known.shift_ns
            reach = reach_of(known, now, self._retention_ns, last_ns)
            before = await self._store.checkpoints(known.name, reach.oldest)
            wanted, lost = due(before, reach)
            if lost:
                await self._lose(known, lost, before)
            try:
                for stretch in stretches(wanted):
                    await self._pull_stretch(known, stretch, now, before)
            except AgentFailure as failure:
                if self.faults.get(known.name) != failure.reason:
                    _log.warning("an agent gave no summaries", agent=known.name, result=failure.result, reason=failure.reason)
                old = "it is too old to summarise its spans"
                self.faults[known.name] = old if failure.result is Result.TOO_OLD else failure.reason
                return
            self.faults.pop(known.name, None)

    async def _pull_stretch(self, known: Known, stretch: range, agent_now_ns: int, before: Mapping[int, Minute]) -> None:
        start = stretch.start
        while start < stretch.stop:
            request = api.QuerySpanSummariesRequest()
            request.start_time.FromNanoseconds(start * MINUTE_NS)
            request.end_time.FromNanoseconds(stretch.stop * MINUTE_NS)
            response: Any = await self._registry.call(known, "QuerySpanSummaries", request, _TIMEOUT_SECONDS)
            stop = stretch.stop
            if response.HasField("next_start_time"):
                stop = min(stop, time_ns(response.next_start_time) // MINUTE_NS)
            if stop <= start:
                raise AgentFailure(Result.REFUSED, "it says that more fits into no answer")
            await self._take(known, self._by_minute(range(start, stop), response), response.gamma, agent_now_ns, before)
            start = stop

    def _by_minute(self, minutes: range, response: Any) -> dict[int, list[api.SpanSummary]]:  # noqa: ANN401 generated
        """What an answer says of each of these minutes, by the agent's clock; nothing is something, too."""
        found: dict[int, list[api.SpanSummary]] = {minute: [] for minute in minutes}
        for summary in response.summaries:
            found.get(time_ns(summary.minute) // MINUTE_NS, []).append(summary)
        return found

    async def _take(
        self,
        known: Known,
        by_minute: Mapping[int, list[api.SpanSummary]],
        gamma: float,
        agent_now_ns: int,
        before: Mapping[int, Minute],
    ) -> None:
        """Keep what was pulled. A minute never shrinks: an agent that says less than before has lost some."""
        shift = round(known.shift_ns / MINUTE_NS)
        replaced, rows = [], []
        for minute, summaries in by_minute.items():
            spans = sum(summary.count for summary in summaries)
            is_final = (minute + 1) * MINUTE_NS + SETTLED_NS <= agent_now_ns
            if minute in before and spans <= before[minute].spans:
                if is_final:
                    await self._store.settle(known.name, minute)
                continue
            replaced.append(Minute(known.name, minute, minute - shift, spans, "final" if is_final else "open"))
            rows += _rows(known.name, minute, minute - shift, summaries, gamma)
        if replaced:
            await self._store.replace(replaced, pa.Table.from_pylist(rows, ROWS))
            self._instruments.summary_minutes.inc(len(replaced))

    async def _lose(self, known: Known, lost: Iterable[int], before: Mapping[int, Minute]) -> None:
        """Let go of minutes that cannot be asked for any more; what was pulled of them stays."""
        shift = round(known.shift_ns / MINUTE_NS)
        gone = []
        for minute in lost:
            if minute in before:
                await self._store.settle(known.name, minute)
            else:
                gone.append(Minute(known.name, minute, minute - shift, 0, "lost"))
        if gone:
            await self._store.replace(gone, ROWS.empty_table())
            self._instruments.summary_gaps.inc(len(gone))


def _rows(
    agent: str, agent_minute: int, minute: int, summaries: Iterable[api.SpanSummary], gamma: float
) -> list[dict[str, object]]:
    return [
        {
            "agent": agent,
            "agent_minute": agent_minute,
            "minute": minute,
            "service": summary.service_name,
            "operation": summary.operation_name,
            "kind": int(summary.kind),
            "is_rest": summary.is_rest,
            "errors": summary.errors,
            "zeros": summary.zero_count,
            "indexes": _indexes(summary.bucket_indexes, gamma),
            "counts": list(summary.bucket_counts),
            "slowest": list(summary.slowest_trace_ids),
            "failed": list(summary.failed_trace_ids),
        }
        for summary in summaries
    ]


def _indexes(indexes: Iterable[int], gamma: float) -> list[int]:
    """Buckets of another factor as ours: an agent of another version; the error is then both factors'."""
    if abs(gamma - GAMMA) < _SAME_GAMMA:
        return list(indexes)
    return [bucket_of(max(1, round(2 * gamma**index / (gamma + 1)))) for index in indexes]
