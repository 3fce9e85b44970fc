"""The composition root: opens every room from the store outward, closes from the doors inward."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from ssl import TLSVersion

from prometheus_client import CollectorRegistry

from agent import schema
from agent.admin import serving_admin
from agent.batch import Decoded, Export, Signal
from agent.clock import SECOND_NS, Clock, SystemClock
from agent.config.model import Config, QueryTls
from agent.config.otlp import Tls
from agent.decode.group import Decoder
from agent.decode.logs import log_decoder
from agent.decode.points import point_decoder
from agent.decode.senders import bytes_by_service
from agent.decode.spans import span_decoder
from agent.endpoint import Endpoint
from agent.health import Health, living
from agent.instruments import Instruments
from agent.log import set_up_logging
from agent.query.door import querying, querying_locally
from agent.query.plan import Limits
from agent.query.service import TelemetryQuery
from agent.query.settings import QuerySettings
from agent.receive.admission import Admission
from agent.receive.cors import CorsSettings
from agent.receive.http_connection import ConnectionLimits
from agent.receive.otlp_grpc import GrpcSettings, Keepalive, serving_otlp_grpc
from agent.receive.otlp_http import HttpSettings, serving_otlp_http
from agent.receive.receiver import Receiver
from agent.reload import Reload, reloading
from agent.scrub.batches import scrubbing
from agent.scrub.scrubber import Scrubber
from agent.scrub.settings import hmac_key, key_file, settings_of
from agent.services import CurrentServices, OwnServices
from agent.store.duplicates import RecentRequests
from agent.store.flusher import flushing
from agent.store.grounds import StoreSettings
from agent.store.opening import open_store
from agent.store.reader import reading
from agent.store.retention import retiring
from agent.store.shares import sharing
from agent.store.store import Store
from agent.store.watch import watching
from agent.store.writer import Decode, Writer, writing
from agent.tls import Certificate, TlsSettings, certified, expired


@dataclass(frozen=True, slots=True)
class Listening:
    """The bound address of every door; empty for one that stays shut."""

    otlp_grpc: str
    otlp_http: str
    query: str
    admin: str
    query_local: str = ""


async def run(
    config: Config,
    stop: asyncio.Event,
    ready: Callable[[Listening], None],
    clock: Clock | None = None,
    reload: Reload | None = None,
    alive: Callable[[], None] = lambda: None,
) -> None:
    """Open the house from the store outward; close it from the doors inward when ``stop`` is set.

    Raises:
        ConfigError: something cannot be had: an address, the data directory, a certificate.
    """
    instruments = Instruments(CollectorRegistry())
    services = CurrentServices(OwnServices.of(config.agent.services))
    clock = clock or SystemClock()
    with open_store(store_settings(config), clock, instruments) as (store, recent):
        scrubbers = _scrubbers(config)
        async with AsyncExitStack() as house:
            enter = house.enter_async_context
            flusher = await enter(flushing(store))
            decoders = _decoders(config, services, scrubbers, instruments)
            writer = await enter(_writing(config, store, decoders, recent, instruments))
            await enter(retiring(store, flusher, instruments))
            await enter(watching(store))
            reader = await enter(reading(store, config.query.max_concurrent))
            service = TelemetryQuery(_query_settings(config, services.own), store, reader, scrubbers, instruments)
            query, local = await enter(_answering(config, service, clock, instruments))
            threads = {"writer": writer.thread, "flusher": flusher.thread}
            health = Health(threads, writer.stuck_seconds, [store.reason, lambda: expired(instruments, clock)])
            await enter(reloading(reload, partial(_apply, services, service, scrubbers), instruments))
            await enter(living(health, instruments, alive))
            admin = await enter(serving_admin(config.admin.endpoint, instruments, health.fault, health.dead))
            receiver = _receiver(config, writer, instruments)
            otlp_grpc = await enter(_receiving_grpc(config, receiver, clock, instruments))
            otlp_http = await enter(_receiving_http(config, receiver, clock, instruments))
            health.is_open = True
            ready(Listening(otlp_grpc, otlp_http, query, admin, local))
            await stop.wait()
            health.is_open = False


@asynccontextmanager
async def _writing(
    config: Config, store: Store, decoders: Mapping[Signal, Decode], recent: RecentRequests, instruments: Instruments
) -> AsyncIterator[Writer]:
    """The writer, and what services may take of the disk."""
    async with (
        sharing(store, bytes_by_service, config.store.max_service_percent) as shares,
        writing(store, decoders, recent, instruments, shares) as writer,
    ):
        yield writer


@asynccontextmanager
async def _answering(
    config: Config, service: TelemetryQuery, clock: Clock, instruments: Instruments
) -> AsyncIterator[tuple[str, str]]:
    """TelemetryQuery; yields its address and that of the operator's socket, an empty one when there is none."""
    async with _certified("query", config.query.tls, clock, instruments) as certificate:
        credentials = None if certificate is None else certificate.grpc_credentials()
        async with (
            querying(service, config.query.endpoint, credentials) as address,
            querying_locally(service, config.query.local_endpoint) as local,
        ):
            yield address, local


def _scrubbers(config: Config) -> dict[Signal, Scrubber]:
    key = hmac_key(key_file(config))
    return {signal: Scrubber(settings_of(config), key, signal) for signal in Signal}


