"""The certificate that the colony shows to agents: read, checked, and read again when the files change.

On any fault the old one stays. A channel that stands keeps its certificate; new ones are made with the newest.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import grpc
import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from colony.clock import SECOND_NS, Clock
from colony.errors import ConfigError
from colony.instruments import Instruments

_log = structlog.get_logger()

_Stamp = tuple[tuple[int, int, int], ...]
"""Inode, time of change and size of each file: what tells a new file from the old."""


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """``[agents.tls]``."""

    cert_file: Path
    key_file: Path
    ca_file: Path
    server_name: str
    reload_seconds: float = 10


@dataclass(frozen=True, slots=True)
class _Loaded:
    stamp: _Stamp
    not_after: datetime
    credentials: grpc.ChannelCredentials


class Certificate:
    """What to connect with now; ``generation`` grows when that changes."""

    def __init__(self, settings: TlsSettings, clock: Clock, instruments: Instruments) -> None:
        """Reads the files.

        Raises:
            ConfigError: they cannot be used; names the key, the file and the reason.
        """
        self._settings = settings
        self._clock = clock
        self._instruments = instruments
        self._fault = ""
        self._loaded = self._load()
        self.generation = 1

    @property
    def server_name(self) -> str:
        """The name that agents' certificates have."""
        return self._settings.server_name

    @property
    def credentials(self) -> grpc.ChannelCredentials:
        """For a new channel."""
        return self._loaded.credentials

    def refresh(self) -> None:
        """Takes up files that have changed; keeps what there is, counts and logs when they cannot be used."""
        try:
            if not self._fault and self._stamp() == self._loaded.stamp:
                return
            self._loaded = self._load()
        except Exception as error:  # noqa: BLE001  # whatever it is, the old certificate goes on being used
            self._instruments.tls_reload_failures.inc()
            fault = error.message if isinstance(error, ConfigError) else type(error).__name__
            if fault != self._fault:
                _log.warning("the certificate could not be reloaded; the old one stays", fault=fault)
            self._fault = fault
            return
        self._fault = ""
        self.generation += 1
        _log.info("the certificate was reloaded", not_after=self._loaded.not_after.isoformat())

    def _load(self) -> _Loaded:
        stamp = self._stamp()
        chain, key, roots = (self._read(name) for name in ("cert_file", "key_file", "ca_file"))
        leaf = self._certificate("cert_file", chain)
        self._certificate("ca_file", roots)
        self._check_times(leaf)
        self._check_key(key, leaf)
        if self._stamp() != stamp:
            raise ConfigError("agents.tls: the files changed while they were read; try again")
        self._instruments.tls_not_after_seconds.set(leaf.not_valid_after_utc.timestamp())
        return _Loaded(stamp, leaf.not_valid_after_utc, grpc.ssl_channel_credentials(roots, key, chain))

    def _stamp(self) -> _Stamp:
        found = []
        for name in ("cert_file", "key_file", "ca_file"):
            try:
                stat = self._path(name).stat()
            except OSError as error:
                raise self._refusal(name, f"cannot be read ({error.strerror})") from error
            found.append((stat.st_ino, stat.st_mtime_ns, stat.st_size))
        return tuple(found)

    def _path(self, name: str) -> Path:
        path: Path = getattr(self._settings, name)
        return path

    def _read(self, name: str) -> bytes:
        try:
            return self._path(name).read_bytes()
        except OSError as error:
            raise self._refusal(name, f"cannot be read ({error.strerror})") from error

    def _certificate(self, name: str, pem: bytes) -> x509.Certificate:
        try:
            return x509.load_pem_x509_certificates(pem)[0]
        except ValueError as error:
            raise self._refusal(name, "holds no PEM certificate, or one that is damaged") from error

    def _check_times(self, leaf: x509.Certificate) -> None:
        now = datetime.fromtimestamp(self._clock.now_ns() / SECOND_NS, UTC)
        if now >= leaf.not_valid_after_utc:
            raise self._refusal("cert_file", f"expired at {leaf.not_valid_after_utc.isoformat()}; renew it")
        if now < leaf.not_valid_before_utc:
            raise self._refusal("cert_file", f"is not valid before {leaf.not_valid_before_utc.isoformat()}; look at the clock")

    def _check_key(self, pem: bytes, leaf: x509.Certificate) -> None:
        try:
            public = load_pem_private_key(pem, password=None).public_key()
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise self._refusal("key_file", "holds no PEM private key that needs no password") from error
        form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if public.public_bytes(*form) != leaf.public_key().public_bytes(*form):
            raise self._refusal("key_file", f'does not belong to the certificate in "{self._settings.cert_file}"')

    def _refusal(self, name: str, reason: str) -> ConfigError:
        return ConfigError(f'agents.tls.{name} = "{self._path(name)}": {reason}')


@asynccontextmanager
async def certified(settings: TlsSettings | None, clock: Clock, instruments: Instruments) -> AsyncIterator[Certificate | None]:
    """The certificate, kept up to date until left; None without settings.

    Raises:
        ConfigError: its files cannot be used.
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
