"""deploy/certificates.sh: what it makes is enough for a real agent and a real colony, and for nobody else."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import grpc.aio
import pytest
from coral.agent.v1 import telemetry_query_pb2 as api
from coral.agent.v1 import telemetry_query_pb2_grpc as api_grpc

from colony.outcome import Result
from colony.question import Question
from colony.signals import SPANS
from tests.deploy.tools import ROOT, program, run
from tests.flow.house import House, house, in_house
from tests.flow.town import colony, in_town
from tests.telemetry import request, span

SCRIPT = ROOT / "deploy/certificates.sh"


def made(directory: Path, *arguments: str) -> Path:
    program("openssl", "the Debian package openssl")
    run(SCRIPT, directory, *arguments)
    return directory


def doors(certificates: Path) -> dict[str, str]:
    return {
        "QUERY__TLS__CERT_FILE": str(certificates / "agent/tls.crt"),
        "QUERY__TLS__KEY_FILE": str(certificates / "agent/tls.key"),
        "QUERY__TLS__CLIENT_CA_FILE": str(certificates / "agent/ca.crt"),
    }


def asks(certificates: Path, who: str) -> dict[str, str]:
    return {
        "AGENTS__TLS__CERT_FILE": str(certificates / who / "tls.crt"),
        "AGENTS__TLS__KEY_FILE": str(certificates / who / "tls.key"),
        "AGENTS__TLS__CA_FILE": str(certificates / who / "ca.crt"),
    }


def test_a_colony_and_an_operator_are_answered_over_mutual_tls(tmp_path):
    certificates = made(tmp_path / "certificates", "east")

    async def body():
        async with house(tmp_path / "store", AGENT__ID="n1", **doors(certificates)) as agent:
            await agent.export(request(span(1)))
            for who in ("colony", "operator"):
                assert await asked(agent, asks(certificates, who)) == (1, Result.ANSWERED), who

    in_town(body)


async def asked(agent: House, tls: dict[str, str]) -> tuple[int, Result]:
    async with colony([agent.listening.query], **tls) as rooms:  # type: ignore[arg-type] # environment names, none is keeps
        spans = api.QuerySpansRequest(start_time={"seconds": 1})  # type: ignore[arg-type] # protobuf takes a dict
        answer = (await rooms.desk.find(Question(SPANS, spans))).answer
        return len(answer.rows), answer.outcomes[0].result


def test_the_agents_own_certificate_may_not_ask(tmp_path):
    certificates = made(tmp_path / "certificates")

    async def body():
        async with house(tmp_path / "store", **doors(certificates)) as agent:
            pair = [(certificates / "agent" / name).read_bytes() for name in ("ca.crt", "tls.key", "tls.crt")]
            options = [("grpc.ssl_target_name_override", "agent.coral")]
            credentials = grpc.ssl_channel_credentials(*pair)
            async with grpc.aio.secure_channel(agent.listening.query, credentials, options) as channel:
                with pytest.raises(grpc.aio.AioRpcError):
                    await api_grpc.TelemetryQueryStub(channel).GetDataInfo(api.GetDataInfoRequest(), timeout=5)

    in_house(body)


def test_made_again_the_authority_stays_and_the_pairs_are_new(tmp_path):
    first = {path: path.read_bytes() for path in made(tmp_path).rglob("*") if path.is_file()}
    made(tmp_path)
    same = {path.relative_to(tmp_path).as_posix() for path, content in first.items() if path.read_bytes() == content}
    assert same == {"ca.key", "ca.crt", "agent/ca.crt", "colony/ca.crt", "operator/ca.crt"}


def test_keys_are_for_their_owner_alone_and_the_names_are_what_was_asked_for(tmp_path):
    made(tmp_path, "east", "3")
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.rglob("*.key"))
    told = run(program("openssl", "openssl"), "x509", "-in", tmp_path / "colony/tls.crt", "-noout", "-ext", "subjectAltName")
    assert re.findall(r"URI:(\S+)", told) == ["spiffe://coral/colony/east"]
    run("openssl", "verify", "-CAfile", tmp_path / "ca.crt", *tmp_path.glob("*/tls.crt"))


@pytest.mark.parametrize(("arguments", "names"), [([], "DIRECTORY"), (["d", "a/b"], "COLONY"), (["d", "c", "0"], "DAYS")])
def test_a_wrong_argument_is_named_and_nothing_is_made(arguments, names, tmp_path):
    done = subprocess.run([SCRIPT, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert names in done.stderr
    assert list(tmp_path.iterdir()) == []
