"""An agent with fixed answers, which the command line asks by default."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.agent.cli.answering import FixedAgent, started


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Iterator[FixedAgent]:
    found = FixedAgent()
    server, address = started(found, lambda server: server.add_insecure_port("127.0.0.1:0"))
    monkeypatch.setenv("CORAL_AGENT__QUERY__ENDPOINT", address)
    yield found
    server.stop(None).wait(5)
