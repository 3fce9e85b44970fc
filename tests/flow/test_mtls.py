"""The query door under mutual TLS: a colony is let in, a stranger hears one fixed text, everyone else no word at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import httpx
import pytest
from coral.agent.v1 import telemetry_query_pb2 as api
from coral.agent.v1 import telemetry_query_pb2_grpc as api_grpc
from structlog.testing import capture_logs

from tests.flow.certificates import SERVER_NAME, Authority, Pair
from tests.flow.house import House, house, in_house
from tests.telemetry import request, span

COLONY = "spiffe://coral/colony/c1"
REFUSAL = "this peer may not query this agent"
AUTHORITY = Authority()
SINCE: dict[str, Any] = {"start_time": {"seconds": 1}}


@asynccontextmanager
async def guarded(directory: Path, *identities: str, **settings: str) -> AsyncIterator[House]:
    """A house whose query door asks for certificates; the house's own client has one with ``identities``."""
    cert_file, key_file = AUTHORITY.issue("spiffe://coral/agent/a1").write(directory, "agent")
    (directory / "ca.pem").write_bytes(AUTHORITY.pem)
    tls = {
        "QUERY__TLS__CERT_FILE": str(cert_file),
        "QUERY__TLS__KEY_FILE": str(key_file),
        "QUERY__TLS__CLIENT_CA_FILE": str(directory / "ca.pem"),
    }
    async with house(directory / "store", **tls | settings) as agent:
        await agent.export(request(span(1)))
        yield agent


def credentials(pair: Pair | None) -> grpc.ChannelCredentials:
    if pair is None:
        return grpc.ssl_channel_credentials(AUTHORITY.pem)
    return grpc.ssl_channel_credentials(AUTHORITY.pem, pair.key, pair.certificate)


async def ask(agent: House, pair: Pair | None) -> api.QuerySpansResponse:
    options = [("grpc.ssl_target_name_override", SERVER_NAME)]
    async with grpc.aio.secure_channel(agent.listening.query, credentials(pair), options) as channel:
        return await api_grpc.TelemetryQueryStub(channel).QuerySpans(api.QuerySpansRequest(**SINCE), timeout=10)


async def refusal(agent: House, pair: Pair | None) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await ask(agent, pair)
    return refused.value


async def denied(agent: House) -> float:
    async with httpx.AsyncClient(timeout=10) as client:
        page = (await client.get(f"http://{agent.listening.admin}/metrics")).text
    (line,) = [line for line in page.splitlines() if line.startswith("coral_agent_peer_denied_total ")]
    return float(line.split()[1])


def test_a_colony_is_let_in(tmp_path):
    async def body():
        async with guarded(tmp_path) as agent:
            assert len((await ask(agent, AUTHORITY.issue(COLONY))).spans) == 1
            assert len((await ask(agent, AUTHORITY.issue("spiffe://coral/colony/other"))).spans) == 1

    in_house(body)


STRANGERS = {
    "an agent": ["spiffe://coral/agent/a1"],
    "an agent under a colony": [COLONY + "/agent/a1"],
    "another trust domain": ["spiffe://evil/colony/c1"],
    "two identities": [COLONY, "spiffe://coral/colony/c2"],
    "a colony and another URI": [COLONY, "https://example.com"],
    "upper case": ["spiffe://coral/COLONY/c1"],
    "percent-encoded": ["spiffe://coral/colony/%63"],
    "a trailing slash": [COLONY + "/"],
    "a prefix": ["spiffe://coral/colony"],
    "a suffix": ["spiffe://coral/colony/c1/x"],
    "no identity": [],
}


def test_a_stranger_hears_one_fixed_text_and_is_counted(tmp_path):
    async def body():
        async with guarded(tmp_path) as agent:
            for number, (who, identities) in enumerate(STRANGERS.items(), 1):
                refused = await refusal(agent, AUTHORITY.issue(*identities))
                assert refused.code() is grpc.StatusCode.PERMISSION_DENIED, who
                assert refused.details() == REFUSAL, who
                assert "retry" not in str(refused.trailing_metadata())
                assert await denied(agent) == number, who

    in_house(body)


def test_a_common_name_or_a_dns_name_is_no_identity(tmp_path):
    async def body():
        async with guarded(tmp_path) as agent:
            for pair in (
                AUTHORITY.issue(common=COLONY),
                AUTHORITY.issue(dns=("spiffe.coral.colony.c1", COLONY.split("//")[1], COLONY)),
            ):
                assert (await refusal(agent, pair)).details() == REFUSAL

    in_house(body)


