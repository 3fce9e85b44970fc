"""The program as a process: exit codes, the screen at start, signals, logging."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from agent import __version__
from agent.config.model import Log
from agent.log import set_up_logging

REPOSITORY = Path(__file__).parents[2]

HOUSE = """
import sys, types
from dataclasses import dataclass

@dataclass
class Listening:
    otlp_grpc: str = "127.0.0.1:4317"
    otlp_http: str = "127.0.0.1:4318"
    query: str = "127.0.0.1:4319"
    admin: str = "127.0.0.1:4320"

async def run(config, stop, ready=None, reload=None, alive=None):
    {body}

house = types.ModuleType("agent.app")
house.run, house.Listening = run, Listening
sys.modules["agent.app"] = house
from agent.__main__ import main
main()
"""
"""The program with a house that does only ``body``."""


def program(*words: str, body: str | None = None, **environ: str) -> subprocess.Popen[str]:
    start = ["-m", "agent"] if body is None else ["-c", HOUSE.format(body=body)]
    path = os.pathsep.join((str(REPOSITORY), str(REPOSITORY / "proto")))
    return subprocess.Popen(
        [sys.executable, *start, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path, "COLUMNS": "140"} | environ,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def test_version_is_said():
    assert ended(program("--version")) == (0, f"coral-agent {__version__}\n", "")


def test_a_command_does_not_wait_for_what_only_a_running_agent_needs():
    path = os.pathsep.join((str(REPOSITORY), str(REPOSITORY / "proto")))
    command = [sys.executable, "-c", "import sys, agent.__main__; print(*sys.modules)"]
    imported = subprocess.run(command, env={"PYTHONPATH": path}, capture_output=True, text=True, timeout=30, check=True).stdout
    assert not {"duckdb", "numpy", "pyarrow", "uvicorn"} & set(imported.split()), "it takes a second"


def test_a_bad_configuration_is_one_line_and_exit_code_2():
    code, out, err = ended(program("run", CORAL_AGENT__STORE__RETENTION="5"))

    assert (code, out) == (2, "")
    assert err.startswith('store.retention = "5" (CORAL_AGENT__STORE__RETENTION): write')
    assert err.count("\n") == 1


def test_a_refusal_from_inside_the_house_is_one_line_and_exit_code_2():
    body = (
        "import asyncio; from agent.errors import ConfigError\n"
        "    async with asyncio.TaskGroup(): raise ConfigError('admin.endpoint: taken')"
    )

    assert ended(program("run", body=body)) == (2, "", "admin.endpoint: taken\n")


def test_an_unexpected_fault_ends_the_process_with_its_traceback():
    code, _, err = ended(program("run", body="raise KeyError('x')"))

    assert code == 1
    assert "KeyError: 'x'" in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_house_and_exits_0(number: signal.Signals):
    with program("run", body="ready(Listening()); await stop.wait(); print('drained')") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        screen = [process.stdout.readline()]
        while screen[-1].strip() != "coral-agent info":
            screen.append(process.stdout.readline())
        process.send_signal(number)
        rest, err = process.stdout.read(), process.stderr.read()

    assert (process.returncode, err) == (0, "")
    assert screen[0].startswith(f"coral-agent {__version__}")
    assert rest.endswith("drained\n")


def test_the_data_directory_can_be_typed(tmp_path: Path):
    _, out, _ = ended(program("run", "--data-dir", str(tmp_path), body="print(config.store.dir)"))

    assert out == f"{tmp_path}\n"


def test_for_machines_the_start_is_one_event_and_no_screen():
    code, out, err = ended(program("run", body="ready(Listening())", CORAL_AGENT__LOG__FORMAT="json"))

    assert (code, out) == (0, "")
    event = json.loads(err)
    assert (event["event"], event["query"], event["level"]) == ("listening", "127.0.0.1:4319", "info")


@pytest.fixture
def _logging_as_before() -> Iterator[None]:
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**before)


@pytest.mark.usefixtures("_logging_as_before")
def test_both_ways_of_logging_come_out_as_json(capsys: pytest.CaptureFixture[str]):
    set_up_logging(Log.model_validate({"format": "json", "level": "warning"}))

    structlog.get_logger("ours").warning("slow", seconds=2)
    structlog.get_logger("ours").info("not shown")
    logging.getLogger("theirs").error("failed %s", "twice")

    ours, theirs = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (ours["event"], ours["seconds"], ours["logger"], ours["level"]) == ("slow", 2, "ours", "warning")
    assert (theirs["event"], theirs["logger"], theirs["level"]) == ("failed twice", "theirs", "error")


@pytest.mark.usefixtures("_logging_as_before")
def test_for_people_the_log_is_a_line_an_event_and_values_cannot_break_it(capsys: pytest.CaptureFixture[str]):
    set_up_logging(Log())

    structlog.get_logger("ours").warning("refused", peer="a\nb\x1b[31m")

    (line,) = capsys.readouterr().err.splitlines()
    assert r"peer='a\nb\x1b[31m'" in line
