"""The composition root: opens every room from the store outward, closes from the doors inward."""

from __future__ import annotations

import asyncio
import os
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from prometheus_client import CollectorRegistry

from agent import schema
from agent.admin import serving_admin
from agent.batch import Signal
from agent.clock import SECOND_NS, Clock, SystemClock
from agent.config.model import Config
from agent.decode.logs import log_decoder
from agent.decode.points import point_decoder
from agent.decode.spans import span_decoder
from agent.endpoint import Endpoint
from agent.errors import ConfigError
from agent.instruments import Instruments
from agent.query.door import querying
from agent.query.plan import Limits
from agent.query.service import TelemetryQuery
from agent.query.settings import QuerySettings
from agent.receive.admission import Admission
from agent.receive.otlp_grpc import GrpcSettings, Keepalive, serving_otlp_grpc
from agent.receive.otlp_http import HttpSettings, serving_otlp_http
from agent.receive.receiver import Receiver
from agent.scrub.rules import ScrubSettings
from agent.scrub.scrubber import Scrubber
from agent.services import OwnServices
from agent.store.flusher import flushing
from agent.store.opening import open_store
from agent.store.reader import reading
from agent.store.retention import retiring
from agent.store.store import StoreSettings
from agent.store.writer import Decode, Writer, writing
from agent.tls import mutual_credentials


@dataclass(frozen=True, slots=True)
class Listening:
    """The bound address of every door."""

    otlp_grpc: str
    otlp_http: str
    query: str
    admin: str


@dataclass(slots=True)
class Health:
    """Whether the agent takes and answers requests: its doors are open and its threads run."""

    threads: Mapping[str, threading.Thread]
    is_open: bool = False

    def fault(self) -> str | None:
        """Why it does not; None when it does."""
        dead = [name for name, thread in self.threads.items() if not thread.is_alive()]
        if dead:
            return f"the {dead[0]} has stopped"
        return None if self.is_open else "starting or draining"


async def run(config: Config, stop: asyncio.Event, ready: Callable[[Listening], None], clock: Clock | None = None) -> None:
    """Open the house from the store outward; close it from the doors inward when ``stop`` is set.

    Raises:
        ConfigError: something cannot be had: an address, the data directory, a certificate.
    """
    instruments = Instruments(CollectorRegistry())
    own = OwnServices.of(config.agent.services)
    with open_store(_store_settings(config), clock or SystemClock(), instruments) as (store, recent):
        key = _hmac_key(config)
        scrubbers = {signal: Scrubber(_scrub_settings(config), key) for signal in Signal}
        async with AsyncExitStack() as house:
            flusher = await house.enter_async_context(flushing(store))
            decoders: dict[Signal, Decode] = {
                decoder.signal: decoder.decode
                for decoder in (span_decoder(own.owns), log_decoder(own.owns), point_decoder(own.owns))
            }
            writer = await house.enter_async_context(writing(store, decoders, recent, instruments))
            await house.enter_async_context(retiring(store, flusher, instruments))
            reader = await house.enter_async_context(reading(store, config.query.max_concurrent))
            service = TelemetryQuery(_query_settings(config, own), store, reader, scrubbers, instruments)
            query = await house.enter_async_context(querying(service, config.query.endpoint, _query_credentials(config)))
            health = Health({"writer": writer.thread, "flusher": flusher.thread})
            admin = await house.enter_async_context(serving_admin(config.admin.endpoint, instruments, health.fault))
            otlp_grpc, otlp_http = await house.enter_async_context(_receiving(config, writer, instruments))
            health.is_open = True
            ready(Listening(otlp_grpc, otlp_http, query, admin))
            await stop.wait()
            health.is_open = False


@asynccontextmanager
async def _receiving(config: Config, writer: Writer, instruments: Instruments) -> AsyncIterator[tuple[str, str]]:
    """Both OTLP doors over one Receiver; yields their addresses."""
    receiver = Receiver(writer, Admission(config.limits.queue_bytes.bytes), instruments, max_records=config.limits.max_records)
    otlp, signals = config.otlp, tuple(schema.TABLES)
    grpc_settings = GrpcSettings(
        endpoint=otlp.grpc.endpoint,
        max_recv_msg_size_mib=otlp.grpc.max_recv_msg_size_mib,
        max_concurrent_streams=otlp.grpc.max_concurrent_streams,
        keepalive=Keepalive(
            time_seconds=otlp.grpc.keepalive.time.seconds,
            timeout_seconds=otlp.grpc.keepalive.timeout.seconds,
            min_time_seconds=otlp.grpc.keepalive.min_time.seconds,
            permit_without_stream=otlp.grpc.keepalive.permit_without_stream,
        ),
    )
    http_settings = HttpSettings(otlp.http.endpoint, otlp.http.max_request_body_size.bytes)
    async with (
        serving_otlp_grpc(grpc_settings, receiver, signals) as grpc_port,
        serving_otlp_http(http_settings, receiver, signals) as http_port,
    ):
        yield str(_bound(otlp.grpc.endpoint, grpc_port)), str(_bound(otlp.http.endpoint, http_port))


def _bound(endpoint: Endpoint, port: int) -> Endpoint:
    return endpoint if endpoint.unix_path else Endpoint(endpoint.host, port)


def _store_settings(config: Config) -> StoreSettings:
    store = config.store
    return StoreSettings(
        directory=store.dir,
        retention_ns=store.retention.ns,
        segment_ns=store.segment.ns,
        max_bytes=store.max_bytes.bytes,
        memory_limit_bytes=store.memory_limit.bytes,
        threads=store.threads,
    )


def _query_settings(config: Config, own: OwnServices) -> QuerySettings:
    query = config.query
    return QuerySettings(
        agent_id=config.agent.id,
        own=own,
        limits=Limits(query.default_window.ns, query.max_limit, query.max_reply_bytes.bytes),
        scrub_profile=config.scrub.profile,
        allowed_peers=None if query.tls is None else tuple(query.allowed_peers),
        max_concurrent=query.max_concurrent,
        max_duration_seconds=query.max_duration.ns / SECOND_NS,
    )


def _query_credentials(config: Config) -> grpc.ServerCredentials | None:
    tls = config.query.tls
    return None if tls is None else mutual_credentials("query.tls", tls.cert_file, tls.key_file, tls.client_ca_file)


def _scrub_settings(config: Config) -> ScrubSettings:
    return ScrubSettings(config.scrub.profile, frozenset(config.scrub.allow_keys))


def _hmac_key(config: Config) -> bytes:
    """The key of pseudonyms: the configured file's, else one made once in the data directory.

    Raises:
        ConfigError: the configured file cannot be read or is too short.
    """
    path = config.scrub.hmac_key_file
    if path is None:
        path = config.store.dir / "hmac.key"
        if not path.exists():
            _write_private(path, secrets.token_bytes(32))
    try:
        key = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"scrub.hmac_key_file: cannot read {path} ({error.strerror})") from error
    if len(key) < 16:
        raise ConfigError(f"scrub.hmac_key_file: {path} holds {len(key)} bytes; a key has at least 16")
    return key


def _write_private(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
