"""Agents are found by address, name and file, polled, missed when they go, and told by what they say."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import uvloop
from prometheus_client import CollectorRegistry

from colony.endpoint import Endpoint
from colony.instruments import Instruments
from colony.outcome import Result
from colony.registry.discovery import Discovery, Sources
from colony.registry.registry import LINGER_NS, Registry, RegistrySettings, registering
from tests.colony.agents import SetClock, SmallAgent, colony_of, eventually, serving
from tests.colony.rows import SECOND, span

GONE = Endpoint("127.0.0.1", 1)


def found(registry: Registry) -> dict[str, Result | None]:
    return {known.name: known.result for known in registry.agents}


def instruments() -> Instruments:
    return Instruments(CollectorRegistry())


def test_a_name_stands_for_every_address_it_has_and_keeps_them_when_it_fails():
    async def body():
        told = instruments()
        discovery = Discovery(Sources(dns=Endpoint("localhost", 4319)), told)
        looked = await discovery.look()
        assert Endpoint("127.0.0.1", 4319) in looked
        assert all(endpoint.port == 4319 for endpoint in looked)
        nowhere = Discovery(Sources((GONE,), dns=Endpoint("no-such-host.invalid", 4319)), told)
        assert await nowhere.look() == [GONE]
        assert nowhere.faults["dns"].startswith("no-such-host.invalid: ")
        assert told.registry.get_sample_value("coral_colony_discovery_failures_total", {"source": "dns"}) == 1

    uvloop.run(body())


def test_a_file_is_read_again_when_it_changes_and_a_bad_one_keeps_what_was_known(tmp_path: Path):
    async def body():
        path = tmp_path / "agents"
        discovery = Discovery(Sources(file=path), instruments())
        assert await discovery.look() == []
        assert "No such file" in discovery.faults["file"]
        path.write_text("# the agents\n127.0.0.1:4319  # here\n\n[::1]:4319\n")
        assert discovery.file_has_changed()
        assert await discovery.look() == [Endpoint("127.0.0.1", 4319), Endpoint("::1", 4319)]
        assert not discovery.file_has_changed()
        assert discovery.faults == {}
        path.write_text("127.0.0.1:4319\nnowhere\n")
        assert len(await discovery.look()) == 2
        assert discovery.faults["file"].endswith(
            "line 2: write HOST:PORT, [IPv6]:PORT or unix:///path, with a port from 0 to 65535"
        )

    uvloop.run(body())


def test_an_agent_that_joins_the_file_is_polled_within_a_second_or_two(tmp_path: Path):
    async def body():
        path = tmp_path / "agents"
        path.write_text("")
        settings = RegistrySettings(Sources(file=path), poll_seconds=3600)
        async with serving(SmallAgent("n1")) as endpoint, registering(settings, SetClock(), instruments()) as registry:
            polling = asyncio.get_running_loop().create_task(registry.poll_forever())
            await eventually(lambda: registry.has_polled)
            path.write_text(f"{endpoint}\n")
            await eventually(lambda: found(registry) == {"n1": Result.ANSWERED})
            polling.cancel()

    uvloop.run(body())


def test_polling_tells_who_answers_who_does_not_and_counts_it():
    async def body():
        refusing = SmallAgent("strict", refusals={"GetDataInfo": [(grpc.StatusCode.PERMISSION_DENIED, None)] * 9})
        stuck = SmallAgent("stuck", stuck={"GetDataInfo"})
        async with colony_of(SmallAgent("n1"), refusing, stuck, GONE, deadline=0.3) as colony:
            assert sorted(str(known.result) for known in colony.registry.agents) == [
                "answered", "refused", "timed_out", "unreachable",
            ]  # fmt: skip
            assert [colony.counted("agents", state=str(result)) for result in Result] == [1, 1, 1, 1, 0]
            assert colony.counted("agent_failures_total", rpc="GetDataInfo", outcome="timed_out") == 1

    uvloop.run(body())


def test_an_agent_that_leaves_its_source_is_missed_for_five_minutes(tmp_path: Path):
    async def body():
        path, clock = tmp_path / "agents", SetClock()
        async with (
            AsyncExitStack() as running,
            registering(RegistrySettings(Sources(file=path)), clock, instruments()) as registry,
        ):
            stopping = await running.enter_async_context(AsyncExitStack())
            one = await stopping.enter_async_context(serving(SmallAgent("n1")))
            two = await running.enter_async_context(serving(SmallAgent("n2")))
            path.write_text(f"{one}\n{two}\n")
            await registry.poll()
            await stopping.aclose()
            path.write_text(f"{two}\n")
            await registry.poll()
            assert found(registry) == {"n1": Result.UNREACHABLE, "n2": Result.ANSWERED}
            clock.advance(LINGER_NS / SECOND)
            await registry.poll()
            assert found(registry) == {"n2": Result.ANSWERED}

    uvloop.run(body())


def test_an_agent_that_moved_is_asked_at_its_new_address_alone(tmp_path: Path):
    async def body():
        path = tmp_path / "agents"
        async with (
            AsyncExitStack() as running,
            registering(RegistrySettings(Sources(file=path)), SetClock(), instruments()) as registry,
        ):
            stopping = await running.enter_async_context(AsyncExitStack())
            path.write_text(f"{await stopping.enter_async_context(serving(SmallAgent('n1', instance='a')))}\n")
            await registry.poll()
            await stopping.aclose()
            moved = await running.enter_async_context(serving(SmallAgent("n1", instance="b")))
            path.write_text(f"{moved}\n")
            await registry.poll()
            assert {str(known.endpoint): known.name for known in registry.agents} == {str(moved): "n1"}

    uvloop.run(body())


def test_services_are_told_by_signal_and_agent():
    async def body():
        one = SmallAgent("n1")
        one.add(span("a"), span("b"))
        async with colony_of(one) as colony:
            services = colony.registry.services()
            assert services["shop"]["traces"]["n1"].rows == 2
            assert colony.registry.hosting("nowhere") == []

    uvloop.run(body())


def test_in_plaintext_no_other_machine_is_asked():
    async def body():
        async with colony_of(Endpoint("192.0.2.1", 4319)) as colony:
            (known,) = colony.registry.agents
            assert (known.result, known.reason) == (
                Result.REFUSED,
                "this colony asks in plaintext on its own machine only; set agents.tls",
            )

    uvloop.run(body())
