"""The colony before agents behind mutual TLS: its identity lets it in, and whoever may not ask is told by each agent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from coral.agent.v1 import telemetry_query_pb2 as api

from colony.outcome import Outcome, Result
from colony.question import Question
from colony.signals import SPANS
from tests.flow.certificates import Authority, Pair
from tests.flow.test_mtls import AUTHORITY, COLONY, REFUSAL, guarded
from tests.flow.town import colony, in_town


async def asked(directory: Path, target: str, pair: Pair, ca: bytes = AUTHORITY.pem, **settings: str) -> tuple[int, Outcome]:
    """How many spans a colony with this certificate is given, and the agent's outcome."""
    cert, key = pair.write(directory, "colony")
    (directory / "colony-ca.pem").write_bytes(ca)
    tls: dict[str, Any] = {
        "AGENTS__TLS__CERT_FILE": str(cert),
        "AGENTS__TLS__KEY_FILE": str(key),
        "AGENTS__TLS__CA_FILE": str(directory / "colony-ca.pem"),
    }
    async with colony([target], **(tls | settings)) as rooms:
        request = api.QuerySpansRequest(service_name="checkout", start_time={"seconds": 1})
        answer = (await rooms.desk.find(Question(SPANS, request))).answer
        return len(answer.rows), answer.outcomes[0]


def test_a_colony_is_answered_and_a_stranger_is_told_that_it_was_refused(tmp_path):
    async def body():
        async with guarded(tmp_path, AGENT__ID="n1") as agent:
            target = agent.listening.query
            rows, outcome = await asked(tmp_path, target, AUTHORITY.issue(COLONY))
            assert (rows, outcome.agent, outcome.result) == (1, "n1", Result.ANSWERED)
            rows, outcome = await asked(tmp_path, target, AUTHORITY.issue("spiffe://coral/agent/a1"))
            assert (rows, outcome.agent, outcome.result) == (0, target, Result.REFUSED)
            assert outcome.reason == f"PERMISSION_DENIED: {REFUSAL}"

    in_town(body)


def test_an_agent_that_cannot_show_who_it_is_is_not_asked(tmp_path):
    async def body():
        async with guarded(tmp_path, AGENT__ID="n1") as agent:
            target, own = agent.listening.query, AUTHORITY.issue(COLONY)
            for ca, name in ((Authority("another").pem, "agent.coral"), (AUTHORITY.pem, "other.coral")):
                rows, outcome = await asked(tmp_path, target, own, ca, AGENTS__TLS__SERVER_NAME=name)
                assert (rows, outcome.result) == (0, Result.UNREACHABLE), name

    in_town(body)
