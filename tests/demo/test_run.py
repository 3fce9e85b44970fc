"""The demo: all three signals of both services arrive, each at its own agent, and nothing is left behind."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent.parent


def test_it_sends_all_three_signals_of_both_services_and_says_what_to_ask(tmp_path: Path):
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-m", "demo.run", "--free-ports", "--seconds", "4"],
        cwd=ROOT,
        env={"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    for signal in ("traces", "metrics", "logs"):
        assert re.search(rf"^kept {signal}: .*\bpayments \d+ on node-2", ended.stdout, re.MULTILINE), ended.stdout
        assert re.search(rf"^kept {signal}: .*\bshop \d+ on node-1", ended.stdout, re.MULTILINE), ended.stdout
    assert re.search(r"export CORAL_COLONY__AGENTS__STATIC=127\.0\.0\.1:\d+,127\.0\.0\.1:\d+$", ended.stdout, re.MULTILINE)
    assert re.search(r"coral-colony trace [0-9a-f]{32}$", ended.stdout, re.MULTILINE)
    assert re.search(r"coral-agent info --target 127\.0\.0\.1:\d+$", ended.stdout, re.MULTILINE)
    assert re.search(r"^> coral_reconstruct_trace\(trace_id='[0-9a-f]{32}'\)", ended.stdout, re.MULTILINE), ended.stdout
    assert re.search(r"^  trace [0-9a-f]{32}: \d spans, ", ended.stdout, re.MULTILINE), ended.stdout
    assert list(tmp_path.iterdir()) == []
    assert [process.pid for process in psutil.process_iter() if _works_in(process, tmp_path)] == []


def _works_in(process: psutil.Process, directory: Path) -> bool:
    try:
        return process.environ().get("TMPDIR") == str(directory)
    except psutil.Error:
        return False
