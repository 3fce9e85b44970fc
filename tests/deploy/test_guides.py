"""What the guides tell people to type exists: files, targets of make, commands and their options."""

from __future__ import annotations

import functools
import re
import sys

import pytest

from tests.deploy.tools import ROOT, run

GUIDES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
_FENCED = re.compile(r"^```(?:sh|bash)?\n(.*?)^```", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_DEPLOYMENT = "deploy/coral"
"""As kubectl names a Deployment."""


def lines(text: str) -> list[str]:
    """What stands in code: the lines of blocks without a language, and words in backquotes."""
    blocks = [line for block in _FENCED.findall(text) for line in block.splitlines()]
    return [line.split("  #")[0].removeprefix("$ ").strip() for line in blocks] + _CODE.findall(_FENCED.sub("", text))


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_a_file_that_a_guide_names_is_there(guide):
    text = guide.read_text()
    for path in re.findall(r"(?<![\w/.-])((?:deploy|requirements|tests)/[\w./-]*\w)", text):
        assert path == _DEPLOYMENT or (ROOT / path).exists(), path


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_a_target_of_make_that_a_guide_names_is_there(guide):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in lines(guide.read_text()):
        if match := re.match(r"make ((?:[a-z]+ ?)+)$", line):
            assert set(match[1].split()) <= targets, line


@functools.cache
def help_of(program: str, command: str) -> str:
    module = {"coral-agent": "agent", "coral-colony": "colony"}[program]
    return run(sys.executable, "-m", module, *([command] if command else []), "--help")


def typed() -> list[str]:
    """Each command of ours that a guide gives, once."""
    found = {line for guide in GUIDES for line in lines(guide.read_text())}
    commands = {match[0] for line in found if (match := re.search(r"(?<![\w-])coral-(agent|colony) [a-z-].*$", line))}
    return sorted(line for line in commands if not re.search(r"=|\.service", line.split()[1]))


@pytest.mark.parametrize("line", typed())
def test_a_command_of_ours_and_its_options_exist(line):
    program, first, *rest = re.split(r"[\s|;,]+", line.replace("[", " ").replace("]", " "))
    command = "" if first.startswith("-") else first
    assert not command or re.search(rf"\b{command}\b", help_of(program, "")), line
    told = help_of(program, command)
    for option in (word for word in (first, *rest) if re.fullmatch(r"--[a-z][a-z-]*", word)):
        assert option in told, option
