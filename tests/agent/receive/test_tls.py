"""TLS on both OTLP ports: versions, client certificates, and a new certificate without a restart."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import httpx
import pytest
import trustme
from prometheus_client import CollectorRegistry

from agent.clock import SystemClock
from agent.instruments import Instruments
from agent.receive.http_connection import ConnectionLimits
from agent.receive.otlp_grpc import GrpcSettings, serving_otlp_grpc
from agent.receive.otlp_http import serving_otlp_http
from agent.tls import Certificate, TlsSettings
from tests.agent.certificates import channel_credentials, client_context, files_in
from tests.agent.receive.calling import ANY, PROTOBUF, head, settings
from tests.agent.receive.recording import SIGNALS, House, run, spans

CA, OTHER, CLIENTS = trustme.CA(), trustme.CA(), trustme.CA()
CLIENT, STRANGER = CLIENTS.issue_cert("client.localhost"), OTHER.issue_cert("client.localhost")
METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def certificate(directory: Path, *, mutual: bool = False, **some: Any) -> Certificate:
    files = files_in(directory)
    files.write(CA, CLIENTS)
    authorities = files.client_ca_file if mutual else None
    tls = TlsSettings("otlp.test", files.cert_file, files.key_file, authorities, **some)
    return Certificate(tls, SystemClock(), Instruments(CollectorRegistry()))


async def export_grpc(port: int, trusted: trustme.CA, client: trustme.LeafCert | None = None) -> bytes:
    async with grpc.aio.secure_channel(f"localhost:{port}", channel_credentials(trusted, client)) as channel:
        reply: bytes = await channel.unary_unary(METHOD)(spans(1), timeout=5)
    return reply


async def export_http(port: int, trusted: trustme.CA, client: trustme.LeafCert | None = None) -> bytes:
    async with httpx.AsyncClient(verify=client_context(trusted, client), trust_env=False) as session:
        url = f"https://localhost:{port}/v1/traces"
        response = await session.post(url, content=spans(1), headers={"content-type": PROTOBUF})
    assert response.status_code == 200
    return response.content


@asynccontextmanager
async def serving_grpc(house: House, served: Certificate) -> AsyncIterator[int]:
    async with serving_otlp_grpc(GrpcSettings(ANY, drain_seconds=0), house.receiver, SIGNALS, served) as port:
        yield port


@asynccontextmanager
async def serving_http(house: House, served: Certificate) -> AsyncIterator[int]:
    async with serving_otlp_http(settings(), house.receiver, SIGNALS, served) as port:
        yield port


BOTH = pytest.mark.parametrize(("serving", "export"), [(serving_grpc, export_grpc), (serving_http, export_http)])
REFUSED = (grpc.aio.AioRpcError, httpx.TransportError)


@BOTH
def test_a_sender_that_trusts_the_authority_sends_over_tls(tmp_path, serving, export):
    async def test() -> None:
        house = House()
        async with serving(house, certificate(tmp_path)) as port:
            assert await export(port, CA) == b""
            with pytest.raises(REFUSED):
                await export(port, OTHER)
        assert len(house.sink.exports) == 1

    run(test())


@BOTH
def test_with_client_authorities_only_their_clients_may_send(tmp_path, serving, export):
    async def test() -> None:
        house = House()
        async with serving(house, certificate(tmp_path, mutual=True)) as port:
            assert await export(port, CA, CLIENT) == b""
            for client in (None, STRANGER):
                with pytest.raises(REFUSED):
                    await export(port, CA, client)
        assert len(house.sink.exports) == 1

    run(test())


@BOTH
def test_a_new_certificate_and_new_authorities_are_taken_up_without_a_restart(tmp_path, serving, export):
    async def test() -> None:
        served = certificate(tmp_path, mutual=True)
        async with serving(House(), served) as port:
            assert await export(port, CA, CLIENT) == b""

            files_in(tmp_path).write(OTHER)
            served.refresh()

            assert await export(port, OTHER, STRANGER) == b""
            with pytest.raises(REFUSED):
                await export(port, CA, STRANGER)
            with pytest.raises(REFUSED):
                await export(port, OTHER, CLIENT)

    run(test())


@BOTH
def test_a_pair_that_does_not_match_leaves_the_old_one_serving(tmp_path, serving, export):
    async def test() -> None:
        served = certificate(tmp_path)
        async with serving(House(), served) as port:
            files_in(tmp_path).key_file.write_bytes(CA.issue_cert("localhost").private_key_pem.bytes())
            served.refresh()
            assert await export(port, CA) == b""

    run(test())


@BOTH
def test_plaintext_at_a_tls_port_is_refused(tmp_path, serving, export):
    async def test() -> None:
        async with serving(House(), certificate(tmp_path)) as port:
            reader, writer = await asyncio.open_connection("localhost", port)
            writer.write(b"POST /v1/traces HTTP/1.1\r\nhost: x\r\n\r\n" + b"x" * 100)
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await reader.readuntil(b"HTTP/1.1 200")
            writer.close()
            assert await export(port, CA) == b""

    run(test())


async def version_spoken(port: int, **versions: ssl.TLSVersion) -> str | None:
    context = client_context(CA)
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # else OpenSSL itself would not offer TLS 1.1
    for name, version in versions.items():
        setattr(context, name, version)
    _, writer = await asyncio.open_connection("localhost", port, ssl=context)
    tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
    try:
        assert tls.selected_alpn_protocol() in {"http/1.1", "h2"}
        return tls.version()
    finally:
        writer.close()


@pytest.mark.parametrize("serving", [serving_grpc, serving_http])
def test_tls_1_2_is_the_oldest_by_default(tmp_path, serving):
    async def test() -> None:
        async with serving(House(), certificate(tmp_path)) as port:
            assert await version_spoken(port) == "TLSv1.3"
            assert await version_spoken(port, maximum_version=ssl.TLSVersion.TLSv1_2) == "TLSv1.2"

    run(test())


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
@pytest.mark.parametrize("serving", [serving_grpc, serving_http])
def test_tls_1_1_is_refused(tmp_path, serving):
    async def test() -> None:
        async with serving(House(), certificate(tmp_path)) as port:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await version_spoken(port, minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)

    run(test())


def test_http_can_insist_on_tls_1_3(tmp_path):
    async def test() -> None:
        async with serving_http(House(), certificate(tmp_path, min_version=ssl.TLSVersion.TLSv1_3)) as port:
            assert await version_spoken(port) == "TLSv1.3"
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await version_spoken(port, maximum_version=ssl.TLSVersion.TLSv1_2)

    run(test())


def test_connections_in_their_handshake_count_and_have_a_time_for_it(tmp_path):
    limits = ConnectionLimits(max_connections=2, handshake_timeout_seconds=0.3)

    async def test() -> None:
        some, house = settings(connections=limits), House()
        async with serving_otlp_http(some, house.receiver, SIGNALS, certificate(tmp_path)) as port:
            silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
            with pytest.raises(httpx.TransportError):
                await export_http(port, CA)
            assert [await reader.read() for reader, _ in silent] == [b"", b""]
            assert await export_http(port, CA) == b""
            for _, writer in silent:
                writer.close()

    run(test())


def test_a_handshake_that_is_none_ends_its_connection_and_a_shutdown_waits_for_none(tmp_path):
    async def test() -> None:
        async with serving_http(House(), certificate(tmp_path)) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST /v1/traces HTTP/1.1\r\n\r\n")
            assert b"HTTP" not in await reader.read()
            writer.close()
            silent, other = await asyncio.open_connection("127.0.0.1", port)
        assert await silent.read() == b""
        other.close()

    run(test())


def test_a_request_that_comes_with_the_end_of_the_handshake_is_answered(tmp_path):
    """On one TCP write: TLS 1.3 lets a client send with its last message of the handshake."""

    async def test() -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = client_context(CA).wrap_bio(incoming, outgoing, server_hostname="localhost")
        async with serving_http(House(), certificate(tmp_path)) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    writer.write(outgoing.read())
                    incoming.write(await reader.read(65536))
            tls.write(head(len(spans(1))) + spans(1))
            writer.write(outgoing.read())
            answer = b""
            while b"\r\n\r\n" not in answer:
                incoming.write(await reader.read(65536))
                with contextlib.suppress(ssl.SSLWantReadError):
                    answer += tls.read()
            assert answer.startswith(b"HTTP/1.1 200 ")
            writer.close()

    run(test())
