"""Throw-away certificates in files, as operators have them, and what clients need to meet them."""

from __future__ import annotations

import datetime as dt
import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc
import trustme


@dataclass(frozen=True)
class Files:
    """The three files of a ``tls`` table."""

    cert_file: Path
    key_file: Path
    client_ca_file: Path

    def write(self, authority: trustme.CA, clients: trustme.CA | None = None, *, days: int = 1) -> None:
        """A new certificate for this machine by ``authority``; ``clients`` (else the same) is whose clients count."""
        issued = authority.issue_cert("localhost", "127.0.0.1", not_after=after(days), not_before=after(min(days, 0) - 1))
        replace(self.cert_file, b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        replace(self.key_file, issued.private_key_pem.bytes())
        replace(self.client_ca_file, (clients or authority).cert_pem.bytes())


def after(days: int) -> dt.datetime:
    return dt.datetime.now(dt.UTC) + dt.timedelta(days=days)


def replace(path: Path, content: bytes) -> None:
    """As certificate managers do it: a new file under the old name."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.replace(path)


def files_in(directory: Path) -> Files:
    return Files(directory / "tls.crt", directory / "tls.key", directory / "ca.crt")


def channel_credentials(authority: trustme.CA, client: trustme.LeafCert | None = None) -> grpc.ChannelCredentials:
    """Of a gRPC client that trusts ``authority`` and, when it is to, shows a certificate."""
    if client is None:
        return grpc.ssl_channel_credentials(authority.cert_pem.bytes())
    return grpc.ssl_channel_credentials(
        authority.cert_pem.bytes(), client.private_key_pem.bytes(), client.cert_chain_pems[0].bytes()
    )


def client_context(authority: trustme.CA, client: trustme.LeafCert | None = None) -> ssl.SSLContext:
    """The same for an HTTP client."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if client is not None:
        client.configure_cert(context)
    return context
