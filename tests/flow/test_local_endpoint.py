"""The operator's socket beside mutual TLS: its owner alone may use it, no certificate is asked for, the same is scrubbed."""

from __future__ import annotations

import os
import stat
from typing import Any

import grpc.aio
import pytest
from coral.agent.v1 import telemetry_query_pb2 as api
from coral.agent.v1 import telemetry_query_pb2_grpc as api_grpc

from agent.config.model import Config
from agent.errors import ConfigError
from tests.flow.house import in_house
from tests.flow.test_mtls import guarded
from tests.telemetry import attributes, request, span

SINCE: dict[str, Any] = {"start_time": {"seconds": 1}}


@pytest.fixture
def _open_umask():
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_open_umask")
def test_the_operator_on_the_node_is_answered_scrubbed_without_a_certificate(tmp_path):
    path = tmp_path / "operator.sock"

    async def body():
        async with guarded(tmp_path, QUERY__LOCAL_ENDPOINT=f"unix://{path}") as agent:
            assert agent.listening.query_local == f"unix://{path}"
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            await agent.export(request(span(2, attributes=attributes({"note": "ada@example.com"}))))
            async with grpc.aio.insecure_channel(f"unix://{path}") as channel:
                found = await api_grpc.TelemetryQueryStub(channel).QuerySpans(api.QuerySpansRequest(**SINCE), timeout=10)
            assert [s.attributes.get("note") for s in found.spans] == ["[REDACTED:email]", None]
        assert not path.exists()

    in_house(body)


@pytest.mark.parametrize("wrong", ["127.0.0.1:4330", "unix://relative", "nowhere"])
def test_it_is_a_socket_or_nothing(wrong, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"query\.local_endpoint = .*write unix:// and an absolute path"):
        Config.load(None, {"CORAL_AGENT__QUERY__LOCAL_ENDPOINT": wrong})
