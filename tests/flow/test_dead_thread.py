"""A thread that has ended takes the process with it, in one line."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.flow.house import FREE_PORTS

_DIES = (
    "import sys; from agent.store.flusher import Flusher\n"
    "Flusher.run = lambda self: None\n"
    "from agent.__main__ import main; sys.argv[1:] = ['run']; main()"
)


def test_a_process_whose_flusher_has_ended_says_so_and_exits_1(tmp_path):
    environ = dict(os.environ, **FREE_PORTS, CORAL_AGENT__STORE__DIR=str(tmp_path), CORAL_AGENT__LOG__FORMAT="json")
    ended = subprocess.run([sys.executable, "-c", _DIES], env=environ, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    assert "the flusher has stopped; the agent ends" in ended.stderr
