"""The systemd units are valid and leave the programs little room."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest

from tests.deploy.tools import ROOT, program, run

UNITS = sorted((ROOT / "deploy/systemd").glob("*.service"))


@pytest.fixture
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The unit with programs that exist here in the place of /opt/coral's."""
    path = tmp_path / request.param.name
    path.write_text(
        request.param.read_text()
        .replace("/opt/coral/bin/coral-agent", "/bin/true")
        .replace("/opt/coral/bin/coral-colony", "/bin/true")
    )
    return path


each_unit = pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem, indirect=True)


@each_unit
def test_systemd_takes_the_unit_without_a_word(unit):
    assert run(program("systemd-analyze", "the Debian package systemd"), "verify", "--man=no", unit) == ""


@each_unit
def test_its_exposure_is_low(unit):
    run(
        program("systemd-analyze", "the Debian package systemd"),
        "security",
        "--offline=true",
        "--no-pager",
        "--threshold=15",
        unit,
    )


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_it_writes_to_its_state_directory_alone_and_starts_its_own_program(path):
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign] # keys keep their case
    unit.read(path)
    service = unit["Service"]
    assert service["ExecStart"] == f"/opt/coral/bin/{path.stem} run"
    assert service["StateDirectory"] == path.stem
    assert service["ProtectSystem"] == "strict"
    assert "ReadWritePaths" not in service
    assert int(service["TimeoutStopSec"]) >= 30


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_systemd_waits_for_the_open_doors_and_watches_who_sends_beats(path):
    """The programs' side: tests/flow/test_notify.py. The agent's beats come each second, the colony sends none."""
    service = path.read_text()
    assert "\nType=notify\n" in service
    assert ("\nWatchdogSec=30\n" in service) == (path.stem == "coral-agent")
    assert "AF_UNIX" in service.partition("RestrictAddressFamilies=")[2].partition("\n")[0]
