"""Certificates for the query door: read once at start, mutual TLS only."""

from __future__ import annotations

from pathlib import Path

import grpc

from agent.errors import ConfigError


def _read(key: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{key}: cannot read {path} ({error.strerror}); give a PEM file that this user may read") from error


def mutual_credentials(section: str, cert_file: Path, key_file: Path, client_ca_file: Path) -> grpc.ServerCredentials:
    """Credentials that ask every client for a certificate of ``client_ca_file``.

    Raises:
        ConfigError: a file cannot be read; names the key in ``section``.
    """
    cert = _read(f"{section}.cert_file", cert_file)
    key = _read(f"{section}.key_file", key_file)
    roots = _read(f"{section}.client_ca_file", client_ca_file)
    return grpc.ssl_server_credentials([(key, cert)], root_certificates=roots, require_client_auth=True)
