"""One agent over gRPC: every call has a deadline, and is made again once where that is safe and fits.

All of TelemetryQuery reads, so a call that found no agent (UNAVAILABLE) may be made again; one that was told when to come again
(RetryInfo) is, at that time.
"""

from __future__ import annotations

import time
from typing import Any

import grpc
import grpc.aio
from coral.agent.v1 import telemetry_query_pb2_grpc as api_grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # no types published
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from colony.endpoint import Endpoint
from colony.instruments import Instruments
from colony.outcome import AgentFailure, Result
from colony.tls import Certificate

LARGEST_REPLY_BYTES = 64 << 20
_RETRY_SECONDS = 0.1
"""A channel that lost its connection has a new one by then, when the agent is there."""

_GOODBYE_SECONDS = 30
"""Calls in flight may still end on a channel whose certificate is outdated."""

_RESULTS = {
    grpc.StatusCode.DEADLINE_EXCEEDED: Result.TIMED_OUT,
    grpc.StatusCode.UNAVAILABLE: Result.UNREACHABLE,
    grpc.StatusCode.CANCELLED: Result.UNREACHABLE,  # a server that stops resets the streams that it has not begun
    grpc.StatusCode.UNIMPLEMENTED: Result.TOO_OLD,
}

_OPTIONS: list[tuple[str, str | int]] = [
    ("grpc.max_receive_message_length", LARGEST_REPLY_BYTES),
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),  # ours know the deadline and are counted
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 10_000),
]


class AgentClient:
    """Asks one agent; without a certificate in plaintext, which only agents of this machine are."""

    def __init__(self, endpoint: Endpoint, certificate: Certificate | None, instruments: Instruments) -> None:
        self.endpoint = endpoint
        self._certificate = certificate
        self._instruments = instruments
        self._generation = 0
        self._channel: grpc.aio.Channel | None = None
        self._stub: Any = None
        self._retired: list[tuple[float, grpc.aio.Channel]] = []

    async def call(self, rpc: str, request: Any, timeout_seconds: float) -> Any:  # noqa: ANN401 generated stubs have no types
        """The response.

        Raises:
            AgentFailure: there is none.
        """
        began = time.monotonic()
        deadline = began + timeout_seconds
        await self._sweep()
        try:
            return await self._retried(rpc, request, deadline)
        except grpc.aio.AioRpcError as error:
            failure = _failure(error)
            self._instruments.agent_failures.labels(rpc, failure.result).inc()
            raise failure from error
        except AgentFailure as failure:
            self._instruments.agent_failures.labels(rpc, failure.result).inc()
            raise
        finally:
            self._instruments.agent_request_seconds.labels(rpc).observe(time.monotonic() - began)

    async def _retried(self, rpc: str, request: Any, deadline: float) -> Any:  # noqa: ANN401 as above
        def again(error: BaseException) -> bool:
            delay = _delay_seconds(error)
            return delay is not None and time.monotonic() + delay < deadline

        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            return (_delay_seconds(error) if error else None) or 0.0

        async for attempt in AsyncRetrying(
            stop=stop_after_attempt(2), retry=retry_if_exception(again), wait=wait, reraise=True
        ):
            with attempt:
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise AgentFailure(Result.TIMED_OUT, "no time was left to ask it")
                return await getattr(self._connected(), rpc)(request, timeout=remaining)
        raise AssertionError("tenacity raises or returns")

    def _connected(self) -> Any:  # noqa: ANN401 generated stubs have no types
        """The stub of a channel with the newest certificate.

        Raises:
            AgentFailure: it would be plaintext to another machine.
        """
        generation = self._certificate.generation if self._certificate else 0
        if self._channel is None or generation != self._generation:
            self._retire()
            self._channel = self._open()
            self._stub = api_grpc.TelemetryQueryStub(self._channel)  # type: ignore[no-untyped-call] # generated
            self._generation = generation
        return self._stub

    def _open(self) -> grpc.aio.Channel:
        if self._certificate is None:
            if not self.endpoint.is_local:
                raise AgentFailure(Result.REFUSED, "this colony asks in plaintext on its own machine only; set agents.tls")
            return grpc.aio.insecure_channel(str(self.endpoint), _OPTIONS)
        options = [*_OPTIONS, ("grpc.ssl_target_name_override", self._certificate.server_name)]
        return grpc.aio.secure_channel(str(self.endpoint), self._certificate.credentials, options)

    def _retire(self) -> None:
        """Let a channel finish what it does."""
        if self._channel is not None:
            self._retired.append((time.monotonic() + _GOODBYE_SECONDS, self._channel))
            self._channel = None

    async def _sweep(self) -> None:
        """Close channels whose time is up."""
        now = time.monotonic()
        due = [channel for until, channel in self._retired if until <= now]
        self._retired = [(until, channel) for until, channel in self._retired if until > now]
        for channel in due:
            await channel.close(None)

    async def close(self) -> None:
        """End the channels; calls in flight fail."""
        self._retire()
        retired, self._retired = self._retired, []
        for _, channel in retired:
            await channel.close(None)


def _delay_seconds(error: BaseException) -> float | None:
    """After how long the call may be made again; None when it may not."""
    if not isinstance(error, grpc.aio.AioRpcError):
        return None
    told = _told_seconds(error)
    if _RESULTS.get(error.code()) is Result.UNREACHABLE:
        return _RETRY_SECONDS if told is None else told
    return told if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED else None


def _told_seconds(error: grpc.aio.AioRpcError) -> float | None:
    """RetryInfo of an answer."""
    trailers: dict[str, Any] = dict(error.trailing_metadata() or ())  # type: ignore[arg-type] # pairs, untyped
    value = trailers.get("google.rpc.retryinfo-bin")
    if not isinstance(value, bytes):
        return None
    try:
        delay = error_details_pb2.RetryInfo.FromString(value).retry_delay
    except DecodeError:
        return None
    return max(0.0, float(delay.seconds + delay.nanos / 1e9))


def _failure(error: grpc.aio.AioRpcError) -> AgentFailure:
    code, said = error.code(), error.details() or ""
    result = _RESULTS.get(code, Result.REFUSED)
    if result is Result.TIMED_OUT:
        return AgentFailure(result, "it did not answer in time")
    return AgentFailure(result, f"{code.name}: {said}" if said else code.name)
