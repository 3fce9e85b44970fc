"""The colony's certificate: taken up when it changes, kept when the new one cannot be used; agents by one name."""

from __future__ import annotations

import os
from pathlib import Path

import grpc
import grpc.aio
import pytest
import uvloop
from coral.agent.v1 import telemetry_query_pb2 as api
from coral.agent.v1 import telemetry_query_pb2_grpc as api_grpc
from prometheus_client import CollectorRegistry

from colony.agent_client import AgentClient
from colony.clock import SystemClock
from colony.endpoint import Endpoint
from colony.errors import ConfigError
from colony.instruments import Instruments
from colony.outcome import AgentFailure, Result
from colony.tls import Certificate, TlsSettings
from tests.colony.agents import SmallAgent
from tests.flow.certificates import Authority, Pair

AUTHORITY = Authority()
COLONY = "spiffe://coral/colony/c1"


class Peers(SmallAgent):
    """Remembers who asked."""

    seen: list[bytes]

    async def GetDataInfo(self, request, context):  # noqa: N802 gRPC's name
        self.seen.append(context.auth_context()["peer_spiffe_id"][0])
        return await super().GetDataInfo(request, context)


def written(directory: Path, pair: Pair, ca: bytes = AUTHORITY.pem) -> TlsSettings:
    cert, key = pair.write(directory, "colony")
    (directory / "ca.pem").write_bytes(ca)
    return TlsSettings(cert, key, directory / "ca.pem", "agent.coral")


def certificate(settings: TlsSettings) -> tuple[Certificate, Instruments]:
    instruments = Instruments(CollectorRegistry())
    return Certificate(settings, SystemClock(), instruments), instruments


def test_agents_see_the_colonys_identity_and_the_newest_certificate_without_a_restart(tmp_path: Path):
    async def body():
        agent = Peers("n1")
        agent.seen = []
        server = grpc.aio.server()
        api_grpc.add_TelemetryQueryServicer_to_server(agent, server)  # type: ignore[no-untyped-call] # generated
        own = AUTHORITY.issue("spiffe://coral/agent/a1")
        credentials = grpc.ssl_server_credentials([(own.key, own.certificate)], AUTHORITY.pem, require_client_auth=True)
        port = server.add_secure_port("127.0.0.1:0", credentials)
        await server.start()
        shown, instruments = certificate(written(tmp_path, AUTHORITY.issue(COLONY)))
        client = AgentClient(Endpoint("127.0.0.1", port), shown, instruments)
        await client.call("GetDataInfo", api.GetDataInfoRequest(), 5)
        written(tmp_path, AUTHORITY.issue(COLONY + "2"))
        shown.refresh()
        await client.call("GetDataInfo", api.GetDataInfoRequest(), 5)
        shown.refresh()
        assert shown.generation == 2
        await client.close()
        await server.stop(None)
        assert agent.seen == [COLONY.encode(), COLONY.encode() + b"2"]

    uvloop.run(body())


def test_an_agent_of_another_name_or_authority_is_not_asked(tmp_path: Path):
    async def body():
        for own in (AUTHORITY.issue("spiffe://coral/agent/a1", dns=("other.coral",)), Authority("else").issue("spiffe://x/y")):
            server = grpc.aio.server()
            api_grpc.add_TelemetryQueryServicer_to_server(SmallAgent("n1"), server)  # type: ignore[no-untyped-call] # generated
            port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(own.key, own.certificate)]))
            await server.start()
            shown, instruments = certificate(written(tmp_path, AUTHORITY.issue(COLONY)))
            client = AgentClient(Endpoint("127.0.0.1", port), shown, instruments)
            with pytest.raises(AgentFailure) as failed:
                await client.call("GetDataInfo", api.GetDataInfoRequest(), 5)
            assert failed.value.result is Result.UNREACHABLE
            await client.close()
            await server.stop(None)

    uvloop.run(body())


def test_a_bad_pair_is_refused_at_start_and_passed_over_later(tmp_path: Path):
    good, other = AUTHORITY.issue(COLONY), AUTHORITY.issue(COLONY)
    settings = written(tmp_path, good)
    shown, instruments = certificate(settings)
    before = shown.credentials
    settings.key_file.write_bytes(other.key)
    for _ in range(2):
        shown.refresh()
    assert (shown.credentials is before, shown.generation) == (True, 1)
    assert instruments.registry.get_sample_value("coral_colony_tls_reload_failures_total") == 2
    with pytest.raises(ConfigError, match=r"agents\.tls\.key_file = .*does not belong to the certificate"):
        certificate(settings)


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda s: s.cert_file.write_text("x"), "cert_file = .*holds no PEM certificate"),
        (lambda s: s.key_file.write_text("x"), "key_file = .*holds no PEM private key"),
        (lambda s: s.ca_file.write_text("x"), "ca_file = .*holds no PEM certificate"),
        (lambda s: os.unlink(s.cert_file), "cert_file = .*cannot be read"),  # noqa: PTH108 one expression
        (lambda s: s.cert_file.write_bytes(AUTHORITY.issue(COLONY, valid_days=-0.1).certificate), "expired at"),
        (lambda s: s.cert_file.write_bytes(AUTHORITY.issue(COLONY, valid_days=30).certificate), "is not valid before"),
    ],
)
def test_files_that_cannot_be_used_are_refused_by_key_and_reason(tmp_path: Path, break_it, said: str):
    settings = written(tmp_path, AUTHORITY.issue(COLONY))
    break_it(settings)
    with pytest.raises(ConfigError, match=said):
        certificate(settings)
