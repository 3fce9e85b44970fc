"""An agent in a process of its own that watches itself: how long its loop was blocked, and how much memory it took.

Started as a program it serves until standard input ends, and answers each line there with one line of JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
import uvloop

from agent.app import Listening, run
from agent.config.model import Config
from tests.conformance.heartbeat import Heartbeat
from tests.flow.house import FREE_PORTS


@dataclass
class Watched:
    """The process; ``doors`` are its addresses."""

    process: subprocess.Popen[str]
    doors: dict[str, str]

    def mark(self) -> None:
        """Forget what was measured so far."""
        self._ask("mark")

    def measured(self) -> tuple[float, int]:
        """Since the mark: the longest that the loop was blocked, in milliseconds, and the growth of memory in bytes."""
        answer = self._ask("read")
        return answer["blocked_ms"], answer["growth"]

    def _ask(self, word: str) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@contextlib.contextmanager
def watched(directory: Path, bound_seconds: float = 110, **settings: str) -> Iterator[Watched]:
    """The process, up and listening; killed at the end, or when it takes too long."""
    environ = dict(os.environ, PYTHONPATH=":".join(sys.path), CORAL_AGENT__STORE__DIR=str(directory), **FREE_PORTS)
    environ |= {f"CORAL_AGENT__{name}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "tests.conformance.watched"]
    with subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        alarm = threading.Timer(bound_seconds, process.kill)
        alarm.start()
        try:
            assert process.stdout
            yield Watched(process, json.loads(process.stdout.readline()))
        finally:
            alarm.cancel()
            process.kill()


def _memory(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found
    return int(found.group(1)) << 10


async def _watch() -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    heart, before = Heartbeat(), [0]

    def say(answer: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()

    def listening(doors: Listening) -> None:
        say({name: getattr(doors, name) for name in ("otlp_grpc", "otlp_http", "query", "admin")})

    def heard(word: str) -> None:
        if word == "mark":
            Path("/proc/self/clear_refs").write_text("5")  # the peak of memory begins again
            before[0] = _memory("VmRSS")
            heart.reset()
            say({})
        elif word == "read":
            say({"blocked_ms": heart.blocked_seconds * 1000, "growth": _memory("VmHWM") - before[0]})
        else:
            stop.set()

    def listen() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(heard, line.strip())
        loop.call_soon_threadsafe(heard, "end")

    threading.Thread(target=listen, daemon=True).start()
    async with asyncio.TaskGroup() as tasks:
        beating = tasks.create_task(heart.beat())
        await run(Config.load(None, dict(os.environ)), stop, listening)
        beating.cancel()


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # standard output is for answers
    uvloop.run(_watch())
