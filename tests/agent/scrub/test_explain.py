"""What scrub-explain finds: every place, by its path and key, with the rule that hit it and never with what was hit."""

import pytest

from agent.batch import Signal
from agent.scrub.explain import DROPPED, Finding, explained
from agent.scrub.rules import ScrubSettings
from agent.scrub.scrubber import Scrubber
from tests.canary import PLACES, REQUESTS, seen
from tests.telemetry import attributes, full_log, full_span, log, log_request, request, span


def findings(message, profile: str = "default") -> list[Finding]:
    return list(explained(message, Scrubber(ScrubSettings(profile), b"k")))


@pytest.mark.parametrize("signal", Signal)
def test_every_place_is_found_and_no_canary_shown(signal):
    found = findings(REQUESTS[signal]())
    assert seen(repr(found), signal) == set()
    records = 4 if signal is Signal.LOGS else 1
    per_record = {"severity text", "event name", "log attribute"} if records == 4 else set()
    expected = len(PLACES[signal]) + 1 + 3 * len(per_record)  # two schema URLs
    assert len(found) == expected
    assert all(finding.rules for finding in found)


def test_a_finding_names_path_key_rule_mode_and_what_leaves():
    planted = span(1, attributes=attributes({"a": {"password": 5, "b": ["x", "ada@example.com"]}, "gen_ai.prompt": "x"}))
    here = "resourceSpans[0].scopeSpans[0].spans[0].attributes"
    assert findings(request(planted)) == [
        Finding(f'{here}["a"]["password"]', "password", (("key", "mask"),), "[REDACTED:key]"),
        Finding(f'{here}["a"]["b"][1]', "b", (("email", "mask"),), "[REDACTED:email]"),
        Finding(f'{here}["gen_ai.prompt"]', "gen_ai.prompt", (("genai", "drop"),), DROPPED),
    ]


def test_a_key_that_changes_alone_is_a_finding():
    (found,) = findings(request(span(1, attributes=attributes({"ada@example.com": 1}))))
    assert (found.key, found.leaves) == ("[REDACTED:email]", '{"intValue":"1"}')
    (nested,) = findings(request(span(1, attributes=attributes({"m": {"ada@example.com": 1}}))))
    assert nested.path.endswith('["m"]["[REDACTED:email]"]')


def test_a_long_text_is_cut_and_clean_telemetry_has_no_finding():
    record = log(1)
    record.body.string_value = "ada@example.com " + "x" * 500
    (found,) = findings(log_request(record))
    assert len(found.leaves) == 200
    assert found.path == "resourceLogs[0].scopeLogs[0].logRecords[0].body"
    assert findings(log_request(record), "off") == []
    assert findings(log_request(log(1))) == []
    assert len(findings(request(full_span(1)))) + len(findings(log_request(full_log(1)))) < 10
