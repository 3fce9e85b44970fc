"""SIGHUP: services, peers and limits change under a running agent; a bad file changes nothing and is counted."""

from __future__ import annotations

import signal

import grpc

from tests.flow.programs import program, within

FAILURES = "coral_agent_config_reload_failures_total"


def test_sighup_takes_up_what_can_change_and_a_bad_file_keeps_the_old(tmp_path):
    file = tmp_path / "agent.toml"
    file.write_text("")
    with program(tmp_path / "store", environ={"CORAL_AGENT_CONFIG": str(file)}) as agent:
        assert agent.export(1) is grpc.StatusCode.OK
        assert len(agent.kept()) == 1
        file.write_text("[agent]\nservices = ['no-such-service']\n")
        agent.process.send_signal(signal.SIGHUP)
        within(5, lambda: agent.kept() == [], "the services did not change")
        file.write_text("[agent]\nservices = 7\n")
        agent.process.send_signal(signal.SIGHUP)
        within(5, lambda: agent.metric(FAILURES) == 1, "the failure is not counted")
        assert agent.kept() == []
        file.write_text("")
        agent.process.send_signal(signal.SIGHUP)
        within(5, lambda: len(agent.kept()) == 1, "the services did not change back")
