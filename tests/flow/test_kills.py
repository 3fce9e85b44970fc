"""kill -9 at random moments, damaged files and a start after them: nothing acknowledged is lost, nothing is there twice."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from tests.flow.programs import Program, check_kept, program, sending, within
from tests.needs import needs

ROUNDS = int(os.environ.get("CORAL_KILL_ROUNDS", "5"))
PAUSE_SECONDS = 0.03 if ROUNDS <= 5 else 0.0
"""A few thousand spans are enough for the suite; the soak sends what it can."""

FIGURES = os.environ.get("CORAL_KILL_FIGURES", "")
"""Where the soak wants to read what the rounds showed."""


def test_kills_at_random_moments_under_several_senders_lose_nothing(tmp_path):
    dice = random.Random(7)
    everybody = []
    starts = []
    for number in range(ROUNDS):
        with program(tmp_path, STORE__SEGMENT="1s") as agent:
            starts.append(agent.seconds_to_start)
            with sending(agent.ports[0], 3, resend=False, first=1 + 3 * number, pause_seconds=PAUSE_SECONDS) as senders:
                threading.Event().wait(dice.uniform(0.05, 1.5))
                agent.process.kill()
                agent.process.wait(10)
            everybody += senders
    with program(tmp_path, STORE__SEGMENT="1s") as agent:
        found = agent.kept()
        check_kept(found, everybody)
        acknowledged = {one for sender in everybody for one in sender.acknowledged}
        assert acknowledged
        assert max(starts) < 5, "seconds until it listens"
        assert agent.metric("coral_agent_segments_quarantined_total") == 0
    if FIGURES:
        figures = {
            "rounds": ROUNDS,
            "acknowledged_spans": len(acknowledged),
            "lost_spans": len(acknowledged - set(found)),
            "doubled_spans": len(found) - len(set(found)),
            "slowest_start_seconds": round(max(starts), 2),
        }
        Path(FIGURES).write_text(json.dumps(figures))


@pytest.mark.parametrize("where", ["duckdb", "journal"])
def test_a_file_that_kills_who_opens_it_does_so_once(tmp_path, where):
    with program(tmp_path) as agent:
        agent.export(1)
        agent.process.kill()
    (journal,) = tmp_path.glob("*.journal")
    name = journal.name.partition(".")[0]
    (tmp_path / f"{name}.attempt").touch()  # as a start leaves it that was killed while it opened this segment
    if where == "journal":
        with program(tmp_path) as agent:
            assert len(agent.kept()) == 1, "the child lives, so the segment is opened"
        assert not (tmp_path / f"{name}.attempt").exists()
        return
    trap = Path(tmp_path, "sitecustomize.py")
    trap.write_text("import os, sys\nif 'agent.store.trial' in sys.orig_argv: os.kill(os.getpid(), 11)\n")
    with program(tmp_path, environ={"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}) as agent:
        assert agent.kept() == []
        assert agent.metric("coral_agent_segments_quarantined_total") == 2
    assert (tmp_path / "quarantine" / journal.name).exists()


def has(agent: Program, name: str, value: float) -> bool:
    return agent.metric(name) == value


def test_clocks_that_jump_retire_nothing_early_or_late(tmp_path):
    library = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
    needs(library.exists(), "libfaketime: apt-get install faketime")
    moment, store = tmp_path / "moment", tmp_path / "store"
    moment.write_text("+0")
    fake = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(moment),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    retired = 'coral_agent_segments_retired_total{reason="age"}'
    with program(store, environ=fake, STORE__RETENTION="2s", STORE__SEGMENT="1s") as agent:
        for number, jump in enumerate(("+7200", "-7200", "@1970-01-02 00:00:00")):
            began = time.monotonic()
            agent.export(number)
            moment.write_text(jump)
            within(3, partial(has, agent, "coral_agent_clock_jumps_total", number + 1), "the jump was not noticed")
            assert agent.metric(retired) == number, "retired early"
            within(8, partial(has, agent, retired, number + 1), "retired late")
            assert time.monotonic() - began >= 2, "retired early"
    moment.write_text("+0")
    with program(store, environ=fake, STORE__RETENTION="1h", STORE__SEGMENT="1s") as agent:
        agent.export(9)
        within(5, lambda: any(store.glob("*.duckdb")), "not sealed")
        within(3, (store / "clock").exists, "the time was not noted")
    moment.write_text("+7200")  # while nobody looked
    with program(store, environ=fake, STORE__RETENTION="1h", STORE__SEGMENT="1s") as agent:
        assert agent.metric("coral_agent_clock_jumps_total") == 1
        assert agent.metric("coral_agent_store_rows") == 1
