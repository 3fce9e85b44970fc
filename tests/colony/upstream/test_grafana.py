"""A Tempo is found behind a Grafana, remembered, and looked for again when it is not there any more."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import Receive, Scope, Send

from colony.instruments import Instruments
from colony.upstream.client import Upstream, keeping
from colony.upstream.credentials import Credentials
from colony.upstream.faults import Down, ProtocolFault
from colony.upstream.grafana import chosen, finding
from colony.upstream.keeper import State
from colony.upstream.tempo import TempoClient
from tests.colony.rows import span
from tests.colony.upstream.goish import GoServer
from tests.colony.upstream.servers import Restartable, run, settings
from tests.colony.upstream.small_tempo import SmallTempo, base

TOKEN = "glsa_for_grafana"
LOKI = {"uid": "l", "name": "Loki", "type": "loki", "isDefault": True}
TEMPO = {"uid": "t1", "name": "Tempo", "type": "tempo"}


@dataclass
class SmallGrafana:
    """Lists datasources to whoever has the token, and hands on to the Tempo of a uid."""

    datasources: list[dict[str, Any]]
    tempos: dict[str, GoServer]
    listed: int = 0
    prefix: str = ""
    paths: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        path = scope["path"].removeprefix(self.prefix)
        self.paths.append(path)
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            await JSONResponse({"message": "Unauthorized"}, 401)(scope, receive, send)
        elif path == "/api/datasources":
            self.listed += 1
            await JSONResponse(self.datasources)(scope, receive, send)
        elif path.startswith("/api/datasources/proxy/uid/"):
            uid, _, rest = path.removeprefix("/api/datasources/proxy/uid/").partition("/")
            app = self.tempos.get(uid, PlainTextResponse("not found", 404))
            await app({**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode(), "root_path": ""}, receive, send)
        else:
            await PlainTextResponse("not found", 404)(scope, receive, send)


async def with_grafana(grafana: SmallGrafana, body, token: str = TOKEN, **fields):
    here = Restartable(lambda: (grafana, None))
    await here.start()
    credentials = Credentials(token_env="T", environ={"T": token})
    wanted = settings(base(here) + grafana.prefix, kind="grafana", credentials=credentials, **fields)
    upstream = Upstream(wanted, Instruments(CollectorRegistry()), finding(wanted))
    async with keeping(upstream):
        await upstream.settled()
        await body(upstream)
        for tempo in grafana.tempos.values():
            tempo.closing.set()
    await here.stop()


@pytest.mark.parametrize("prefix", ["", "/grafana"])
def test_a_tempo_is_found_by_a_token_and_remembered(prefix):
    async def body():
        server = SmallTempo([span()]).server()
        grafana = SmallGrafana([LOKI, TEMPO], {"t1": server}, prefix=prefix)

        async def asks(upstream):
            assert upstream.status.state is State.UP, upstream.status
            assert len(await TempoClient(upstream).search("{}")) == 1
            server.refuse.append(PlainTextResponse("Invalid session ID\n", 404))
            assert len(await TempoClient(upstream).search("{}")) == 1
            assert grafana.listed == 1

        await with_grafana(grafana, asks)

    run(body)


def test_a_datasource_that_moved_is_found_again():
    async def body():
        server = SmallTempo([span()]).server()
        grafana = SmallGrafana([TEMPO], {"t1": server})

        async def asks(upstream):
            grafana.tempos = {"t2": server}
            grafana.datasources = [{**TEMPO, "uid": "t2"}]
            for _ in range(4):
                try:
                    found = await TempoClient(upstream).search("{}")
                    break
                except Down:
                    pass
            assert len(found) == 1
            assert grafana.listed == 2

        await with_grafana(grafana, asks)

    run(body)


def test_a_token_that_may_not_is_told_without_it():
    async def body():
        async def asks(upstream):
            assert upstream.status.state is State.DOWN
            assert "HTTP 401" in upstream.status.last_fault
            with pytest.raises(Down) as refused:
                await TempoClient(upstream).search("{}")
            assert "another" not in refused.value.message

        await with_grafana(SmallGrafana([TEMPO], {}), asks, token="another_token")

    run(body)


def test_which_datasource_is_meant():
    second = {"uid": "t2", "name": "Another", "type": "tempo"}
    assert chosen("g", [LOKI, TEMPO, second]) == "t2"
    assert chosen("g", [LOKI, {**TEMPO, "isDefault": True}, second]) == "t1"
    assert chosen("g", [TEMPO, second], "Tempo") == "t1"
    assert chosen("g", [TEMPO, second], "t2") == "t2"
    with pytest.raises(ProtocolFault, match='no Tempo datasource "x" that this token may see; it has Another, Tempo'):
        chosen("g", [TEMPO, second], "x")
    with pytest.raises(ProtocolFault, match="it has none of type tempo"):
        chosen("g", [LOKI])
    with pytest.raises(ProtocolFault, match="it has none"):
        chosen("g", {"message": "no"})


def test_what_is_no_grafana_says_so():
    async def body():
        here = Restartable(lambda: (PlainTextResponse("<html>hello</html>"), None))
        await here.start()
        wanted = settings(base(here), kind="grafana")
        async with keeping(Upstream(wanted, Instruments(CollectorRegistry()), finding(wanted))) as upstream:
            assert "is url that of a Grafana?" in (await upstream.settled()).last_fault
        await here.stop()

    run(body)
