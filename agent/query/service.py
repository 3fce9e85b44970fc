"""The TelemetryQuery servicer: authorise, plan, read, scrub, encode."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import grpc
import structlog
from coral.agent.v1 import telemetry_query_pb2 as api
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

import agent
from agent import rpc as agent_rpc
from agent.batch import Signal
from agent.clock import Clock
from agent.errors import Denied, InvalidQuery
from agent.identity import Door
from agent.instruments import Instruments
from agent.query import encode
from agent.query.denials import Denials
from agent.query.kept import inventory
from agent.query.logs import LOGS
from agent.query.names import NamesSearch
from agent.query.places import Places
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

Result = TypeVar("Result")
Context = grpc.aio.ServicerContext[Any, Any]

_log = structlog.get_logger()


Work = Callable[[Any, Context], Awaitable["bytes | Message"]]
"""Answers one parsed request."""

LOCAL = "local"
"""The peer at the local endpoint; no SPIFFE id is like it."""


class TelemetryQuery:
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
        self._denials = Denials(instruments)
        self._places = Places(settings.max_concurrent)
        self._works: dict[str, Work] = {
            "QuerySpans": self._spans,
            "QueryLogs": self._logs,
            "QueryMetrics": self._points,
            "QuerySpanSummaries": self._summaries,
            "ListNames": self._names,
            "GetDataInfo": self._kept,
        }
        self.configure(settings, scrubbers)

    def configure(self, settings: QuerySettings, scrubbers: Mapping[Signal, Scrubber]) -> None:
        """Answer by these from the next query on."""
        self._settings = settings
        self._scrubbers = scrubbers
        self._planner = Planner(settings.limits, settings.own, scrubbers)
        self._door = Door(settings.allowed_peers)
        self._instance_id = uuid.uuid4().hex
        self._places.resize(settings.max_concurrent)

    async def answer(self, rpc: str, payload: bytes, context: Context, *, local: bool) -> bytes:
        """Authorise, find a place, parse, answer; every error becomes a status, every call is measured.

        Args:
            rpc: the method; one that does not exist is only said so to those who may ask.
            payload: the request in wire form.
            context: the call's.
            local: whether it came by the local endpoint, where the file system says who may ask.
        """
        began = time.monotonic()
        code = grpc.StatusCode.OK
        try:
            peer = LOCAL if local else self._admitted(context)
            async with self._place(peer):
                request = _REQUESTS[rpc]()
                _parse(request, payload)
                reply = await self._works[rpc](request, context)
                return reply if isinstance(reply, bytes) else reply.SerializeToString()
        except asyncio.CancelledError:
            code = grpc.StatusCode.CANCELLED
            raise
        except Exception as error:  # noqa: BLE001 no error may reach grpc, which would send its text
            code = error_status(error).grpc_code
            if code is grpc.StatusCode.UNAVAILABLE:
                _log.error("a query failed", rpc=rpc, exc_info=error)
            await agent_rpc.abort(context, error)
        finally:
            self._instruments.query_seconds.labels(rpc, code.name).observe(time.monotonic() - began)

    async def refuse(self, context: Context, *, local: bool) -> None:
        """What a method that does not exist answers: strangers hear the one fixed text."""
        try:
            if not local:
                self._admitted(context)
        except Denied as error:
            await agent_rpc.abort(context, error)
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "this agent has no such method")

    def _admitted(self, context: Context) -> str:
        """Who asks; empty where nobody is told apart.

        Raises:
            Denied: it may not.
        """
        identities = list(context.auth_context().get("peer_spiffe_id", ()))
        if not self._door.admits(identities):
            self._denials.add(identities)
            raise Denied("this peer may not query this agent")
        return identities[0].decode() if identities else ""

    @asynccontextmanager
    async def _place(self, peer: str) -> AsyncIterator[None]:
        async with self._places.place(peer):
            with self._instruments.queries_in_flight.track_inprogress():
                yield

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
        return await self._read(context, lambda reading: NamesSearch(asked, reading, self._scrubbers).run(self._room()))

    async def _summaries(self, request: api.QuerySpanSummariesRequest, context: Context) -> api.QuerySpanSummariesResponse:
        scrubber = self._scrubbers[Signal.TRACES]
        asked = asked_of(request, self._clock.now_ns(), self._settings.own, scrubber)
        room = self._room()

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
        room = self._room()
        for series in found.series:
            room -= series.ByteSize() + encode.FRAMING_BYTES
            if room < 0:
                response.has_more = True
                response.warnings.append("not all series fit into one reply; go on with offset")
                break
            response.series.append(series)
        return response

    def _room(self) -> int:
        """Bytes that the rows of a reply may take."""
        return self._settings.limits.max_reply_bytes - encode.ENVELOPE_BYTES

    def _count_hits(self, signal: Signal) -> None:
        self._instruments.count_scrub_hits(signal, self._scrubbers[signal].take_tally())

    async def _kept(self, _: api.GetDataInfoRequest, context: Context) -> api.GetDataInfoResponse:
        own = tuple(sorted(self._settings.own.names)) or None
        found = await self._read(context, lambda reading: inventory(reading, own, self._scrubbers))
        used = await asyncio.to_thread(self._store.used_bytes)
        rows = sum(segment.rows() for segment in self._store.segments)
        response = api.GetDataInfoResponse(
            agent_id=self._settings.agent_id,
            version=agent.__version__,
            max_bytes=self._store.settings.max_bytes,
            used_bytes=used,
            signals=found.messages(used / rows if rows else 0, self._room()),
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


_REQUESTS: dict[str, type[Message]] = {
    method.name: GetMessageClass(method.input_type) for method in api.DESCRIPTOR.services_by_name["TelemetryQuery"].methods
}


def _parse(request: Message, payload: bytes) -> None:
    try:
        request.ParseFromString(payload)
    except DecodeError as error:
        raise InvalidQuery(f"the request is no {type(request).__name__} in protobuf") from error
