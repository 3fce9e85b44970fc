"""What an agent keeps, as a person sees it."""

from __future__ import annotations

import datetime as dt

from coral.agent.v1 import telemetry_query_pb2 as api
from google.protobuf.duration_pb2 import Duration

from agent.cli.kept import limits_table, services_table
from tests.agent.cli.telemetry import at, shown

ANSWER = api.GetDataInfoResponse(
    agent_id="node-1",
    version="0.1.0",
    agent_time=at(0),
    retention=Duration(seconds=3600),
    max_bytes=8 << 30,
    used_bytes=2 << 30,
    scrub_rules_hash="abc123",
    scrub_stage="query",
    scrub_profile="default",
    segments_retired_by_age=3,
    signals=[
        api.SignalInfo(
            signal="traces",
            rows=1500,
            bytes=1536,
            earliest_time=at(0),
            latest_time=at(1000),
            services=[api.ServiceInfo(service_name="ca\x1brt", rows=1500, bytes=1536)],
        )
    ],
)


def test_limits_and_rules_are_told_line_by_line():
    lines = [line.split(maxsplit=1) for line in shown(limits_table(ANSWER, dt.UTC)).splitlines()]

    assert lines == [
        ["agent", "node-1, version 0.1.0"],
        ["its", "clock  2026-01-31 12:00:00"],
        ["kept", "for   1h"],
        ["on", "disk    2.0 GiB of 8.0 GiB (25%)"],
        ["retired", "3 by age, 0 by disk budget, in slices, since its start"],
        ["scrubbed", "default, at the query door, rules abc123"],
    ]


def test_services_stand_under_their_signal():
    _, total, service = shown(services_table(ANSWER, dt.UTC)).splitlines()

    assert total.split() == ["traces", "all", "1,500", "1.5", "KiB", "2026-01-31", "12:00:00", "2026-01-31", "12:00:01"]
    assert service.split() == [r"ca\x1brt", "1,500", "1.5", "KiB", "-", "-"]


def test_an_agent_without_a_budget_has_no_share_of_it():
    assert "%" not in shown(limits_table(api.GetDataInfoResponse()))
