"""What a store is made with: its part of the configuration, and what it stands on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from agent.clock import Clock
from agent.instruments import Instruments
from agent.store.faults import Faults
from agent.store.lodging import Lodging
from agent.store.steady import SteadyClock


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """What the store needs of the configuration. ``tail_bytes`` bounds the rows that wait in memory for the flusher."""

    directory: Path
    retention_ns: int
    segment_ns: int
    max_bytes: int
    memory_limit_bytes: int
    threads: int = 1
    tail_bytes: int = 128 * 1024 * 1024
    min_free_bytes: int = 0


@dataclass(slots=True)
class Grounds:
    """What a store stands on; ``connect`` makes another DuckDB instance when this one has given up."""

    connection: duckdb.DuckDBPyConnection
    connect: Callable[[], duckdb.DuckDBPyConnection]
    lodging: Lodging
    instruments: Instruments
    faults: Faults
    wall: Clock
    """The machine's clock, which senders share; the store's own never jumps."""
    steady: SteadyClock | None
