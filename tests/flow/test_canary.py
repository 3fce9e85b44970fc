"""A canary in each of the 24 places, per signal and stage: in no reply, log line, metric or error text, and with ingest not on disk."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from coral.agent.v1 import telemetry_query_pb2 as api
from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from agent.batch import Signal
from tests.canary import PLACES, REQUESTS, canary, forms, seen
from tests.flow.house import House, house, in_house
from tests.flow.signals import KITS
from tests.telemetry import START, attributes

SINCE: dict[str, Any] = {"start_time": {"seconds": 1}}
SERIES: dict[str, Any] = {
    "start_time": {"seconds": START // 10**9 - 60},
    "end_time": {"seconds": START // 10**9 + 60},
    "step": {"seconds": 60},
}
OTLP: dict[Signal, Any] = {Signal.TRACES: TracesData, Signal.LOGS: LogsData, Signal.METRICS: MetricsData}


async def everything(agent: House, signal: Signal) -> str:
    """Every reply that shows this signal: flat, OTLP, series, summaries, names, what is kept."""
    kit = KITS[signal]
    flat = await kit.ask(agent, **SINCE)
    otlp = await kit.ask(agent, **SINCE, encoding=api.ENCODING_OTLP)
    answers: list[Any] = [flat, OTLP[signal].FromString(otlp.otlp), await agent.names(**SINCE), await agent.info()]
    if signal is Signal.METRICS:
        answers.append(await agent.points(**SERIES))
    if signal is Signal.TRACES:
        summaries = await agent.summaries(start_time=SERIES["start_time"], end_time=SERIES["end_time"])
        assert summaries.summaries
        answers.append(summaries)
    assert kit.rows(flat)
    # Bytes by their text: JSON would show them in base64, where forms() looks as well.
    return "\n".join(MessageToJson(answer) + repr(answer) for answer in answers)


async def refusals(agent: House, signal: Signal) -> str:
    """What is said when a canary stands in what is wrong: a record, a body, a filter, a token."""
    kit, said = KITS[signal], []
    bad = dict(kit.bad)
    planted = kit.record(1, **bad, attributes=attributes({canary(PLACES[signal][0]): canary(PLACES[signal][1])}))
    said.append(str(await kit.send(agent, kit.request(planted, note=canary(PLACES[signal][2])))))
    async with httpx.AsyncClient(timeout=5) as client:
        url = f"http://{agent.listening.otlp_http}/v1/{signal.value}"
        for body in (
            f'{{"{canary(PLACES[signal][3])}": 1}}',
            f'{{"resourceSpans": "{canary(PLACES[signal][3])}"}}',
            canary(PLACES[signal][4]),
        ):
            for kind in ("application/json", "application/x-protobuf"):
                reply = await client.post(url, content=body, headers={"content-type": kind})
                said.append(reply.text)
    for wrong in (
        {"trace_id": canary("span name")} if signal is not Signal.METRICS else {"order": 77},
        {"page_token": canary("span name")},
        {"attributes": [{"key": "", "value": canary("span name")}]},
    ):
        with contextlib.suppress(grpc.aio.AioRpcError):
            said.append(str(await kit.ask(agent, **SINCE, **wrong)))
    return "\n".join(said)


async def metrics_page(agent: House) -> str:
    async with httpx.AsyncClient(timeout=5) as client:
        return (await client.get(f"http://{agent.listening.admin}/metrics")).text


@pytest.mark.parametrize("stage", ["query", "ingest"])
@pytest.mark.parametrize("signal", Signal)
def test_no_canary_leaves(tmp_path, signal, stage, capfd):
    async def body():
        async with house(tmp_path, SCRUB__STAGE=stage) as agent:
            await KITS[signal].send(agent, REQUESTS[signal]())
            assert seen(await everything(agent, signal), signal) == set()
            assert seen(await refusals(agent, signal), signal) == set()
            page = await metrics_page(agent)
            assert seen(page, signal) == set()
            assert f'coral_agent_scrub_hits_total{{mode="mask",rule="email",signal="{signal}"}}' in page
            assert (await agent.info()).scrub_stage == stage

    in_house(body)
    said = capfd.readouterr()
    assert seen(said.out + said.err, signal) == set()


def planted_on_disk(directory: Path, signal: Signal) -> set[str]:
    """The places whose canary lies in some byte of the data directory."""
    found = set()
    for path in (path for path in directory.rglob("*") if path.is_file()):
        content = path.read_bytes().lower()
        found |= {place for place in PLACES[signal] if any(form.lower() in content for form in forms(place))}
    return found


@pytest.mark.parametrize("signal", Signal)
def test_with_ingest_no_canary_is_on_disk(tmp_path, signal):
    """The bytes may be compressed: so what is stored is also asked for by an agent that scrubs nothing."""

    async def keep() -> None:
        async with house(tmp_path, SCRUB__STAGE="ingest") as agent:
            await KITS[signal].send(agent, REQUESTS[signal]())
            assert planted_on_disk(tmp_path, signal) == set()

    async def look() -> None:
        async with house(tmp_path, SCRUB__PROFILE="off") as agent:
            assert seen(await everything(agent, signal), signal) == set()

    in_house(keep)
    assert planted_on_disk(tmp_path, signal) == set()
    in_house(look)


@pytest.mark.parametrize("signal", Signal)
def test_without_scrubbing_every_canary_is_found(tmp_path, signal):
    """Else the tests above would find nothing for another reason."""

    async def body():
        async with house(tmp_path, SCRUB__PROFILE="off") as agent:
            await KITS[signal].send(agent, REQUESTS[signal]())
            shown = await everything(agent, signal)
            hidden = {"attribute: invisible characters"} if signal is Signal.TRACES else set()
            assert set(PLACES[signal]) - seen(shown, signal) <= hidden

    in_house(body)


@pytest.mark.parametrize("stage", ["query", "ingest"])
def test_no_filter_order_or_count_tells_of_what_is_taken_away(tmp_path, stage):
    rules = '[{"name": "plan", "mode": "mask", "pattern": "plan-[a-z]+"}, {"name": "tenant", "mode": "hmac", "keys": ["app.tenant"]}]'

    async def body():
        async with house(tmp_path, SCRUB__STAGE=stage, SCRUB__RULES=rules) as agent:
            kit = KITS[Signal.LOGS]
            records = [
                kit.record(
                    n, attributes=attributes({"plan": f"plan-{'gold' if n % 2 else 'free'}", "app.tenant": f"t{n}", "n": n})
                )
                for n in range(6)
            ]
            for record in records:
                record.body.string_value = "plan-gold bought by ada@example.com"
            await kit.send(agent, kit.request(*records))
            for key, value in (
                ("plan", "plan-gold"),
                ("plan", "plan-free"),
                ("app.tenant", "t1"),
                ("app.tenant", "t77"),
            ):
                got = await agent.logs(**SINCE, attributes=[{"key": key, "value": value}])
                assert (len(got.log_records), got.total_count, got.has_more, got.next_page_token) == (0, 0, False, "")
            for text in ("ada@example.com", "ada@", "gold", "plan-gold", "plan-free", "nobody@example.com"):
                got = await agent.logs(**SINCE, text=text)
                assert (len(got.log_records), got.total_count, got.has_more) == (0, 0, False), text
            shown = await agent.logs(**SINCE, attributes=[{"key": "plan", "value": "[REDACTED:plan]"}], limit=4)
            assert (len(shown.log_records), shown.total_count, shown.has_more) == (4, 6, True)
            pseudonym = shown.log_records[0].attributes["app.tenant"]
            linked = await agent.logs(**SINCE, attributes=[{"key": "app.tenant", "value": pseudonym}])
            assert [record.attributes["n"] for record in linked.log_records] == [shown.log_records[0].attributes["n"]]
            assert (await agent.logs(**SINCE, text="[REDACTED:plan] bought by [REDACTED:email]")).total_count == 6

    in_house(body)
