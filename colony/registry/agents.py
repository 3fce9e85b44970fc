"""Pure: what is known of an agent, and what follows when several say that they are the same."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from coral.agent.v1 import telemetry_query_pb2 as api

from colony.clock import SECOND_NS
from colony.endpoint import Endpoint
from colony.outcome import Result, one_line
from colony.signals import SPANS, Signal, time_ns

MAX_LISTED = 1000
"""Agents list so many services of a signal, by name; one that lists as many may have more."""

LEAST_OFFSET_NS = SECOND_NS
"""Clocks nearer than this count as right: the times of one request differ as much."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What an agent has of one service and signal."""

    rows: int
    earliest_ns: int
    latest_ns: int


@dataclass(frozen=True, slots=True)
class Inventory:
    """What an agent said of itself. ``offset_ns`` is how far its clock is ahead, known to ``offset_error_ns``."""

    agent_id: str
    instance_id: str
    version: str
    retention_ns: int
    offset_ns: int
    offset_error_ns: int
    answered_ns: int
    since_ns: int
    """Since when it keeps every span that it was sent, by the colony's clock."""
    services: Mapping[str, Mapping[str, Kept]]
    """By signal and service."""
    warnings: tuple[str, ...] = ()

    @property
    def shift_ns(self) -> int:
        """What its times are to be corrected by: nothing, unless its clock is surely wrong."""
        return self.offset_ns if abs(self.offset_ns) > max(LEAST_OFFSET_NS, 2 * self.offset_error_ns) else 0

    def lists(self, service: str, signal: Signal | None = None) -> bool:
        """Whether it has a service, or has more than it lists."""
        signals = [self.services.get(signal.name, {})] if signal else list(self.services.values())
        return any(service in names or len(names) >= MAX_LISTED for names in signals)


@dataclass(slots=True)
class Known:
    """An agent at an address; ``inventory`` is what it said last, ``result`` how the last poll ended."""

    endpoint: Endpoint
    name: str
    inventory: Inventory | None = None
    result: Result | None = None
    reason: str = ""
    polled_ns: int = 0
    vanished_ns: int | None = None
    """Since when no source names it any more."""
    stands_behind: str = ""
    """The address that is asked instead of this one: it is the same agent."""
    shares_id: bool = field(default=False)
    """Whether another agent says the same id."""

    @property
    def shift_ns(self) -> int:
        """What its times are to be corrected by."""
        return self.inventory.shift_ns if self.inventory else 0

    def may_host(self, service: str, signal: Signal | None = None) -> bool:
        """Whether it has a service, as far as anybody knows: an agent that never told may have any."""
        if self.inventory is None:
            return True
        return not service or self.inventory.lists(service, signal)


def inventory_of(info: api.GetDataInfoResponse, asked_ns: int, answered_ns: int) -> Inventory:
    """What an answer says. An agent too old to tell its time is taken to be right."""
    offset, error = 0, 0
    if info.HasField("agent_time"):
        offset = time_ns(info.agent_time) - (asked_ns + answered_ns) // 2
        error = -(-(answered_ns - asked_ns) // 2)
    retention = info.retention.seconds * SECOND_NS + info.retention.nanos
    since = answered_ns - retention
    if info.segments_retired_by_budget:
        earliest = [time_ns(signal.earliest_time) for signal in info.signals if signal.signal == SPANS.name]
        since = max([since, *(time - offset for time in earliest)])
    return Inventory(
        agent_id=one_line(info.agent_id),
        instance_id=info.instance_id,
        version=one_line(info.version),
        retention_ns=retention,
        offset_ns=offset,
        offset_error_ns=error,
        answered_ns=answered_ns,
        since_ns=since,
        services={
            signal.signal: {
                service.service_name: Kept(service.rows, time_ns(service.earliest_time), time_ns(service.latest_time))
                for service in signal.services
            }
            for signal in info.signals
        },
        warnings=tuple(map(one_line, info.warnings)),
    )


def name_all(agents: Iterable[Known]) -> None:
    """Give each agent the name it is told by, and find those that are one agent at two addresses.

    One process at two addresses (of both IP versions), and an address that fell silent when another took over its id, stand
    behind the one that is asked. Two processes under one id are two agents: both are asked, and named with their address.
    """
    everyone = list(agents)
    by_id: dict[str, list[Known]] = defaultdict(list)
    for agent in everyone:
        agent.stands_behind, agent.shares_id = "", False
        if agent.inventory is None or not agent.inventory.agent_id:
            agent.name = str(agent.endpoint)
        else:
            by_id[agent.inventory.agent_id].append(agent)
    for agent_id, group in by_id.items():
        asked = _asked(group)
        for agent in asked:
            agent.shares_id = len(asked) > 1
            agent.name = f"{agent_id}@{agent.endpoint}" if agent.shares_id else agent_id
    taken = Counter(agent.name for agent in everyone)
    for agent in everyone:
        if taken[agent.name] > 1:  # an id that is another's address
            agent.name = f"{agent.name}@{agent.endpoint}"


def _asked(group: Sequence[Known]) -> list[Known]:
    """Those of one id that are asked; the others get to know behind whom they stand."""
    first: dict[str, Known] = {}
    for agent in sorted(group, key=lambda agent: (agent.result is not Result.ANSWERED, str(agent.endpoint))):
        leader = next(iter(first.values()), None)
        instance = agent.inventory.instance_id if agent.inventory else ""
        if leader is not None and leader.result is Result.ANSWERED and agent.result is not Result.ANSWERED:
            agent.stands_behind = str(leader.endpoint)
        elif instance and instance in first:
            agent.stands_behind = str(first[instance].endpoint)
        else:
            first[instance or str(agent.endpoint)] = agent
    for agent in group:
        if agent.stands_behind:
            agent.name = f"{agent.inventory.agent_id if agent.inventory else ''}@{agent.endpoint}"
    return list(first.values())
