"""What is sent is never told: tokens, tenants and session ids are in no log, error, status or instrument."""

from __future__ import annotations

import io
import logging

import pytest
import structlog
from prometheus_client import generate_latest
from starlette.responses import PlainTextResponse

from colony.config.model import Log
from colony.log import set_up_logging
from colony.upstream.credentials import Credentials
from colony.upstream.faults import NotAllowed, UpstreamError
from tests.colony.upstream.servers import asked, run
from tests.colony.upstream.small_tempo import SmallTempo, base, tempo_at

TOKEN, TENANT = "glsa_very_secret_token", "tenant-of-acme"


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch):
    """All that is logged, at the most talkative level."""
    stream = io.StringIO()
    before = structlog.get_config()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr("sys.stderr", stream)
    set_up_logging(Log(level="debug"))
    yield stream
    structlog.configure(**before)
    root.handlers[:], root.level = handlers, level


def test_a_token_from_a_file_and_a_tenant_from_the_environment_are_sent_with_every_request(tmp_path):
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    credentials = Credentials(file, headers={"X-Scope-OrgID": "env:TENANT"}, environ={"TENANT": TENANT})

    async def body():
        server = SmallTempo().server()
        async with tempo_at(server) as here, asked(base(here), kind="tempo", credentials=credentials) as upstream:
            await upstream.call("traceql-search", {"query": "{}"})
            assert {TENANT} == {headers.get("x-scope-orgid") for headers in server.headers}
            assert {f"Bearer {TOKEN}"} == {headers.get("authorization") for headers in server.headers}
            file.write_text("another_token")
            await upstream.call("traceql-search", {"query": "{}"})
            assert server.headers[-1]["authorization"] == "Bearer another_token"

    run(body)


def test_no_secret_is_in_a_log_an_error_a_status_or_an_instrument(log):
    credentials = Credentials(token_env="TOKEN", headers={"X-Scope-OrgID": TENANT}, environ={"TOKEN": TOKEN})
    said: list[str] = []

    async def body():
        server = SmallTempo().server()
        async with tempo_at(server) as here, asked(base(here), kind="tempo", credentials=credentials) as upstream:
            await upstream.call("traceql-search", {"query": "{}"})
            for status in (401, 403, 404, 429, 500):
                server.refuse += [
                    PlainTextResponse(f"{TOKEN} of {TENANT} may not\n", status, {"retry-after": "0"}) for _ in range(2)
                ]
                with pytest.raises(UpstreamError) as refused:
                    await upstream.call("traceql-search", {"query": "{}"})
                said.append(f"{refused.value.message} {refused.value!r} {refused.value.__cause__!r}")
                server.refuse.clear()
            server.closing.set()
            await here.stop()
            with pytest.raises(UpstreamError) as refused:
                await upstream.call("traceql-search", {"query": "{}"})
            said.append(f"{refused.value.message} {upstream.status} {upstream.settings} {credentials}")
            said.append(generate_latest(upstream.instruments.registry).decode())
            return {headers["mcp-session-id"] for headers in server.headers if "mcp-session-id" in headers}

    sessions = run(body)
    everything = log.getvalue() + "".join(said)
    assert len(sessions) >= 2
    assert "an upstream's session" in log.getvalue()
    for secret in (TOKEN, TENANT, *sessions, *(session[:12] for session in sessions)):
        assert secret not in everything.replace("mcp-session-id", "")


@pytest.mark.parametrize(
    ("credentials", "said"),
    [
        (Credentials(token_env="NONE", environ={}), "bearer_token_env: the environment has no NONE"),
        (
            Credentials(headers={"X": "env:BAD"}, environ={"BAD": "two\nlines"}),
            "headers.X: the environment has no BAD, or not one",
        ),
        (Credentials(headers={"X": "file:/no/such"}), "headers.X: its file cannot be read"),
    ],
)
def test_what_cannot_be_read_is_named(credentials, said):
    with pytest.raises(NotAllowed, match=said):
        credentials.current()


def test_a_token_that_comes_later_is_taken_up(tmp_path):
    file = tmp_path / "token"

    async def body():
        server = SmallTempo().server()
        async with tempo_at(server) as here, asked(base(here), kind="tempo", credentials=Credentials(file)) as upstream:
            with pytest.raises(UpstreamError, match="bearer_token_file: its file cannot be read"):
                await upstream.call("traceql-search", {"query": "{}"})
            assert not server.headers, "nothing is sent without it"
            file.write_text(TOKEN)
            await upstream.call("traceql-search", {"query": "{}"})

    run(body)


def test_short_values_are_not_taken_out_of_innocent_words():
    assert Credentials(headers={"X-Scope-OrgID": "1"}).hidden("error 1") == "error 1"
