"""A disk of 24 MiB that fills up under a running agent."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from tests.flow.disks import fill, small_disk
from tests.flow.programs import check_kept, program, sending, within

MIB = 1 << 20


@pytest.fixture
def disk(tmp_path) -> Iterator[Path]:
    """A directory on a disk of its own."""
    with small_disk(tmp_path / "disk") as path:
        yield path


def test_a_full_disk_is_refused_retryably_reads_go_on_and_it_heals_within_five_seconds(disk):
    with program(disk / "store") as agent, sending(agent.ports[0]) as senders:
        within(10, lambda: len(senders[0].acknowledged) > 1000, "nothing was kept")
        ballast = fill(disk)
        within(10, lambda: all(sender.refused for sender in senders), "nobody was refused")
        within(3, lambda: agent.readyz() != "ready", "it says that it is ready")
        assert len(agent.kept()) >= 1000, "reads go on"
        before = [len(sender.acknowledged) for sender in senders]
        ballast.unlink()
        within(5, lambda: all(len(s.acknowledged) > n for s, n in zip(senders, before, strict=True)), "it did not heal")
        for sender in senders:
            sender.stop()
        within(5, lambda: agent.readyz() == "ready", agent.readyz())
        check_kept(agent.kept(), senders)
        assert {code for sender in senders for code in sender.refused} == {grpc.StatusCode.UNAVAILABLE}
        agent.process.kill()
        agent.process.wait(5)
    with program(disk / "store") as agent:
        check_kept(agent.kept(), senders)


def test_the_reserve_is_kept_and_said(disk):
    with program(disk / "store", STORE__MIN_FREE_BYTES="8MiB") as agent:
        assert agent.export(1) is grpc.StatusCode.OK
        with (disk / "ballast").open("wb") as file:
            file.write(bytes(shutil.disk_usage(disk).free - 7 * MIB))
        within(2, lambda: "min_free_bytes" in agent.readyz(), agent.readyz())
        assert agent.export(2) is grpc.StatusCode.UNAVAILABLE
        assert len(agent.kept()) == 1
        (disk / "ballast").unlink()
        within(2, lambda: agent.readyz() == "ready", agent.readyz())
        assert agent.export(3) is grpc.StatusCode.OK


def test_oldest_segments_are_retired_before_senders_are_refused(disk):
    (disk / "ballast").write_bytes(bytes(12 * MIB))
    with (
        program(disk / "store", STORE__MIN_FREE_BYTES="4MiB", STORE__SEGMENT="1s") as agent,
        sending(agent.ports[0], 2) as senders,
    ):
        within(40, lambda: agent.metric('coral_agent_segments_retired_total{reason="reserve"}') >= 1, "nothing was retired")
        count = len(senders[0].acknowledged)
        within(5, lambda: len(senders[0].acknowledged) > count, "senders are refused")
