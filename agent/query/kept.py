"""What is kept, per signal and service: the answer of GetDataInfo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from coral.agent.v1 import telemetry_query_pb2 as api

from agent import schema
from agent.batch import Signal
from agent.query import sql
from agent.scrub.scrubber import Scrubber
from agent.store.reader import Reading, SegmentUnreadable

MAX_SERVICES = 1000
"""Of each signal, by name; the totals count all."""


SERVICE_BYTES = 96
"""What a service's entry takes beside its name, at most."""


@dataclass(slots=True)
class Kept:
    """Rows, and the earliest and latest event time among them."""

    rows: int = 0
    earliest_ns: int = 2**63 - 1
    latest_ns: int = 0

    def add(self, rows: int, earliest_ns: int, latest_ns: int) -> None:
        """Count more rows in."""
        self.rows += rows
        self.earliest_ns = min(self.earliest_ns, earliest_ns)
        self.latest_ns = max(self.latest_ns, latest_ns)


@dataclass(slots=True)
class Inventory:
    """What a reading found, by signal and scrubbed service name."""

    services: dict[Signal, dict[str, Kept]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def messages(self, bytes_per_row: float, max_bytes: int) -> list[api.SignalInfo]:
        """The signals with anything kept, each within a third of ``max_bytes``; bytes on disk are shared out by rows."""
        room = max_bytes // len(Signal)
        return [_signal(signal, services, bytes_per_row, room) for signal, services in self.services.items() if services]


def inventory(reading: Reading, own: tuple[str, ...] | None, scrubbers: Mapping[Signal, Scrubber]) -> Inventory:
    """Count what this agent may show; on a reader's thread."""
    found = Inventory()
    for signal in schema.TABLES:
        services = found.services.setdefault(signal, {})
        for source in reading.sources(signal):
            try:
                rows = reading.summarise(source, sql.kept(own, source, schema.TIME_COLUMNS[signal]))
            except SegmentUnreadable as fault:
                found.warnings.append(f"segment {fault.segment} could not be read; its rows are not counted")
                continue
            for name, *counted in rows:
                services.setdefault(scrubbers[signal].text(name), Kept()).add(*counted)
    return found


def _signal(signal: Signal, services: Mapping[str, Kept], bytes_per_row: float, room: int) -> api.SignalInfo:
    total = Kept()
    message = api.SignalInfo(signal=signal)
    for kept in services.values():
        total.add(kept.rows, kept.earliest_ns, kept.latest_ns)
    for name, kept in sorted(services.items())[:MAX_SERVICES]:
        room -= len(name.encode()) + SERVICE_BYTES
        if room < 0:
            break
        service = message.services.add(service_name=name, rows=kept.rows, bytes=round(kept.rows * bytes_per_row))
        service.earliest_time.FromNanoseconds(kept.earliest_ns)
        service.latest_time.FromNanoseconds(kept.latest_ns)
    message.rows = total.rows
    message.bytes = round(total.rows * bytes_per_row)
    message.earliest_time.FromNanoseconds(total.earliest_ns)
    message.latest_time.FromNanoseconds(total.latest_ns)
    return message
