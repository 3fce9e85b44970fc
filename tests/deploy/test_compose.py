"""The compose file: what it tells the programs is what they accept, and nothing is published beyond this machine."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from agent import __version__
from agent.config.model import Config as AgentConfig
from colony.config.model import Config as ColonyConfig
from tests.deploy.tools import ROOT, Manifest

COMPOSE = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())
SERVICES: dict[str, Manifest] = COMPOSE["services"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_restricted(name):
    service = SERVICES[name]
    assert service["image"] == f"coral-agent:{__version__}"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["user"] == "10001:10001"
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_the_programs_accept_what_it_tells_them(tmp_path: Path):
    (tmp_path / "token").write_text("0123456789abcdef0123456789abcdef")
    agent = AgentConfig.load(None, SERVICES["agent"]["environment"] | {"XDG_STATE_HOME": "/var/lib"})
    told = {
        name: value.replace("/run/secrets/coral-token", str(tmp_path / "token"))
        for name, value in SERVICES["colony"]["environment"].items()
    }
    colony = ColonyConfig.load(None, told | {"XDG_STATE_HOME": "/var/lib"})
    assert agent.query.endpoint.is_local
    assert [str(one) for one in colony.agents.listed] == [str(agent.query.endpoint)]
    assert SERVICES["colony"]["network_mode"] == "service:agent"
    assert all(Path(mount.split(":")[1]) == Path("/var/lib/coral-colony") for mount in SERVICES["colony"]["volumes"])