def test_without_a_certificate_of_the_authority_there_is_no_answer_at_all(tmp_path):
    async def body():
        async with guarded(tmp_path) as agent:
            foreign = Authority("another").issue(COLONY)
            expired = AUTHORITY.issue(COLONY, valid_days=-0.1)
            early = AUTHORITY.issue(COLONY, valid_days=4)
            for_servers = AUTHORITY.issue(COLONY, for_servers=True)
            for pair in (None, foreign, expired, early, for_servers):
                refused = await refusal(agent, pair)
                assert refused.code() is grpc.StatusCode.UNAVAILABLE
                assert REFUSAL not in (refused.details() or "")
            async with grpc.aio.insecure_channel(agent.listening.query) as plain:
                with pytest.raises(grpc.aio.AioRpcError) as without:
                    await api_grpc.TelemetryQueryStub(plain).QuerySpans(api.QuerySpansRequest(), timeout=10)
                assert without.value.code() is grpc.StatusCode.UNAVAILABLE
            assert await denied(agent) == 0, "they did not get as far as the door"
            assert len((await ask(agent, AUTHORITY.issue(COLONY))).spans) == 1

    in_house(body)


def test_every_rpc_asks_who_it_is(tmp_path):
    async def body():
        async with guarded(tmp_path) as agent:
            stranger, options = AUTHORITY.issue("spiffe://coral/agent/a1"), [("grpc.ssl_target_name_override", SERVER_NAME)]
            service = api.DESCRIPTOR.services_by_name["TelemetryQuery"]
            async with grpc.aio.secure_channel(agent.listening.query, credentials(stranger), options) as channel:
                stub = api_grpc.TelemetryQueryStub(channel)
                for method in service.methods:
                    with pytest.raises(grpc.aio.AioRpcError) as refused:
                        await getattr(stub, method.name)(getattr(api, method.input_type.name)(), timeout=10)
                    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED, method.name
            assert await denied(agent) == len(service.methods)

    in_house(body)


def test_the_configuration_says_who_may_ask(tmp_path):
    async def body():
        async with guarded(tmp_path, QUERY__ALLOWED_PEERS=COLONY) as agent:
            assert len((await ask(agent, AUTHORITY.issue(COLONY))).spans) == 1
            assert (await refusal(agent, AUTHORITY.issue("spiffe://coral/colony/c2"))).details() == REFUSAL

    in_house(body)


QUERY_SPANS = "/coral.agent.v1.TelemetryQuery/QuerySpans"
NO_METHOD = "/coral.agent.v1.TelemetryQuery/DropEverything"
NO_SERVICE = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"


@pytest.mark.parametrize(
    ("method", "to_a_colony"),
    [
        (QUERY_SPANS, grpc.StatusCode.INVALID_ARGUMENT),
        (NO_METHOD, grpc.StatusCode.UNIMPLEMENTED),
        (NO_SERVICE, grpc.StatusCode.UNIMPLEMENTED),
    ],
)
def test_nothing_is_parsed_or_told_before_it_is_known_who_asks(tmp_path, method, to_a_colony):
    async def body():
        async with guarded(tmp_path) as agent:
            options = [("grpc.ssl_target_name_override", SERVER_NAME)]
            for pair, code in (
                (AUTHORITY.issue("spiffe://coral/agent/a1"), grpc.StatusCode.PERMISSION_DENIED),
                (AUTHORITY.issue(COLONY), to_a_colony),
            ):
                async with grpc.aio.secure_channel(agent.listening.query, credentials(pair), options) as channel:
                    with pytest.raises(grpc.aio.AioRpcError) as refused:
                        await channel.unary_unary(method)(b"\xff\xff no protobuf", timeout=10)
                assert refused.value.code() is code
                assert (refused.value.details() == REFUSAL) == (code is grpc.StatusCode.PERMISSION_DENIED)

    in_house(body)


def test_a_refusal_is_logged_with_who_it_was_and_nothing_of_what_was_asked(tmp_path):
    async def body():
        async with guarded(tmp_path) as agent:
            stranger, options = AUTHORITY.issue("spiffe://coral/agent/a1"), [("grpc.ssl_target_name_override", SERVER_NAME)]
            with capture_logs() as logs:
                async with grpc.aio.secure_channel(agent.listening.query, credentials(stranger), options) as channel:
                    asked = api.QuerySpansRequest(operation_name="ada@example.com")
                    for _ in range(20):
                        with pytest.raises(grpc.aio.AioRpcError):
                            await api_grpc.TelemetryQueryStub(channel).QuerySpans(asked, timeout=10)
            told = [line for line in logs if "refused" in line["event"]]
            assert [(line["peer"], line["refused"]) for line in told] == [("spiffe://coral/agent/a1", 1)]
            assert "ada@example.com" not in str(logs)

    in_house(body)
