"""Where agents are: by address, behind a DNS name, or in a file that is watched."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from pathlib import Path

import structlog

from colony.endpoint import Endpoint
from colony.instruments import Instruments

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Sources:
    """What the configuration says of where agents are."""

    listed: tuple[Endpoint, ...] = ()
    dns: Endpoint | None = None
    file: Path | None = None


class Discovery:
    """Looks up every source again; one that fails keeps what it said last, and is counted and logged."""

    def __init__(self, sources: Sources, instruments: Instruments) -> None:
        self._sources = sources
        self._instruments = instruments
        self._known: dict[str, tuple[Endpoint, ...]] = {}
        self._faults: dict[str, str] = {}
        self._stamp: tuple[int, int, int] | None = None

    @property
    def faults(self) -> dict[str, str]:
        """The sources that cannot be read now, and why."""
        return dict(self._faults)

    async def look(self) -> list[Endpoint]:
        """Every agent's address, each once, in order."""
        if self._sources.dns is not None:
            await self._resolve(self._sources.dns)
        if self._sources.file is not None:
            self._read(self._sources.file)
        found = [*self._sources.listed, *(endpoint for known in self._known.values() for endpoint in known)]
        return sorted(set(found), key=str)

    def file_has_changed(self) -> bool:
        """Whether the file is another than the one that was read last."""
        return self._sources.file is not None and _stamp(self._sources.file) != self._stamp

    async def _resolve(self, name: Endpoint) -> None:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(name.host, name.port, type=socket.SOCK_STREAM)
        except OSError as error:
            self._fail("dns", f"{name.host}: {error.strerror or error}")
            return
        self._succeed("dns", tuple(Endpoint(str(address[0]), name.port) for *_, address in found))

    def _read(self, path: Path) -> None:
        self._stamp = _stamp(path)
        try:
            lines = [line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
            found = tuple(_parsed(number, line) for number, line in enumerate(lines, 1) if line)
        except OSError as error:
            self._fail("file", f"{path}: {error.strerror}")
        except ValueError as error:  # not UTF-8, too
            self._fail("file", f"{path}: {error}")
        else:
            self._succeed("file", found)

    def _succeed(self, source: str, found: tuple[Endpoint, ...]) -> None:
        self._known[source] = found
        self._faults.pop(source, None)

    def _fail(self, source: str, fault: str) -> None:
        self._instruments.discovery_failures.labels(source).inc()
        if self._faults.get(source) != fault:
            _log.warning("agents could not be looked up; those known before stay", source=source, fault=fault)
        self._faults[source] = fault


def _parsed(number: int, line: str) -> Endpoint:
    try:
        return Endpoint.parse(line)
    except ValueError as error:
        raise ValueError(f"line {number}: {error}") from error


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
