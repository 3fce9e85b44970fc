"""Certificates of the query door that change while colonies ask: nobody who may ask notices, who was removed is cut off."""

from __future__ import annotations

import asyncio
import ssl
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
from cryptography import x509

from agent.query import door
from tests.flow.certificates import SERVER_NAME, Authority, Pair
from tests.flow.house import House, eventually, house, in_house
from tests.telemetry import request, span

COLONY = "spiffe://coral/colony/c1"
AGENT = "spiffe://coral/agent/a1"
ONE, OTHER = Authority("one"), Authority("other")
SINCE: dict[str, Any] = {"start_time": {"seconds": 1}}
NAMED = [("grpc.ssl_target_name_override", SERVER_NAME)]


class Mount:
    """Three files as Kubernetes mounts a Secret: links to ``..data``, which is itself a link that is swapped whole."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()
        self._version = 0

    def put(self, pair: Pair, *authorities: Authority, key: bytes | None = None) -> None:
        """Show this pair and these authorities, all at one moment."""
        self._version += 1
        version = self.directory / f"..{self._version}"
        version.mkdir()
        (version / "tls.crt").write_bytes(pair.certificate)
        (version / "tls.key").write_bytes(key or pair.key)
        (version / "ca.crt").write_bytes(b"".join(authority.pem for authority in authorities))
        link = self.directory / "..new"
        link.symlink_to(version.name)
        link.rename(self.directory / "..data")
        for name in ("tls.crt", "tls.key", "ca.crt"):
            if self._version == 1:
                (self.directory / name).symlink_to(f"..data/{name}")


@asynccontextmanager
async def guarded(tmp_path: Path, *authorities: Authority) -> AsyncIterator[tuple[House, Mount]]:
    mount = Mount(tmp_path / "tls")
    mount.put(ONE.issue(AGENT), *(authorities or (ONE,)))
    tls = {
        "QUERY__TLS__CERT_FILE": str(mount.directory / "tls.crt"),
        "QUERY__TLS__KEY_FILE": str(mount.directory / "tls.key"),
        "QUERY__TLS__CLIENT_CA_FILE": str(mount.directory / "ca.crt"),
        "QUERY__TLS__RELOAD_INTERVAL": "1s",
    }
    async with house(tmp_path / "store", **tls) as agent:
        await agent.export(request(span(1)))
        yield agent, mount


def channel(agent: House, pair: Pair) -> grpc.aio.Channel:
    credentials = grpc.ssl_channel_credentials(ONE.pem, pair.key, pair.certificate)
    alone = [*NAMED, ("grpc.use_local_subchannel_pool", 1)]  # else channels share a connection, and nothing is handshaken
    return grpc.aio.secure_channel(agent.listening.query, credentials, alone)


async def ask(agent: House, pair: Pair) -> int:
    """Ask over a connection of its own; how many spans came."""
    async with channel(agent, pair) as own:
        return len((await api_grpc.TelemetryQueryStub(own).QuerySpans(api.QuerySpansRequest(**SINCE), timeout=10)).spans)


async def is_answered(agent: House, pair: Pair) -> bool:
    try:
        return await ask(agent, pair) == 1
    except grpc.aio.AioRpcError as error:
        assert error.code() is grpc.StatusCode.UNAVAILABLE  # noqa: PT017 every other code would be wrong
        return False


async def served(agent: House, pair: Pair, directory: Path) -> int:
    """The serial number of the certificate that the door shows."""
    context = ssl.create_default_context(cadata=ONE.pem.decode())
    context.load_cert_chain(*pair.write(directory, "client"))
    context.set_alpn_protocols(["h2"])
    host, _, port = agent.listening.query.rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port), ssl=context, server_hostname=SERVER_NAME)
    try:
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        writer.close()
    return x509.load_der_x509_certificate(der).serial_number


def serial(pair: Pair) -> int:
    return x509.load_pem_x509_certificate(pair.certificate).serial_number


async def instrument(agent: House, name: str) -> float:
    async with httpx.AsyncClient(timeout=10) as client:
        page = (await client.get(f"http://{agent.listening.admin}/metrics")).text
    (line,) = [line for line in page.splitlines() if line.startswith(f'coral_agent_tls_{name}{{endpoint="query"}}')]
    return float(line.split()[-1])


def test_under_load_no_call_of_a_colony_fails_while_leaf_and_authorities_change(tmp_path):
    async def body():
        async with guarded(tmp_path) as (agent, mount):
            colony, done, answered = ONE.issue(COLONY), asyncio.Event(), []

            async def load(every: grpc.aio.Channel | None) -> None:
                while not done.is_set():
                    if every is None:
                        answered.append(await ask(agent, colony))  # a handshake each
                    else:
                        found = await api_grpc.TelemetryQueryStub(every).QuerySpans(api.QuerySpansRequest(**SINCE), timeout=10)
                        answered.append(len(found.spans))

            async with channel(agent, colony) as standing, asyncio.TaskGroup() as tasks:
                for connection in (None, None, standing):
                    tasks.create_task(load(connection))
                for authorities in ((ONE, OTHER), (ONE,)):
                    leaf = ONE.issue(AGENT)
                    mount.put(leaf, *authorities)

                    async def is_new(wanted: int = serial(leaf)) -> bool:
                        return await served(agent, colony, tmp_path) == wanted

                    await eventually(is_new, "within ten seconds the new certificate is served")
                done.set()
            assert set(answered) == {1}
            assert await instrument(agent, "reload_failures_total") == 0

    in_house(body)


@pytest.mark.parametrize("fault", ["torn", "expired", "not yet valid"])
def test_a_replacement_that_cannot_be_served_is_not_and_is_counted(tmp_path, fault):
    async def body():
        async with guarded(tmp_path) as (agent, mount):
            colony = ONE.issue(COLONY)
            first = await served(agent, colony, tmp_path)
            expiry = await instrument(agent, "not_after_seconds")
            good = ONE.issue(AGENT)
            if fault == "torn":
                mount.put(good, ONE, key=colony.key)
            else:
                mount.put(ONE.issue(AGENT, valid_days=-0.1 if fault == "expired" else 4), ONE)

            async def is_counted() -> bool:
                return await instrument(agent, "reload_failures_total") > 0

            await eventually(is_counted, "the fault is counted")
            assert await served(agent, colony, tmp_path) == first
            assert await ask(agent, colony) == 1
            assert await instrument(agent, "not_after_seconds") == expiry
            mount.put(good, ONE)

            async def is_healed() -> bool:
                return await served(agent, colony, tmp_path) == serial(good)

            await eventually(is_healed, "the next good pair is served")
            assert await ask(agent, colony) == 1

    in_house(body)


def test_a_removed_authority_lets_nobody_in_and_who_is_in_is_cut_off_when_the_connection_ages_out(tmp_path, monkeypatch):
    ages = {"grpc.max_connection_age_ms": 1500, "grpc.max_connection_age_grace_ms": 1000}
    monkeypatch.setattr(door, "_OPTIONS", [(name, ages.get(name, value)) for name, value in door._OPTIONS])

    async def body():
        async with guarded(tmp_path, ONE, OTHER) as (agent, mount):
            colony, removed = ONE.issue(COLONY), OTHER.issue("spiffe://coral/colony/c2")
            assert await ask(agent, removed) == 1
            async with channel(agent, removed) as standing:
                stub = api_grpc.TelemetryQueryStub(standing)
                await stub.QuerySpans(api.QuerySpansRequest(**SINCE), timeout=10)
                mount.put(ONE.issue(AGENT), ONE)

                async def is_out() -> bool:
                    try:
                        await stub.QuerySpans(api.QuerySpansRequest(**SINCE), timeout=10)
                    except grpc.aio.AioRpcError as error:
                        return error.code() is grpc.StatusCode.UNAVAILABLE
                    return False

                await eventually(is_out, "a connection that stands ends by age, and there is no other")
            assert not await is_answered(agent, removed)
            assert await ask(agent, colony) == 1

    in_house(body)
