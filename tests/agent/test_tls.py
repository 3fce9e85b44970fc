"""Certificates: checked before they are served, read again when the files change, the old ones kept on any fault."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from agent.clock import SystemClock
from agent.errors import ConfigError
from agent.instruments import Instruments
from agent.tls import Certificate, TlsSettings, Turns, certified
from tests.agent.certificates import Files, client_context, files_in, replace

CA = trustme.CA()
OTHER = trustme.CA()


class House:
    """A certificate in files, with its counters."""

    def __init__(self, directory: Path, *, reload_seconds: float = 10, mutual: bool = False) -> None:
        self.files = files_in(directory)
        self.files.write(CA)
        self.registry = CollectorRegistry()
        self.instruments = Instruments(self.registry)
        self.settings = TlsSettings(
            "otlp.http",
            self.files.cert_file,
            self.files.key_file,
            self.files.client_ca_file if mutual else None,
            reload_seconds,
        )

    def certificate(self) -> Certificate:
        return Certificate(self.settings, SystemClock(), self.instruments)

    def count(self, name: str) -> float | None:
        return self.registry.get_sample_value(f"coral_agent_tls_{name}", {"endpoint": "otlp.http"})

    def leaf(self) -> x509.Certificate:
        return x509.load_pem_x509_certificates(self.files.cert_file.read_bytes())[0]


def shaken(server: ssl.SSLContext, client: ssl.SSLContext, session: ssl.SSLSession | None = None) -> ssl.SSLObject:
    """The client's end after a handshake in memory, without the network."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname="localhost", session=session)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for end in (ours, theirs):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    for end in (theirs, ours):  # without a goodbye the session would not be kept
        with contextlib.suppress(ssl.SSLWantReadError):
            end.unwrap()
    return ours


def served_serial(server: ssl.SSLContext, authority: trustme.CA = CA) -> int:
    der = shaken(server, client_context(authority)).getpeercert(binary_form=True)
    assert der
    return x509.load_der_x509_certificate(der).serial_number


def encrypted(files: Files) -> None:
    key = load_pem_private_key(files.key_file.read_bytes(), None)
    files.key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))


FAULTS: list[tuple[Callable[[Files], object], str]] = [
    (lambda files: files.cert_file.unlink(), r'tls\.cert_file = ".*tls.crt": cannot be read \(No such file'),
    (lambda files: files.cert_file.write_text("x"), r"tls\.cert_file = .* holds no PEM certificate"),
    (lambda files: files.key_file.write_text("x"), r"tls\.key_file = .* holds no PEM private key"),
    (encrypted, r"tls\.key_file = .* needs no password"),
    (lambda files: files.client_ca_file.write_text("x"), r"tls\.client_ca_file = .* holds no PEM certificate"),
    (
        lambda files: files.key_file.write_bytes(CA.issue_cert("localhost").private_key_pem.bytes()),
        r"tls\.key_file = .* does not belong to the certificate",
    ),
    (lambda files: files.write(CA, days=-1), r"tls\.cert_file = .* expired at .*; renew it"),
]


@pytest.mark.parametrize(("break_", "reason"), FAULTS)
def test_files_that_cannot_be_served_are_refused_at_start_by_key_and_reason(tmp_path, break_, reason):
    house = House(tmp_path, mutual=True)
    break_(house.files)
    with pytest.raises(ConfigError, match=reason):
        house.certificate()


@pytest.mark.parametrize(("break_", "reason"), FAULTS)
def test_files_that_cannot_be_served_later_leave_the_old_certificate_and_are_counted(tmp_path, break_, reason):
    house = House(tmp_path, mutual=False)
    house.settings = TlsSettings("otlp.http", *vars(house.files).values())
    certificate = house.certificate()
    before = house.leaf()
    break_(house.files)

    with capture_logs() as logs:
        certificate.refresh()
        certificate.refresh()

    assert house.count("reload_failures_total") == 2
    assert house.count("not_after_seconds") == before.not_valid_after_utc.timestamp()
    assert [(line["event"], line["door"]) for line in logs] == [
        ("a certificate could not be reloaded; the old one stays", "otlp.http")
    ]


def test_a_certificate_that_is_not_valid_yet_is_refused(tmp_path):
    class Earlier:
        def now_ns(self) -> int:
            return 0

    house = House(tmp_path)
    with pytest.raises(ConfigError, match=r"is not valid before .*; look at the clock"):
        Certificate(house.settings, Earlier(), house.instruments)


