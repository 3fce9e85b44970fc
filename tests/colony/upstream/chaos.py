"""A proxy that does harm: drops, delays, cuts answers in half, answers 5xx; all drawn from a seed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.ports import free_port

_REFUSAL = b"HTTP/1.1 %d no\r\ncontent-type: text/plain\r\ncontent-length: 4\r\nconnection: close\r\n\r\nlate"


@dataclass
class Chaos:
    """One harm in ``one_in`` connections; none while it is 0."""

    target: int
    one_in: int = 4
    draw: random.Random = field(default_factory=lambda: random.Random(10))
    done: dict[str, int] = field(default_factory=dict)
    writers: set[asyncio.StreamWriter] = field(default_factory=set)
    port: int = field(default_factory=free_port)

    def harm(self) -> str:
        if not self.one_in or self.draw.randrange(self.one_in):
            return ""
        kind = self.draw.choice(["drop", "delay", "half", "502", "503", "reset"])
        self.done[kind] = self.done.get(kind, 0) + 1
        return kind

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        try:
            await self._serve(reader, writer)
        except OSError:
            pass
        finally:
            writer.close()
            self.writers.discard(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        harm = self.harm()
        if harm == "drop":
            return
        if harm == "delay":
            await asyncio.sleep(0.1)
        if harm in ("502", "503"):
            await reader.read(65536)
            writer.write(_REFUSAL % int(harm))
            await writer.drain()
            return
        far, near = await asyncio.open_connection("127.0.0.1", self.target)
        try:
            async with asyncio.TaskGroup() as tasks:
                up = tasks.create_task(_copy(reader, near, -1))
                left = {"half": 120, "reset": 0}.get(harm, -1)
                await _copy(far, writer, left)
                up.cancel()
        finally:
            near.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int) -> None:
    """Copy; at most ``left`` bytes unless it is below zero."""
    try:
        while left and (chunk := await reader.read(65536)):
            writer.write(chunk if left < 0 else chunk[:left])
            await writer.drain()
            left = left if left < 0 else max(0, left - len(chunk))
        if left < 0 and writer.can_write_eof():
            writer.write_eof()
    except OSError:
        pass


@asynccontextmanager
async def chaos(target: int, one_in: int = 4) -> AsyncIterator[Chaos]:
    """The proxy in front of a port."""
    here = Chaos(target, one_in)
    server = await asyncio.start_server(here.serve, "127.0.0.1", here.port)
    try:
        yield here
    finally:
        server.close()
        for writer in here.writers:
            writer.close()
        await server.wait_closed()
