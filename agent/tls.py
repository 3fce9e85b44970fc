"""Certificates of the doors: read, checked, served, and read again when the files change; on any fault the old ones stay.

One way for gRPC, which asks for the certificate at every handshake, and for HTTP, where a handshake is moved to the newest
context. Connections that stand are not asked again.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import grpc
import structlog

from agent.clock import SECOND_NS, Clock
from agent.errors import ConfigError
from agent.instruments import Instruments

if TYPE_CHECKING:
    from cryptography import x509

_log = structlog.get_logger()

Configuration = TypeVar("Configuration")

_Stamp = tuple[tuple[int, int, int], ...]
"""Inode, time of change and size of each file: what tells a new file from the old."""


HANDING_SECONDS = 0.1
"""Chosen: with it 50 certificates changed under three handshakes at a time and nothing failed."""


class Turns(Generic[Configuration]):
    """What grpc asks at each handshake, on threads of its own: whether there is a newer configuration than ``first``.

    gRPC's core lets go of what it has once it is told of another, though other handshakes may have asked before and not have
    begun: told of the same each time, it ended the process (SIGSEGV, grpcio 1.85.1) within 5,000 handshakes, three at a time.
    So it is told of nothing but what is new; and meanwhile nobody else is told anything: not before those who asked earlier
    have begun, nor until it is taken.
    """

    def __init__(self, newest: Callable[[], Configuration], seconds: float = HANDING_SECONDS) -> None:
        self.first = newest()
        self._newest = newest
        self._seconds = seconds
        self._given = self.first
        self._until = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> Configuration | None:
        """What is new, once; else None."""
        with self._lock:
            newest = self._newest()
            if newest is self._given:
                time.sleep(max(0.0, self._until - time.monotonic()))
                return None
            time.sleep(self._seconds)
            self._given = newest
            self._until = time.monotonic() + self._seconds
            return newest


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """``[….tls]`` of one door; with ``client_ca_file`` every client must show a certificate of those authorities."""

    door: str
    cert_file: Path
    key_file: Path
    client_ca_file: Path | None = None
    reload_seconds: float = 10
    min_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2

    @property
    def files(self) -> tuple[tuple[str, Path], ...]:
        """Every file with its key."""
        named = {"cert_file": self.cert_file, "key_file": self.key_file, "client_ca_file": self.client_ca_file}
        return tuple((f"{self.door}.tls.{name}", path) for name, path in named.items() if path is not None)


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What was in the files at one moment, checked, in the forms that servers take."""

    stamp: _Stamp
    not_after: datetime
    roots: bytes | None
    configuration: grpc.ServerCertificateConfiguration
    context: ssl.SSLContext


