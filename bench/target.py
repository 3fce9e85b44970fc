"""What is measured: an agent that this bench starts and ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.machine import REPOSITORY, pinned

START_SECONDS = 60
STOP_SECONDS = 120
BYTECODE = Path(tempfile.gettempdir(), "coral-bench-bytecode")
_COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}
"""An installed agent is compiled; compiling its modules at every start takes 0.2 s."""

_DOORS = ("OTLP__GRPC", "OTLP__HTTP", "QUERY", "ADMIN")


@dataclass(frozen=True, slots=True)
class Target:
    """A process and its doors."""

    pid: int
    otlp_grpc: str
    otlp_http: str
    query: str
    admin: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A process's whole life: CPU time of all of it, and how long it took to end."""

    cpu_seconds: float
    stop_seconds: float


@dataclass(frozen=True, slots=True)
class Installed:
    """An agent that is of no checkout: how it is started, and its whole environment."""

    command: Sequence[str]
    environ: Mapping[str, str]


class Agent:
    """``python -m agent run`` on one core, with free ports and everything else at its default."""

    def __init__(
        self,
        directory: Path,
        core: int,
        settings: Mapping[str, str],
        checkout: Path = REPOSITORY,
        installed: Installed | None = None,
    ) -> None:
        """Start it and wait until it listens; ``settings`` are environment names without their prefix.

        It is ``installed``'s, when that is given, and else the checkout's.

        Raises:
            RuntimeError: it does not come up; its log is in the message.
        """
        self.directory = directory
        self._log = directory.with_suffix(".log")
        ports = {f"CORAL_AGENT__{door}__ENDPOINT": "127.0.0.1:0" for door in _DOORS}
        asked = {f"CORAL_AGENT__{name}": value for name, value in settings.items()}
        program = installed or Installed(
            [sys.executable, "-m", "agent"],
            os.environ | {"PYTHONPATH": f"{checkout}:{checkout / 'proto'}", "PYTHONPYCACHEPREFIX": str(BYTECODE)} | _COMPILED,
        )
        inherited = {name: value for name, value in program.environ.items() if not name.startswith("CORAL_AGENT")}
        began = time.monotonic()
        with pinned(core), self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*program.command, "run", "--data-dir", str(directory)],
                cwd=checkout,
                env=inherited | ports | {"CORAL_AGENT__LOG__FORMAT": "json"} | asked,
                stderr=log,
                stdout=log,
            )
        self.target = self._listening()
        self.start_seconds = time.monotonic() - began

    def _listening(self) -> Target:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            for line in self.log().splitlines():
                event = json.loads(line) if line.startswith("{") else {}
                if event.get("event") == "listening":
                    return Target(self._process.pid, *(event[door] for door in ("otlp_grpc", "otlp_http", "query", "admin")))
            time.sleep(0.01)
        self.kill()
        raise RuntimeError(f"the agent did not come up:\n{self.log()}")

    def log(self) -> str:
        """What it has said."""
        return self._log.read_text(errors="replace")

    def complaints(self) -> list[str]:
        """Warnings and errors that it logged."""
        return [line for line in self.log().splitlines() if '"level": "warning"' in line or '"level": "error"' in line]

    def accepted(self, word: str = "spans") -> int:
        """Records it says it kept, by its own counter."""
        name = f"coral_agent_receiver_accepted_{word}_total"
        with urllib.request.urlopen(f"http://{self.target.admin}/metrics", timeout=10) as page:
            text = page.read().decode()
        return round(sum(float(value) for value in re.findall(rf"^{name}{{[^}}]*}} (\S+)$", text, re.MULTILINE)))

    def stop(self) -> Ended:
        """Ask it to end, which seals everything, and wait.

        Raises:
            RuntimeError: it did not end in time, or not with success.
        """
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        while time.monotonic() - began < STOP_SECONDS:
            pid, status, used = os.wait4(self._process.pid, os.WNOHANG)
            if pid:
                self._process.returncode = os.waitstatus_to_exitcode(status)
                if self._process.returncode:
                    raise RuntimeError(f"the agent ended with {self._process.returncode}:\n{self.log()}")
                return Ended(used.ru_utime + used.ru_stime, time.monotonic() - began)
            time.sleep(0.01)
        self.kill()
        raise RuntimeError(f"the agent did not end within {STOP_SECONDS} s:\n{self.log()}")

    def kill(self) -> None:
        """End it if it still runs."""
        if self._process.returncode is None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)
