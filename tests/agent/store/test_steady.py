"""The store's own time: a step of the machine's clock is counted once, a process that stood still is none."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from agent.clock import SECOND_NS
from agent.instruments import Instruments
from agent.store import steady
from agent.store.steady import SteadyClock
from tests.telemetry import START


class Machine:
    """Both clocks of a machine; ``stops`` is how often the process stands for two seconds behind a look at the wall clock."""

    def __init__(self, stops: int = 0) -> None:
        self.running, self.ahead, self.stops = 100 * SECOND_NS, START, stops

    def now_ns(self) -> int:
        now = self.running + self.ahead
        if self.stops:
            self.stops -= 1
            self.running += 2 * SECOND_NS
        return now


def jumps(instruments: Instruments) -> float:
    return sum(
        sample.value for sample in next(iter(instruments.clock_jumps.collect())).samples if sample.name.endswith("_total")
    )


def test_a_process_that_stood_still_between_two_clocks_saw_no_jump(tmp_path, monkeypatch):
    machine, instruments = Machine(stops=1), Instruments(CollectorRegistry())
    monkeypatch.setattr(steady, "running_ns", lambda: machine.running)
    clock = SteadyClock(tmp_path, machine, instruments)
    for stops in (0, 1, 0, 2):
        machine.stops = stops
        clock.look()
    assert jumps(instruments) == 0


def test_a_step_of_the_clock_is_counted_once(tmp_path, monkeypatch):
    machine, instruments = Machine(), Instruments(CollectorRegistry())
    monkeypatch.setattr(steady, "running_ns", lambda: machine.running)
    clock = SteadyClock(tmp_path, machine, instruments)
    machine.ahead += 7200 * SECOND_NS
    for _ in range(3):
        clock.look()
    assert jumps(instruments) == 1
