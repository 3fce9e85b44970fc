"""What holds of any request: a valid one comes back as it was sent, and a broken one is told so."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
from collections.abc import Iterator
from typing import Any

import grpc
import psutil
import pytest
from coral.agent.v1 import telemetry_query_pb2 as api
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.batch import Signal
from tests.conformance import drawn, wire
from tests.conformance.running import Running, running
from tests.flow.house import House
from tests.flow.roundtrip import WIRES
from tests.flow.signals import flattened
from tests.telemetry import every_metric, full_log, full_span, log, log_request, metric_request, request, span

EXAMPLES = int(os.environ.get("CORAL_CONFORMANCE_EXAMPLES", "40"))
MUTANTS = int(os.environ.get("CORAL_CONFORMANCE_MUTANTS", "1000"))
EVER: dict[str, Any] = {"start_time": {"seconds": 0}}
AT_ONCE = 8
UNKNOWN = "unknown_service"
_SERVICES = (f"sent {number}" for number in itertools.count())


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("any"), SCRUB__PROFILE="off") as house:
        yield house


async def sent(house: House, signal: Signal, payload: bytes) -> Any:
    reply = await house.otlp.unary_unary(WIRES[signal].export)(payload, timeout=20)
    return WIRES[signal].response.FromString(reply)


async def pages(house: House, signal: Signal, **fields: Any) -> list[Any]:
    """Every page of an answer."""
    wire_ = WIRES[signal]
    found = [await getattr(house.query, wire_.query)(wire_.asks(**EVER, **fields))]
    while found[-1].has_more:
        found.append(
            await getattr(house.query, wire_.query)(wire_.asks(**EVER, **fields, page_token=found[-1].next_page_token))
        )
    return found


async def read(house: House, signal: Signal, service: str) -> tuple[set[tuple[bytes, ...]], bool]:
    """What is kept of a service, and whether the agent says that it shows equal spans once; it may say nothing else."""
    answers = await pages(house, signal, service_name=service, encoding=api.ENCODING_OTLP)
    warnings = [warning for answer in answers for warning in answer.warnings]
    assert not [warning for warning in warnings if "equal in every field" not in warning]
    kept = {record for answer in answers for record in flattened(WIRES[signal].request.FromString(answer.otlp))}
    return kept, bool(warnings)


def has_equal_spans(signal: Signal, message: Any) -> bool:
    """Log records and data points that are equal are all shown."""
    if signal is not Signal.TRACES:
        return False
    spans = sum(len(scope.spans) for group in message.resource_spans for scope in group.scope_spans)
    return spans > len(flattened(message))


KEPT_WITHOUT_A_SERVICE: dict[Signal, set[tuple[bytes, ...]]] = {signal: set() for signal in Signal}
EQUAL_WITHOUT_A_SERVICE: set[Signal] = set()


def split(message: Any, service: str) -> tuple[Any, Any]:
    """The request's parts with a Resource, each of which gets this service, and those without."""
    (groups,) = (getattr(message, field.name) for field in message.DESCRIPTOR.fields)
    named, unnamed = type(message)(), type(message)()
    for group in groups:
        if group.HasField("resource"):
            others = list(group.resource.attributes)
            del group.resource.attributes[:]
            group.resource.attributes.add(key="service.name").value.string_value = service
            group.resource.attributes.extend(others)
        (target,) = (getattr(named if group.HasField("resource") else unnamed, f.name) for f in message.DESCRIPTOR.fields)
        target.append(group)
    return named, unnamed