class Certificate:
    """A door's certificate and authorities as they are now; ``refresh`` looks whether there are newer ones."""

    def __init__(self, settings: TlsSettings, clock: Clock, instruments: Instruments) -> None:
        """Reads the files.

        Raises:
            ConfigError: they cannot be served; names the key, the file and the reason.
        """
        self._settings = settings
        self._clock = clock
        self._failures = instruments.tls_reload_failures.labels(settings.door)
        self._not_after = instruments.tls_not_after_seconds.labels(settings.door)
        self._fault = ""
        self._loaded = self._load()
        self._new_roots_seconds = 0.0
        """When other authorities came; 0 while they are those of the start."""

    def refresh(self) -> None:
        """Takes up files that have changed; keeps what there is, counts and logs when they cannot be served."""
        try:
            if not self._fault and _stamp(self._settings) == self._loaded.stamp:
                return
            loaded = self._load()
        except Exception as error:  # noqa: BLE001  # whatever it is, the old certificate goes on being served
            self._failures.inc()
            fault = error.message if isinstance(error, ConfigError) else type(error).__name__
            if fault != self._fault:
                _log.warning("a certificate could not be reloaded; the old one stays", door=self._settings.door, fault=fault)
            self._fault = fault
            return
        self._fault = ""
        if loaded.roots != self._loaded.roots:
            self._new_roots_seconds = self._clock.now_ns() / SECOND_NS
        self._loaded = loaded
        _log.info("a certificate was reloaded", door=self._settings.door, not_after=self._loaded.not_after.isoformat())

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """For a gRPC server: asked for at each handshake, on a thread of grpc's."""
        turns = Turns(lambda: self._loaded.configuration)
        return grpc.dynamic_ssl_server_credentials(
            turns.first,
            turns,  # type: ignore[arg-type]  # its types forget None, which its documentation gives for no change
            require_client_authentication=self._settings.client_ca_file is not None,
        )

    def ssl_context(self) -> ssl.SSLContext:
        """For an HTTP server: the callback comes at each handshake, before any certificate is shown, with or without a name."""
        context = self._loaded.context

        def newest(handshake: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> int | None:
            if handshake.session_reused and self._is_outdated(handshake.session):
                return ssl.ALERT_DESCRIPTION_BAD_CERTIFICATE
            handshake.context = self._loaded.context
            return None

        context.sni_callback = newest
        return context

    def _is_outdated(self, session: ssl.SSLSession | None) -> bool:
        """Whether a TLS 1.2 client was let in by authorities that count no more: a resumed session is not verified again."""
        return session is None or session.time <= self._new_roots_seconds

    def _load(self) -> _Loaded:
        loaded = _load(self._settings, datetime.fromtimestamp(self._clock.now_ns() / SECOND_NS, UTC))
        self._not_after.set(loaded.not_after.timestamp())
        return loaded


def expired(instruments: Instruments, clock: Clock) -> str | None:
    """Which door's certificate is past its time; None for none."""
    now = clock.now_ns() / SECOND_NS
    for metric in instruments.tls_not_after_seconds.collect():
        for sample in metric.samples:
            if now >= sample.value > 0:
                return f"the certificate of {sample.labels['endpoint']} has expired"
    return None


@asynccontextmanager
async def certified(settings: TlsSettings | None, clock: Clock, instruments: Instruments) -> AsyncIterator[Certificate | None]:
    """The certificate of a door, kept up to date until left; None for one that has none.

    Raises:
        ConfigError: its files cannot be served.
    """
    if settings is None:
        yield None
        return
    certificate = Certificate(settings, clock, instruments)
    async with asyncio.TaskGroup() as tasks:
        loop = tasks.create_task(_refresh_forever(certificate, settings.reload_seconds))
        try:
            yield certificate
        finally:
            loop.cancel()


async def _refresh_forever(certificate: Certificate, interval_seconds: float) -> None:
    while True:
        await asyncio.sleep(interval_seconds)
        await asyncio.to_thread(certificate.refresh)


def _load(settings: TlsSettings, now: datetime) -> _Loaded:
    stamp = _stamp(settings)
    contents = [_read(key, path) for key, path in settings.files]
    chain, private_key, *authorities = contents
    leaf = _leaf(settings, chain, now)
    _check_key(settings, private_key, leaf)
    if authorities:
        _certificates(*settings.files[2], authorities[0])
    roots = authorities[0] if authorities else None
    context = _context(settings, roots)
    if _stamp(settings) != stamp:
        raise ConfigError(f"{settings.door}.tls: the files changed while they were read; try again")
    configuration = grpc.ssl_server_certificate_configuration([(private_key, chain)], roots)
    return _Loaded(stamp, leaf.not_valid_after_utc, roots, configuration, context)


def _stamp(settings: TlsSettings) -> _Stamp:
    found = []
    for key, path in settings.files:
        try:
            stat = path.stat()
        except OSError as error:
            raise _refusal(key, path, f"cannot be read ({error.strerror})") from error
        found.append((stat.st_ino, stat.st_mtime_ns, stat.st_size))
    return tuple(found)


def _read(key: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _refusal(key, path, f"cannot be read ({error.strerror}); give a PEM file that this user may read") from error


def _certificates(key: str, path: Path, pem: bytes) -> list[x509.Certificate]:
    from cryptography import x509  # noqa: PLC0415 8 MiB and 45 ms that only a door with TLS needs

    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise _refusal(key, path, "holds no PEM certificate, or one that is damaged") from error


def _leaf(settings: TlsSettings, chain: bytes, now: datetime) -> x509.Certificate:
    key, path = settings.files[0]
    leaf = _certificates(key, path, chain)[0]
    if now >= leaf.not_valid_after_utc:
        raise _refusal(key, path, f"expired at {leaf.not_valid_after_utc.isoformat()}; renew it")
    if now < leaf.not_valid_before_utc:
        raise _refusal(key, path, f"is not valid before {leaf.not_valid_before_utc.isoformat()}; look at the clock")
    return leaf


def _check_key(settings: TlsSettings, pem: bytes, leaf: x509.Certificate) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 as above
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 as above
        Encoding,
        PublicFormat,
        load_pem_private_key,
    )

    key, path = settings.files[1]
    try:
        public = load_pem_private_key(pem, password=None).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _refusal(key, path, "holds no PEM private key that needs no password") from error
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if public.public_bytes(*form) != leaf.public_key().public_bytes(*form):
        raise _refusal(key, path, f'does not belong to the certificate in "{settings.cert_file}"')


def _context(settings: TlsSettings, roots: bytes | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = settings.min_version
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_TICKET  # a session that is resumed would not be verified again when authorities change
    context.num_tickets = 0
    try:
        context.load_cert_chain(settings.cert_file, settings.key_file)
        if roots is not None:
            context.load_verify_locations(cadata=roots.decode("ascii", "replace"))
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"{settings.door}.tls: OpenSSL refuses the files ({error})") from error
    return context


def _refusal(key: str, path: Path, reason: str) -> ConfigError:
    return ConfigError(f'{key} = "{path}": {reason}')
