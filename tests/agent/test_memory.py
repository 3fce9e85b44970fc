"""What was freed goes back to the system."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from agent.memory import trim, trimming

_MIB = 1 << 20


def own_bytes() -> int:
    """The process's memory that no file backs."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Anonymous:"))


def freed_between_used() -> list[bytes]:
    """What keeps 64 MiB of freed memory from being at the end, where glibc gives it back by itself."""
    return [bytes(16 * 1024) for _ in range(4096)][::64]


def test_trimming_gives_back_what_is_free_between_what_is_used():
    kept = freed_between_used()
    before = own_bytes()
    trim()
    assert own_bytes() < before - 32 * _MIB
    assert len(kept) == 64


def test_it_is_done_every_so_often():
    async def given_back() -> None:
        async with asyncio.timeout(5), trimming(0.0):
            while own_bytes() > before - 32 * _MIB:
                await asyncio.to_thread(own_bytes)

    kept = freed_between_used()
    before = own_bytes()
    asyncio.run(given_back())
    assert len(kept) == 64


def test_arrow_does_not_ask_for_huge_pages():
    script = "from agent.memory import spare_memory; spare_memory(); import pyarrow as pa; print(pa.default_memory_pool().backend_name)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "jemalloc\n"


def test_what_a_start_has_made_is_not_looked_through_again():
    script = "import gc; from agent.memory import settle; import agent.app; settle(); print(gc.get_freeze_count(), len(gc.get_objects()))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    frozen, searched = map(int, done.stdout.split())
    assert done.stderr == ""
    assert frozen > 20_000
    assert searched < frozen / 20