@pytest.mark.parametrize("signal", list(Signal))
def test_any_valid_request_comes_back_as_it_was_sent(agent, signal):
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
    @given(drawn.requests(signal))
    def holds(message: Any) -> None:
        service = next(_SERVICES)
        named, unnamed = split(message, service)
        reply = agent.do(sent(agent.house, signal, message.SerializeToString()))
        assert not reply.HasField("partial_success"), reply
        assert agent.do(read(agent.house, signal, service)) == (flattened(named), has_equal_spans(signal, named))
        if has_equal_spans(signal, unnamed) or KEPT_WITHOUT_A_SERVICE[signal] & flattened(unnamed):
            EQUAL_WITHOUT_A_SERVICE.add(signal)
        KEPT_WITHOUT_A_SERVICE[signal] |= flattened(unnamed)
        kept, says_equal = agent.do(read(agent.house, signal, UNKNOWN))
        assert kept == KEPT_WITHOUT_A_SERVICE[signal]
        assert not says_equal or signal in EQUAL_WITHOUT_A_SERVICE
        agent.do(pages(agent.house, signal, service_name=service))

    holds()


SEEDS: dict[Signal, list[Any]] = {
    Signal.TRACES: [request(full_span(0), span(1)), request(*(span(n) for n in range(5)))],
    Signal.LOGS: [log_request(full_log(), log(1)), log_request(*(log(n) for n in range(5)))],
    Signal.METRICS: [metric_request(*every_metric())],
}


async def verdict(house: House, signal: Signal, payload: bytes) -> str:
    """The name of the status, OK for partial success too."""
    try:
        await sent(house, signal, payload)
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


async def verdicts(house: House, mutants: Iterator[tuple[Signal, bytes]]) -> dict[str, list[bytes]]:
    """What became of each; ``AT_ONCE`` are on their way at a time."""
    found: dict[str, list[bytes]] = {}

    async def send_on() -> None:
        for signal, payload in mutants:
            found.setdefault(await verdict(house, signal, payload), []).append(payload)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(AT_ONCE):
            tasks.create_task(send_on())
    return found


def mutants(count: int, seed: int) -> Iterator[tuple[Signal, bytes]]:
    rng = random.Random(seed)
    seeds = [(signal, one.SerializeToString()) for signal, ones in SEEDS.items() for one in ones]
    for _ in range(count):
        signal, octets = rng.choice(seeds)
        yield signal, wire.mutant(rng, octets, rng.choice(seeds)[1])


@pytest.mark.timeout(900)
def test_any_mutant_is_taken_or_refused_for_what_it_is_and_memory_stays_flat(tmp_path):
    keeping_little = {"STORE__RETENTION": "4s", "STORE__SEGMENT": "1s", "STORE__MEMORY_LIMIT": "64MiB"}
    process = psutil.Process()
    with running(tmp_path, **keeping_little) as house:
        warmed_up = house.do(verdicts(house.house, mutants(MUTANTS // 4, seed=1)), 300)
        before = process.memory_info().rss
        found = house.do(verdicts(house.house, mutants(MUTANTS, seed=2)), 600)
        growth = process.memory_info().rss - before
    assert set(found) | set(warmed_up) <= {"OK", "INVALID_ARGUMENT"}, {k: v[0].hex() for k, v in found.items()}
    assert len(found["OK"]) > MUTANTS // 10
    assert len(found["INVALID_ARGUMENT"]) > MUTANTS // 10
    assert growth < 64 << 20, f"{growth >> 20} MiB more after {MUTANTS} mutants"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("signal", list(Signal))
def test_what_is_kept_of_mutants_can_be_asked_for_in_either_form(tmp_path, signal):
    async def ask(house: House) -> None:
        for encoding in (api.ENCODING_FLAT, api.ENCODING_OTLP):
            answers = await pages(house, signal, encoding=encoding, limit=50)
            for answer in answers:
                WIRES[signal].request.FromString(answer.otlp)
            assert answers

    with running(tmp_path) as house:
        found = house.do(verdicts(house.house, (one for one in mutants(MUTANTS, seed=3) if one[0] is signal)), 300)
        assert found["OK"]
        house.do(ask(house.house), 300)


@settings(max_examples=EXAMPLES * 5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(signal=st.sampled_from(list(Signal)), payload=st.binary(max_size=60))
def test_any_bytes_are_taken_or_refused_for_what_they_are(agent, signal, payload):
    assert agent.do(verdict(agent.house, signal, payload)) in {"OK", "INVALID_ARGUMENT"}
