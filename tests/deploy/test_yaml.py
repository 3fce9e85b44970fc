"""Every YAML file of deploy/ is tidy."""

from __future__ import annotations

from tests.deploy.tools import ROOT, run, tool


def test_yamllint_has_nothing_to_say():
    told = run(tool("deploy", "yamllint"), "--strict", "-c", ROOT / "deploy/yamllint.yaml", "deploy", "tests/deploy/schemas")
    assert told == ""