def test_a_new_certificate_is_served_from_the_next_handshake_on(tmp_path):
    house = House(tmp_path)
    certificate = house.certificate()
    context = certificate.ssl_context()
    first = house.leaf().serial_number
    assert first == served_serial(context)

    house.files.write(CA, days=3)
    certificate.refresh()

    assert house.leaf().serial_number == served_serial(context) != first
    assert house.count("not_after_seconds") == house.leaf().not_valid_after_utc.timestamp()
    assert house.count("reload_failures_total") == 0


def test_after_a_fault_the_next_good_pair_is_taken_up(tmp_path):
    house = House(tmp_path)
    certificate = house.certificate()
    context = certificate.ssl_context()
    first = house.leaf().serial_number
    chain, key = CA.issue_cert("localhost"), CA.issue_cert("localhost")
    replace(house.files.key_file, key.private_key_pem.bytes())
    certificate.refresh()
    assert first == served_serial(context)

    replace(house.files.cert_file, key.cert_chain_pems[0].bytes())
    certificate.refresh()

    assert served_serial(context) not in {first, x509.load_pem_x509_certificate(chain.cert_chain_pems[0].bytes()).serial_number}
    assert house.count("reload_failures_total") == 1


def test_files_that_stay_are_not_read_again(tmp_path):
    house = House(tmp_path)
    certificate = house.certificate()
    with capture_logs() as logs:
        certificate.refresh()
    assert not logs


def test_new_authorities_count_from_the_next_handshake_on(tmp_path):
    house = House(tmp_path, mutual=True)
    certificate = house.certificate()
    context = certificate.ssl_context()
    old, new = CA.issue_cert("client.localhost"), OTHER.issue_cert("client.localhost")
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        clients = [client_context(CA, client) for client in (old, new)]
        for client in clients:
            client.maximum_version = version
        house.files.write(CA)
        certificate.refresh()
        shaken(context, clients[0])
        with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
            shaken(context, clients[1])

        house.files.write(CA, OTHER)
        certificate.refresh()

        shaken(context, clients[1])
        with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
            shaken(context, clients[0])


def test_a_session_is_resumed_as_long_as_the_authorities_that_let_it_in_count(tmp_path):
    house = House(tmp_path, mutual=True)
    certificate = house.certificate()
    context = certificate.ssl_context()
    client = client_context(CA, CA.issue_cert("client.localhost"))
    client.maximum_version = ssl.TLSVersion.TLSv1_2  # under 1.3 no session is kept
    session = shaken(context, client).session
    assert shaken(context, client, session).session_reused
    house.files.write(CA)
    certificate.refresh()
    assert shaken(context, client, session).session_reused

    house.files.write(CA, OTHER)
    certificate.refresh()

    with pytest.raises(ssl.SSLError):
        shaken(context, client, session)


def test_the_watcher_takes_up_what_changes_and_ends_with_its_door(tmp_path):
    house = House(tmp_path, reload_seconds=0.01)

    async def scenario() -> None:
        async with asyncio.timeout(10), certified(house.settings, SystemClock(), house.instruments) as certificate:
            assert certificate
            context = certificate.ssl_context()
            house.files.write(CA)
            while house.leaf().serial_number != served_serial(context):
                await asyncio.to_thread(lambda: None)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(scenario())


def test_a_door_without_tls_has_no_certificate():
    async def scenario() -> None:
        async with certified(None, SystemClock(), Instruments(CollectorRegistry())) as certificate:
            assert certificate is None

    asyncio.run(scenario())


def test_while_something_new_is_handed_over_nobody_else_is_told_anything():
    newest = ["old"]
    turns = Turns(lambda: newest[0], seconds=0.05)
    assert (turns.first, turns(), turns()) == ("old", None, None)
    newest[0] = "new"
    told: list[tuple[str | None, float]] = []
    asked = time.monotonic()
    several = [threading.Thread(target=lambda: told.append((turns(), time.monotonic()))) for _ in range(3)]
    for each in several:
        each.start()
    for each in several:
        each.join(10)
    assert [configuration for configuration, _ in told] == ["new", None, None]
    (_, first), (_, second), _ = told
    assert first - asked >= 0.05, "whoever asked before has begun"
    assert second - first >= 0.04, "whoever was given something new has taken it"
    assert turns() is None
