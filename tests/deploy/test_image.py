"""The Dockerfile: what hadolint says, what it copies, and that the last stage has neither compiler nor package tools of ours."""

from __future__ import annotations

import re

from tests.deploy.tools import ROOT, run, tool

DOCKERFILE = (ROOT / "Dockerfile").read_text()
STAGES = DOCKERFILE.split("\nFROM ")[1:]


def test_hadolint_has_nothing_to_say():
    assert run(tool("deploy", "hadolint"), "Dockerfile") == ""


def test_what_is_copied_is_there_and_reaches_the_builder():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    copied = [path for line in re.findall(r"^COPY (?!--)(.+)$", DOCKERFILE, re.MULTILINE) for path in line.split()[:-1]]
    assert copied
    for path in copied:
        assert (ROOT / path).exists(), path
        assert f"!{path}" in ignored, path


def test_both_stages_are_of_one_base_that_a_digest_can_pin():
    assert len(STAGES) == 2
    bases = {stage.split()[0] for stage in STAGES}
    assert bases == {"docker.io/library/python:${PYTHON_TAG}${PYTHON_DIGEST:+@${PYTHON_DIGEST}}"}
    assert re.search(r"^ARG PYTHON_TAG=3\.11-slim", DOCKERFILE, re.MULTILINE)


def test_the_last_stage_installs_nothing_and_runs_as_a_number():
    last = STAGES[-1]
    assert not re.search(r"\bpip\b|apt|gcc", last)
    assert re.findall(r"^USER (.+)$", last, re.MULTILINE) == ["10001:10001"]
    assert '\nCMD ["coral-agent", "run"]\n' in last
    assert "\nHEALTHCHECK " in last
