"""What a process has used, from /proc, and on which machine: figures that a result carries with it."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import os
import platform
import random
import subprocess
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.clock import SystemClock

REPOSITORY = Path(__file__).parents[1]
QUIET_SECONDS = 2.0
QUIET_CORES = 0.02
"""What an agent's once-a-second loops cost when nothing comes in."""

_TICKS = os.sysconf("SC_CLK_TCK")
_PACKAGES = ("duckdb", "pyarrow", "protobuf", "ptars", "grpcio", "uvloop")


@dataclass(frozen=True, slots=True)
class Use:
    """What a process has used so far; memory in bytes."""

    cpu_seconds: float
    rss: int
    rss_peak: int
    written: int
    files: int


def use_of(pid: int) -> Use:
    """User and system time of all threads, memory now and at its highest, bytes sent to disks, open files.

    Raises:
        FileNotFoundError: the process has ended.
    """
    place = Path("/proc") / str(pid)
    fields = (place / "stat").read_text().rpartition(")")[2].split()
    status = _pairs((place / "status").read_text())
    written = int(_pairs((place / "io").read_text())["write_bytes"])
    rss, peak = (int(status[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
    return Use((int(fields[11]) + int(fields[12])) / _TICKS, rss, peak, written, len(os.listdir(place / "fd")))  # noqa: PTH208 names only


def _pairs(text: str) -> dict[str, str]:
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


def until_quiet(pid: int, at_most_seconds: float = 60, quiet_seconds: float = QUIET_SECONDS) -> tuple[Use, float]:
    """What a process has used once its CPU time has stood still for so long, and when that began; bounded."""
    began = time.monotonic()
    seen = [(began, use_of(pid).cpu_seconds)]
    while time.monotonic() - began < at_most_seconds:
        time.sleep(0.1)
        now, use = time.monotonic(), use_of(pid)
        seen.append((now, use.cpu_seconds))
        while now - seen[0][0] > quiet_seconds:
            then = seen.pop(0)
            if use.cpu_seconds - then[1] <= QUIET_CORES * quiet_seconds:
                return use, then[0] - began
    return use_of(pid), at_most_seconds


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """This process, and whatever it starts meanwhile, on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def held(pid: int, core: int) -> Iterator[None]:
    """Another process, all threads that it has and will have, on one core; at the end it may use again what it could before.

    Raises:
        ProcessLookupError: there is no such process.
        PermissionError: it is somebody else's.
    """
    before = os.sched_getaffinity(pid)
    _keep(pid, {core})
    try:
        yield
    finally:
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            _keep(pid, before)


def _keep(pid: int, cores: set[int]) -> None:
    """Threads inherit from the one that starts them: when none is found elsewhere, all will stay."""
    found = True
    while found:
        found = False
        for thread in map(int, os.listdir(f"/proc/{pid}/task")):  # noqa: PTH208 names only
            with suppress(ProcessLookupError):  # the thread has ended
                if os.sched_getaffinity(thread) != cores:
                    os.sched_setaffinity(thread, cores)
                    found = True


def cores() -> tuple[int, int]:
    """The server's core and the client's; the same when there is one."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


def name_of(pid: int) -> str:
    """What the kernel calls a process."""
    return (Path("/proc") / str(pid) / "comm").read_text().strip()


def bytes_of(directory: Path, pattern: str) -> int:
    """What ``du`` says of the files that match; those that go meanwhile count nothing."""
    total = 0
    for path in directory.glob(pattern):
        with suppress(FileNotFoundError):
            total += path.stat().st_blocks * 512
    return total


def speed_ms(core: int) -> float:
    """CPU milliseconds of a fixed piece of work, best of five: what a core gives on a machine that is shared.

    Two runs can be compared only when this is alike in both.
    """
    dice = random.Random(1)
    numbers = [dice.random() for _ in range(100_000)]
    found = []
    with pinned(core):
        for _ in range(5):
            began = time.process_time()
            zlib.compress(repr(sorted(numbers)[:20_000]).encode(), 1)
            found.append((time.process_time() - began) * 1000)
    return round(min(found), 1)


def about(checkout: Path = REPOSITORY) -> dict[str, Any]:
    """Machine, versions, commit, date and how busy the machine was."""
    cpu = _pairs(Path("/proc/cpuinfo").read_text().replace("\t", "")).get("model name", platform.machine())
    memory = _pairs(Path("/proc/meminfo").read_text())["MemTotal"]
    return {
        "date": today().isoformat(timespec="seconds"),
        "commit": _git(checkout, "rev-parse", "HEAD"),
        "uncommitted": bool(_git(checkout, "status", "--porcelain", "--", "agent", "proto", "bench/*.py")),
        "machine": {
            "cpu": cpu,
            "cores": os.cpu_count(),
            "memory": memory,
            "kernel": platform.release(),
            "load_average": os.getloadavg()[0],
            "speed_ms": speed_ms(cores()[0]),
        },
        "versions": {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in _PACKAGES}},
    }


def today() -> dt.datetime:
    """Now, in UTC."""
    return dt.datetime.fromtimestamp(SystemClock().now_ns() / 1e9, dt.UTC)


def _git(checkout: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=checkout, capture_output=True, text=True, check=False)
    return done.stdout.strip()
