"""The TelemetryQuery servicer: authorise, plan, read, scrub, encode."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import grpc
import structlog
from coral.agent.v1 import telemetry_query_pb2 as api
from coral.agent.v1 import telemetry_query_pb2_grpc as api_grpc

import agent
from agent import rpc
from agent.batch import Signal
from agent.clock import Clock
from agent.errors import Denied, TooManyQueries
from agent.identity import Door
from agent.instruments import Instruments
from agent.query import encode
from agent.query.kept import inventory
from agent.query.logs import LOGS
from agent.query.names import NamesSearch
from agent.query.plan import Plan, Planner
from agent.query.points import POINTS
from agent.query.rows import Shape
from agent.query.search import Search
from agent.query.series import find_series
from agent.query.settings import QuerySettings
from agent.query.spans import SPANS
from agent.query.summaries import Summing, asked_of
from agent.scrub.scrubber import Scrubber
from agent.status import error_status
from agent.store.reader import Reader, Reading
from agent.store.store import Store

Reply = TypeVar("Reply")
Result = TypeVar("Result")
Context = grpc.aio.ServicerContext[Any, Any]

QUEUE_SECONDS = 0.5
"""A query over the limit of concurrent ones waits this long for a place."""

_log = structlog.get_logger()


class TelemetryQuery(api_grpc.TelemetryQueryServicer):
    """Answers queries from one store, scrubbed, to peers that the door admits.

    Each signal has a scrubber of its own, so that its hits are counted apart.
    """

    def __init__(
        self,
        settings: QuerySettings,
        store: Store,
        reader: Reader,
        scrubbers: Mapping[Signal, Scrubber],
        instruments: Instruments,
    ) -> None:
        self._clock: Clock = store.grounds.wall
        self._store = store
        self._reader = reader
        self._instruments = instruments
        self.configure(settings, scrubbers)

    def configure(self, settings: QuerySettings, scrubbers: Mapping[Signal, Scrubber]) -> None:
        """Answer by these from the next query on."""
        self._settings = settings
        self._scrubbers = scrubbers
        self._planner = Planner(settings.limits, settings.own, scrubbers)
        self._door = Door(settings.allowed_peers)
        self._instance_id = uuid.uuid4().hex
        self._places = asyncio.Semaphore(settings.max_concurrent)

    async def QuerySpans(self, request: api.QuerySpansRequest, context: Context) -> bytes:  # noqa: N802 gRPC's name
        """Spans by start time."""
        return await self._answer("QuerySpans", context, lambda: self._spans(request, context))

    async def QueryLogs(self, request: api.QueryLogsRequest, context: Context) -> bytes:  # noqa: N802 gRPC's name
        """Log records by time."""
        return await self._answer("QueryLogs", context, lambda: self._logs(request, context))

    async def QueryMetrics(self, request: api.QueryMetricsRequest, context: Context) -> bytes | api.QueryMetricsResponse:  # noqa: N802 gRPC's name
        """Data points by time, or series."""
        return await self._answer("QueryMetrics", context, lambda: self._points(request, context))

    async def ListNames(self, request: api.ListNamesRequest, context: Context) -> api.ListNamesResponse:  # noqa: N802 gRPC's name
        """Operations, metrics and attribute keys."""
        return await self._answer("ListNames", context, lambda: self._names(request, context))

    async def GetDataInfo(self, request: api.GetDataInfoRequest, context: Context) -> api.GetDataInfoResponse:  # noqa: N802 gRPC's name
        """What is kept, and under which limits and rules."""
        return await self._answer("GetDataInfo", context, lambda: self._kept(context))

    async def QuerySpanSummaries(  # noqa: N802 gRPC's name
        self, request: api.QuerySpanSummariesRequest, context: Context
    ) -> api.QuerySpanSummariesResponse:
        """One-minute summaries of spans."""
        return await self._answer("QuerySpanSummaries", context, lambda: self._summaries(request, context))

    async def _answer(self, name: str, context: Context, work: Callable[[], Awaitable[Reply]]) -> Reply:
        """Authorise, find a place, answer; every error becomes a status, every call is measured."""
        began = time.monotonic()
        code = grpc.StatusCode.OK
        try:
            self._authorise(context)
            async with self._place():
                return await work()
        except asyncio.CancelledError:
            code = grpc.StatusCode.CANCELLED
            raise
        except Exception as error:  # noqa: BLE001 no error may reach grpc, which would send its text
            code = error_status(error).grpc_code
            if code is grpc.StatusCode.UNAVAILABLE:
                _log.error("a query failed", rpc=name, exc_info=error)
            await rpc.abort(context, error)
        finally:
            self._instruments.query_seconds.labels(name, code.name).observe(time.monotonic() - began)

    def _authorise(self, context: Context) -> None:
        identities = context.auth_context().get("peer_spiffe_id", ())
        if not self._door.admits(list(identities)):
            self._instruments.peer_denied.inc()
            raise Denied("this peer may not query this agent")

    def _place(self) -> _Place:
        return _Place(self._places, self._instruments)

    async def _read(self, context: Context, work: Callable[[Reading], Result]) -> Result:
        remaining = context.time_remaining()
        limit = self._settings.max_duration_seconds
        return await self._reader.run(work, limit if remaining is None else min(limit, remaining))

    async def _spans(self, request: api.QuerySpansRequest, context: Context) -> bytes:
        plan = self._planner.spans(request, self._clock.now_ns())
        return await self._read(context, lambda reading: self._page(plan, SPANS, reading, api.QuerySpansResponse()))

    async def _logs(self, request: api.QueryLogsRequest, context: Context) -> bytes:
        plan = self._planner.logs(request, self._clock.now_ns())
        return await self._read(context, lambda reading: self._page(plan, LOGS, reading, api.QueryLogsResponse()))

    async def _points(self, request: api.QueryMetricsRequest, context: Context) -> bytes | api.QueryMetricsResponse:
        plan = self._planner.points(request, self._clock.now_ns())
        if plan.step_ns:
            return await self._read(context, lambda reading: self._series(plan, reading))
        return await self._read(context, lambda reading: self._page(plan, POINTS, reading, api.QueryMetricsResponse()))

    async def _names(self, request: api.ListNamesRequest, context: Context) -> api.ListNamesResponse:
        asked = self._planner.names(request, self._clock.now_ns())
        return await self._read(context, lambda reading: NamesSearch(asked, reading, self._scrubbers).run())

    async def _summaries(self, request: api.QuerySpanSummariesRequest, context: Context) -> api.QuerySpanSummariesResponse:
        scrubber = self._scrubbers[Signal.TRACES]
        asked = asked_of(request, self._clock.now_ns(), self._settings.own, scrubber)
        room = self._settings.limits.max_reply_bytes - encode.ENVELOPE_BYTES

        def work(reading: Reading) -> api.QuerySpanSummariesResponse:
            response = Summing(asked, reading, scrubber).run(room)
            self._count_hits(Signal.TRACES)
            return response

        return await self._read(context, work)

    def _page(self, plan: Plan, shape: Shape, reading: Reading, response: encode.Response) -> bytes:
        """One page in wire form, on a reader's thread: scrubbing and encoding cost as much as reading."""
        found = Search(plan, shape, reading, self._scrubbers[plan.signal]).run()
        page = encode.cut(plan, shape, found, self._settings.limits.max_reply_bytes)
        self._count_hits(plan.signal)
        return encode.reply(response, plan, found, page)

    def _series(self, plan: Plan, reading: Reading) -> api.QueryMetricsResponse:
        """Thinned series, on a reader's thread."""
        found = find_series(plan, reading, self._scrubbers[plan.signal])
        self._count_hits(plan.signal)
        response = api.QueryMetricsResponse(
            total_count=found.total, total_is_exact=found.is_exact, warnings=found.warnings, has_more=found.has_more
        )
        room = self._settings.limits.max_reply_bytes - encode.ENVELOPE_BYTES
        for series in found.series:
            room -= series.ByteSize() + encode.FRAMING_BYTES
            if room < 0:
                response.has_more = True
                response.warnings.append("not all series fit into one reply; go on with offset")
                break
            response.series.append(series)
        return response

    def _count_hits(self, signal: Signal) -> None:
        self._instruments.count_scrub_hits(signal, self._scrubbers[signal].take_tally())

    async def _kept(self, context: Context) -> api.GetDataInfoResponse:
        own = tuple(sorted(self._settings.own.names)) or None
        found = await self._read(context, lambda reading: inventory(reading, own, self._scrubbers))
        used = await asyncio.to_thread(self._store.used_bytes)
        rows = sum(segment.rows() for segment in self._store.segments)
        response = api.GetDataInfoResponse(
            agent_id=self._settings.agent_id,
            version=agent.__version__,
            max_bytes=self._store.settings.max_bytes,
            used_bytes=used,
            signals=found.messages(used / rows if rows else 0),
            scrub_rules_hash=self._scrubbers[Signal.TRACES].rules_hash,
            scrub_stage=self._settings.scrub_stage,
            scrub_profile=self._settings.scrub_profile,
            segments_retired_by_age=self._store.retired["age"],
            segments_retired_by_budget=self._store.retired["budget"] + self._store.retired["reserve"],
            warnings=found.warnings,
            instance_id=self._instance_id,
        )
        response.agent_time.FromNanoseconds(self._clock.now_ns())
        response.retention.FromNanoseconds(self._store.settings.retention_ns)
        return response


class _Place:
    """A place among the queries that run; waits for one, but not long."""

    def __init__(self, places: asyncio.Semaphore, instruments: Instruments) -> None:
        self._places = places
        self._instruments = instruments

    async def __aenter__(self) -> None:
        try:
            async with asyncio.timeout(QUEUE_SECONDS):
                await self._places.acquire()
        except TimeoutError as error:
            raise TooManyQueries("as many queries run as this agent allows (query.max_concurrent); ask again") from error
        self._instruments.queries_in_flight.inc()

    async def __aexit__(self, *_: object) -> None:
        self._instruments.queries_in_flight.dec()
        self._places.release()
