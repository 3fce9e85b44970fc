"""What the guides tell people to type: whole lines of code blocks, and commands in backquotes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.deploy.tools import ROOT

GUIDES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_QUOTED = re.compile(r"`([^`\n]+)`")
_BEGINS = re.compile(
    r"export \w+=|(?:make|coral-agent|coral-colony|curl|docker|getent|grpcurl|install|kubectl|kustomize|openssl|promtool|python[\d.]*|systemctl"
    r"|kind load|iostat|cd|CORAL_TOKEN=\S+|[\w./]*/(?:coral-agent|coral-colony|pip|certificates\.sh)) \S"
)
"""How a command begins: with something behind it, since a program's name alone is a name."""


def commands(guide: Path) -> Iterator[str]:
    """Each command of a guide, as it stands there, without its comment."""
    text = guide.read_text()
    for language, block in _BLOCK.findall(text):
        if language in ("", "sh", "bash"):
            yield from _typed(block)
    for quoted in _QUOTED.findall(_BLOCK.sub("", text)):
        if _BEGINS.match(quoted) or re.match(r"deploy/certificates\.sh \S", quoted):
            yield quoted


def _typed(block: str) -> Iterator[str]:
    """Of a block with a session in it the lines behind a ``$``; of one that begins with a command every line; else nothing."""
    lines = block.replace("\\\n", " ").splitlines()
    if any(line.startswith("$ ") for line in lines):
        lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    elif not _BEGINS.match(lines[0]):
        return
    for line in filter(None, lines):
        yield re.sub(r"\s+", " ", re.sub(r"\s{2,}# .*", "", line)).strip()
