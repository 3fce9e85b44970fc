"""Files and options that the guides name exist: what stands in the text and is not typed as a whole."""

from __future__ import annotations

import functools
import re

import pytest
from typer.testing import CliRunner

import agent.__main__  # noqa: F401 registers the command run and the option --version
import colony.__main__  # noqa: F401 likewise
from agent.cli.commands import commands as agent_commands
from colony.cli.commands import commands as colony_commands
from tests.deploy.tools import ROOT
from tests.deploy.typed import GUIDES, commands

_DEPLOYMENT = "deploy/coral"
"""As kubectl names a Deployment."""


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_a_file_that_a_guide_names_is_there(guide):
    text = guide.read_text()
    for path in re.findall(r"(?<![\w/.-])((?:deploy|requirements|tests)/[\w./-]*\w)", text):
        assert path == _DEPLOYMENT or (ROOT / path).exists(), path


@functools.cache
def help_of(program: str, command: str) -> str:
    typed = {"coral-agent": agent_commands, "coral-colony": colony_commands}[program]
    told = CliRunner().invoke(typed, [*([command] if command else []), "--help"], prog_name=program)
    assert told.exit_code == 0, told.output
    return told.output


def of_ours() -> list[str]:
    """Each command of ours that a guide gives, once: also inside of another's, like kubectl exec."""
    lines = {line for guide in GUIDES for line in commands(guide)}
    return sorted({match[0] for line in lines if (match := re.search(r"(?<![\w:-])coral-(agent|colony) [a-z-].*$", line))})


@pytest.mark.parametrize("line", of_ours())
def test_a_command_of_ours_and_its_options_exist(line):
    program, first, *rest = re.split(r"[\s|;,]+", line.replace("[", " ").replace("]", " "))
    command = "" if first.startswith("-") else first
    assert not command or re.search(rf"\b{command}\b", help_of(program, "")), line
    told = help_of(program, command)
    for option in (word for word in (first, *rest) if re.fullmatch(r"--[a-z][a-z-]*", word)):
        assert option in told, option
