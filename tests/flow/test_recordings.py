"""Recordings that nobody here made round-trip: sent as JSON and as protobuf, read back as OTLP, equal up to regrouping."""

from __future__ import annotations

import hashlib
import os
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from agent.batch import Signal
from tests.flow.house import House, house, in_house
from tests.flow.roundtrip import WIRES, ask, kept, records, send
from tests.otlp_json import message_of_json

HERE = Path(__file__).parent.parent / "recordings"
FOLDER = Path(os.environ.get("CORAL_RECORDINGS", HERE))
SETS: list[dict[str, Any]] = tomllib.loads((HERE / "sources.toml").read_text())["set"]
FILES = [(entry, file) for entry in SETS for file in entry["files"]]
NAMES = [f"{entry['name']}/{Path(file['path']).name}" for entry, file in FILES]


def recording(entry: dict[str, Any], file: dict[str, str]) -> bytes:
    """A recording as it was published."""
    path: Path = FOLDER / entry["name"] / Path(file["path"]).name
    if not path.exists():
        pytest.skip(f"{path} is not here; it is {entry['repository']} @{entry['commit']} {file['path']}")
    content = path.read_bytes()
    assert hashlib.sha256(content).hexdigest() == file["sha256"], f"{path} is not what sources.toml names"
    return content


async def send_json(agent: House, signal: Signal, body: bytes) -> None:
    async with httpx.AsyncClient(base_url=f"http://{agent.listening.otlp_http}", timeout=10) as client:
        reply = await client.post(WIRES[signal].path, content=body, headers={"content-type": "application/json"})
    assert (reply.status_code, reply.json()) == (200, {})


@pytest.mark.parametrize("encoding", ["json", "protobuf"])
@pytest.mark.parametrize(("entry", "file"), FILES, ids=NAMES)
def test_a_recording_round_trips(tmp_path, entry, file, encoding):
    content, signal = recording(entry, file), Signal(file["signal"])
    sent = message_of_json(content, WIRES[signal].request)
    assert records(sent), "an empty recording shows nothing"

    async def body():
        async with house(tmp_path, SCRUB__PROFILE="off") as agent:
            if encoding == "json":
                await send_json(agent, signal, content)
            else:
                await send(agent, signal, sent.SerializeToString())
            assert records(sent) == records(await kept(agent, signal))
            await the_flat_form_names_the_same_ids(agent, signal, sent)

    in_house(body)


async def the_flat_form_names_the_same_ids(agent: House, signal: Signal, sent: Any) -> None:
    """In lower case, whatever the producer writes."""
    if signal is Signal.METRICS:
        return
    response = await ask(agent, signal)
    rows = response.spans if signal is Signal.TRACES else response.log_records
    assert {(row.trace_id, row.span_id) for row in rows} == {(r.trace_id.hex(), r.span_id.hex()) for r in records_in(sent)}


def records_in(sent: Any) -> list[Span | LogRecord]:
    if hasattr(sent, "resource_spans"):
        return [span for group in sent.resource_spans for scope in group.scope_spans for span in scope.spans]
    return [record for group in sent.resource_logs for scope in group.scope_logs for record in scope.log_records]


def test_every_set_says_where_it_comes_from_and_under_which_licence():
    assert len(SETS) >= 3
    for entry in SETS:
        assert entry["licence"] in {"Apache-2.0", "MIT", "BSD-3-Clause"}
        assert len(entry["commit"]) == 40
    assert {file["signal"] for _, file in FILES} == {signal.value for signal in Signal}
