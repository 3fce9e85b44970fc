"""Refused peers: each counted, a line of log now and then, and nothing in it that a peer could have chosen freely."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from agent.instruments import Instruments
from agent.query.denials import TELL_SECONDS, Denials


def test_every_refusal_is_counted_and_one_in_ten_seconds_is_told():
    registry, now = CollectorRegistry(), [0.0]
    denials = Denials(Instruments(registry), lambda: now[0])
    with capture_logs() as logs:
        for _ in range(5):
            denials.add([b"spiffe://coral/agent/a1"])
        now[0] = TELL_SECONDS
        denials.add([])
    assert registry.get_sample_value("coral_agent_peer_denied_total") == 6
    assert [(line["peer"], line["refused"]) for line in logs] == [("spiffe://coral/agent/a1", 1), ("no identity", 5)]
