"""The house stays as it was drawn: small files that say what they are for, no room without tests, no banned names."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(path for program in ("agent", "colony") for path in (ROOT / program).rglob("*.py"))
ALL = sorted([*SOURCES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "bench").rglob("*.py")])
BANNED = {
    *("utils", "helpers", "common", "misc", "base", "core", "manager", "handler", "processor"),
    *("data", "info", "item", "obj"),
}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", ALL, ids=relative)
def test_a_file_is_at_most_300_lines_and_opens_with_its_purpose(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    assert (path.name == "__init__.py" and not text) or ast.get_docstring(ast.parse(text)), "open it with its purpose"


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_function_is_at_most_40_lines(path):
    long = {
        node.name: node.end_lineno - node.lineno + 1
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno and not _is_command(node)
        if node.end_lineno - node.lineno + 1 > 40
    }
    assert not long


def _is_command(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether typer calls it: its parameters are its options, one a line."""
    return any("command" in ast.unparse(decorator) for decorator in node.decorator_list)


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_no_file_and_no_class_has_a_name_that_says_nothing(path):
    classes = [node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]
    words = {part.lower() for name in classes for part in re.findall(r"[A-Z]?[a-z]+", name)[-1:]}
    assert not {path.stem, *words} & BANNED


_UNEXPLAINED = re.compile(r"# (?:noqa(?:: [A-Z]+[0-9]+(?:, ?[A-Z]+[0-9]+)*)?|type: ignore(?:\[[a-z, -]+\])?)\s*$", re.MULTILINE)


@pytest.mark.parametrize("path", ALL, ids=relative)
def test_what_a_checker_is_told_to_pass_over_has_its_reason_on_the_line(path):
    assert not _UNEXPLAINED.findall(path.read_text())


ROOMS = [
    *(f"agent/{room}" for room in ("cli", "config", "decode", "query", "receive", "scrub", "store")),
    *(
        f"colony/{room}"
        for room in ("answer", "cli", "config", "orchestrator", "registry", "server", "summaries", "tools", "trace", "upstream")
    ),
]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_has_its_mirror_in_the_tests(room):
    assert list((ROOT / "tests" / room).glob("test_*.py"))


def test_generated_code_is_what_its_source_says(tmp_path):
    for source, options in (
        ("coral/agent/v1/telemetry_query.proto", ["--pyi_out", "--grpc_python_out"]),
        ("otlp_columns/otlp_columns.proto", ["--pyi_out"]),
    ):
        outputs = [f"{option}={tmp_path}" for option in ["--python_out", *options]]
        command = [sys.executable, "-W", "ignore", "-m", "grpc_tools.protoc", f"-I{ROOT}/proto", *outputs, source]
        subprocess.run(command, check=True, cwd=ROOT)
    generated = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(generated) == 5
    for path in generated:
        committed = ROOT / "proto" / path.relative_to(tmp_path)
        assert committed.read_text() == path.read_text(), f"make proto: {committed} is out of date"


def test_the_requirements_are_hashed_and_name_no_host():
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text()
        assert "://" not in text
        pinned = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
        assert pinned
        assert all(line.endswith("\\") and "==" in line for line in pinned)
