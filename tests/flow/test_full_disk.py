"""A disk of 24 MiB that fills up under a running agent, and SDKs with their default settings meanwhile."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tests.flow.programs import Program, check_kept, program, sending, within
from tests.needs import needs

MIB = 1 << 20


@pytest.fixture
def disk(tmp_path) -> Iterator[Path]:
    """A directory on a disk of its own."""
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(path)], check=False, capture_output=True)
    needs(mounted.returncode == 0, f"to mount a tmpfs: {mounted.stderr.decode().strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def fill(disk: Path) -> Path:
    """Take all that the disk has left."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return ballast


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
    with (
        program(disk / "store", STORE__MIN_FREE_BYTES="4MiB", STORE__SEGMENT="1s") as agent,
        sending(agent.ports[0], 2) as senders,
    ):
        within(40, lambda: agent.metric('coral_agent_segments_retired_total{reason="reserve"}') >= 1, "nothing was retired")
        count = len(senders[0].acknowledged)
        within(5, lambda: len(senders[0].acknowledged) > count, "senders are refused")


def finished(provider: TracerProvider, count: int, seconds: float) -> None:
    """Make spans evenly for some seconds, then export what is left."""
    tracer = provider.get_tracer("steady")
    for _ in range(count):
        tracer.start_span("work").end()
        threading.Event().wait(seconds / count)


def sdk(agent: Program) -> TracerProvider:
    provider = TracerProvider()
    exporter = OTLPSpanExporter(endpoint=f"http://127.0.0.1:{agent.ports[0]}", insecure=True)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=500))
    return provider


def test_an_sdk_with_default_settings_loses_nothing_to_four_seconds_of_full_disk(disk):
    with program(disk / "store") as agent:
        provider = sdk(agent)
        finished(provider, 200, 1)
        ballast = fill(disk)
        threading.Timer(4, ballast.unlink).start()
        finished(provider, 200, 4.5)
        provider.shutdown()
        assert len(set(agent.kept())) == len(agent.kept()) == 400


def test_an_sdk_with_default_settings_loses_nothing_to_a_restart(tmp_path):
    with program(tmp_path) as agent:
        provider = sdk(agent)
        finished(provider, 200, 1)
        ports = agent.ports
        agent.process.terminate()
        thread = threading.Thread(target=finished, args=(provider, 200, 2))
        thread.start()
        assert agent.process.wait(10) == 0
        with program(tmp_path, ports=ports) as again:
            thread.join()
            provider.shutdown()
            assert len(set(again.kept())) == len(again.kept()) == 400
