"""Counters stand at 0 before what they count happens: ``increase`` does not see a series that begins at 1."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from agent.batch import Signal
from agent.instruments import Instruments
from agent.store.faults import Kind


def labels(name: str) -> set[tuple[str, ...]]:
    families = {family.name: family for family in Instruments(CollectorRegistry()).registry.collect()}
    totals = [sample for sample in families[name].samples if sample.name.endswith("_total")]
    assert {sample.value for sample in totals} == {0.0}
    return {tuple(sample.labels.values()) for sample in totals}


def test_each_kind_of_fault_has_its_series():
    assert labels("coral_agent_store_faults") == {(str(kind),) for kind in Kind}


def test_what_alerts_watch_begins_at_0():
    overload = {
        (str(signal), how, why) for signal in Signal for how in ("grpc", "http") for why in ("queue_full", "store_unavailable")
    }
    assert labels("coral_agent_receiver_refused_requests") == overload
    assert labels("coral_agent_store_lost_rows") == {(str(signal),) for signal in Signal}
