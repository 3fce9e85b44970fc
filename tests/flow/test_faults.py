"""Faults under a running agent: each is answered retryably, said by /readyz, and healed without a restart."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import grpc
import pyarrow as pa

from tests.flow.programs import FIU, check_kept, program, sending, within
from tests.needs import needs

OK, UNAVAILABLE = grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE
FDATASYNC = "enable name=posix/io/sync/fdatasync,failinfo=5"


def preloaded() -> dict[str, str]:
    needs(shutil.which("fiu-ctrl") and Path(FIU[0]).exists(), "libfiu: apt-get install fiu-utils")
    # Loaded later, Arrow's allocator maps its first memory while libfiu holds its own lock, and both wait for ever.
    arrow = next(Path(pa.get_library_dirs()[0]).glob("libarrow.so.*"))
    return {"LD_PRELOAD": " ".join([*FIU, str(arrow)])}


def test_one_failed_sync_refuses_one_group_and_the_resend_is_kept_once(tmp_path):
    with program(tmp_path, environ=preloaded()) as agent:
        assert agent.export(1) is OK
        agent.fiu(f"{FDATASYNC},onetime")
        within(
            5,
            lambda: agent.metric('coral_agent_store_faults_total{kind="journal"}') >= 1 or agent.export(2) is UNAVAILABLE,
            "no fault",
        )
        within(5, lambda: agent.export(3) is OK, "it did not heal")
        assert len(agent.kept()) == len(set(agent.kept()))


def test_syncs_that_fail_for_a_while_are_refused_and_heal_and_the_files_open_again(tmp_path):
    with (
        program(tmp_path, environ=preloaded(), STORE__SEGMENT="1s") as agent,
        sending(agent.ports[0], pause_seconds=0.1) as senders,
    ):
        within(10, lambda: agent.metric('coral_agent_segments{state="sealed"}') >= 1, "nothing was sealed")
        agent.fiu(FDATASYNC)
        within(2.5, lambda: agent.readyz() != "ready", "it says that it is ready")
        within(5, lambda: all(sender.refused for sender in senders), "nobody was refused")
        before = len(agent.log.read_bytes().splitlines())
        threading.Event().wait(1.5)
        assert len(agent.log.read_bytes().splitlines()) - before < 10, "a flood of log lines"
        assert len(list(tmp_path.glob("*.journal"))) < 20
        agent.fiu("disable name=posix/io/sync/fdatasync")
        within(6, lambda: agent.readyz() == "ready", "it did not heal: " + agent.readyz())
        assert agent.export(7) is OK
        for sender in senders:
            sender.stop()
        assert {code for sender in senders for code in sender.refused} == {UNAVAILABLE}
        check_kept(agent.kept(), senders)
    with program(tmp_path) as agent:
        check_kept(agent.kept(), senders)


def test_a_directory_that_is_removed_is_made_again_and_no_ok_was_for_nothing(tmp_path):
    directory = tmp_path / "store"
    with program(directory) as agent:
        assert agent.export(1, 2, 3) is OK
        shutil.rmtree(directory)
        answers = [agent.export(10)]
        within(5, lambda: agent.metric('coral_agent_store_faults_total{kind="files"}') >= 1, "it was not noticed")
        within(5, lambda: agent.export(11) is OK, "it did not heal")
        assert answers == [UNAVAILABLE]
        within(5, lambda: agent.readyz() == "ready", agent.readyz())
        within(5, lambda: len(agent.kept()) == 4, "what was in memory is kept too")
        agent.process.kill()
        agent.process.wait(5)
    with program(directory) as agent:
        assert len(agent.kept()) == 4


def test_a_segment_file_that_is_removed_is_made_again_from_its_journal_and_no_answer_lacks_rows_without_saying_so(tmp_path):
    with program(tmp_path) as agent, sending(agent.ports[0]) as senders:
        within(20, lambda: any(tmp_path.glob("*.duckdb")), "nothing was flushed")
        for path in (*tmp_path.glob("*.duckdb"), *tmp_path.glob("*.blocks")):
            path.unlink()
        for sender in senders:
            sender.pause_seconds = 0.2
        acknowledged = {one for sender in senders for one in list(sender.acknowledged)}

        def is_made_anew() -> bool:
            found, warned = agent.shown()
            assert warned or acknowledged <= set(found)
            return "made anew" in agent.log.read_text()

        within(20, is_made_anew, "it was not noticed")
        for sender in senders:
            sender.stop()
        within(6, lambda: agent.readyz() == "ready", agent.readyz())
        check_kept(agent.kept(), senders)
        assert agent.metric("coral_agent_store_lost_rows_total") == 0