def _apply(services: CurrentServices, service: TelemetryQuery, scrubbers: dict[Signal, Scrubber], config: Config) -> None:
    """What a running agent takes from a new configuration; all of it or nothing."""
    scrubbers.update(_scrubbers(config))
    services.own = OwnServices.of(config.agent.services)
    service.configure(_query_settings(config, services.own), scrubbers)
    set_up_logging(config.log)


@asynccontextmanager
async def _receiving_grpc(config: Config, receiver: Receiver, clock: Clock, instruments: Instruments) -> AsyncIterator[str]:
    """OTLP over gRPC; yields its address, an empty one when it is off."""
    grpc = config.otlp.grpc
    if grpc.endpoint.is_off:
        yield ""
        return
    settings = GrpcSettings(
        endpoint=grpc.endpoint,
        max_recv_msg_size_mib=grpc.max_recv_msg_size_mib,
        max_reading_bytes=config.limits.queue_bytes.bytes,
        max_concurrent_streams=grpc.max_concurrent_streams,
        keepalive=Keepalive(
            time_seconds=grpc.keepalive.time.seconds,
            timeout_seconds=grpc.keepalive.timeout.seconds,
            min_time_seconds=grpc.keepalive.min_time.seconds,
            permit_without_stream=grpc.keepalive.permit_without_stream,
            max_connection_age_seconds=grpc.keepalive.max_connection_age.seconds,
            max_connection_age_grace_seconds=grpc.keepalive.max_connection_age_grace.seconds,
        ),
    )
    async with (
        _certified("otlp.grpc", grpc.tls, clock, instruments) as certificate,
        serving_otlp_grpc(settings, receiver, tuple(schema.TABLES), certificate) as port,
    ):
        yield str(_bound(grpc.endpoint, port))


@asynccontextmanager
async def _receiving_http(config: Config, receiver: Receiver, clock: Clock, instruments: Instruments) -> AsyncIterator[str]:
    """OTLP over HTTP; yields its address, an empty one when it is off."""
    http = config.otlp.http
    if http.endpoint.is_off:
        yield ""
        return
    settings = HttpSettings(
        endpoint=http.endpoint,
        max_request_body_size=http.max_request_body_size.bytes,
        max_reading_bytes=config.limits.queue_bytes.bytes,
        paths={
            Signal.TRACES: http.traces_url_path,
            Signal.METRICS: http.metrics_url_path,
            Signal.LOGS: http.logs_url_path,
        },
        cors=CorsSettings(http.cors.allowed_origins, http.cors.allowed_headers, round(http.cors.max_age.seconds)),
        connections=ConnectionLimits(max_age_seconds=http.max_connection_age.seconds),
    )
    async with (
        _certified("otlp.http", http.tls, clock, instruments) as certificate,
        serving_otlp_http(settings, receiver, tuple(schema.TABLES), certificate) as port,
    ):
        yield str(_bound(http.endpoint, port))


def _certified(
    door: str, tls: Tls | QueryTls | None, clock: Clock, instruments: Instruments
) -> AbstractAsyncContextManager[Certificate | None]:
    if tls is None:
        return certified(None, clock, instruments)
    settings = TlsSettings(
        door=door,
        cert_file=tls.cert_file,
        key_file=tls.key_file,
        client_ca_file=tls.client_ca_file,
        reload_seconds=tls.reload_interval.seconds,
        min_version=tls.version if isinstance(tls, Tls) else TLSVersion.TLSv1_2,
    )
    return certified(settings, clock, instruments)


def _receiver(config: Config, writer: Writer, instruments: Instruments) -> Receiver:
    limits = config.limits
    return Receiver(
        writer,
        Admission(limits.queue_bytes.bytes),
        instruments,
        max_records=limits.max_records,
        max_record_bytes=limits.max_record_bytes.bytes,
    )


def _bound(endpoint: Endpoint, port: int) -> Endpoint:
    return endpoint if endpoint.unix_path else Endpoint(endpoint.host, port)


def _decoders(
    config: Config, services: CurrentServices, scrubbers: Mapping[Signal, Scrubber], instruments: Instruments
) -> dict[Signal, Decode]:
    """How each signal is decoded, and scrubbed at once when it may not be stored as it came."""

    def decode(decoder: Decoder) -> Decode:
        if config.scrub.stage != "ingest":
            return decoder.decode
        signal = decoder.signal

        def decode_scrubbed(exports: Sequence[Export], now_ns: int) -> Decoded:
            scrubber = scrubbers[signal]  # SIGHUP brings another

            def count() -> None:
                instruments.count_scrub_hits(signal, scrubber.take_tally())

            return scrubbing(decoder.decode, scrubber, count)(exports, now_ns)

        return decode_scrubbed

    most = config.limits.max_attributes
    makers = (span_decoder, log_decoder, point_decoder)
    return {decoder.signal: decode(decoder) for decoder in (make(services.owns, most) for make in makers)}


def store_settings(config: Config) -> StoreSettings:
    """What the store needs of a configuration."""
    store = config.store
    return StoreSettings(
        directory=store.dir,
        retention_ns=store.retention.ns,
        segment_ns=store.segment.ns,
        max_bytes=store.max_bytes.bytes,
        min_free_bytes=store.min_free_bytes.bytes,
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
        scrub_stage=config.scrub.stage,
        allowed_peers=None if query.tls is None else tuple(query.allowed_peers),
        max_concurrent=query.max_concurrent,
        max_duration_seconds=query.max_duration.ns / SECOND_NS,
    )
