"""Two stores that differ only in what the rules take away answer alike, whatever is asked: no length, total or token tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from coral.agent.v1 import telemetry_query_pb2 as api

from agent.batch import Export, Signal
from agent.decode.points import point_decoder
from agent.query import encode, names, search, series
from agent.query.logs import LOGS
from agent.query.names import NamesSearch
from agent.query.plan import Planner
from agent.query.search import Search
from agent.query.series import find_series
from agent.scrub.rules import Mode, OwnRule, ScrubSettings
from agent.scrub.scrubber import Scrubber
from agent.services import OwnServices
from agent.store.store import Store
from tests.agent.query.asking import LIMITS, NOW, SINCE, keep, planner
from tests.agent.query.test_cold import keep_logs
from tests.agent.store.keeping import NO_REQUESTS, opened, reading
from tests.telemetry import START, attributes, gauge, metric_request, span

RULES = ScrubSettings(rules=(OwnRule("host", Mode.TRUNCATE_IP, r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"),))
ROOM = Scrubber(RULES, b"k" * 32)


def answer_of_logs(store: Store, text: str, **fields: Any) -> api.QueryLogsResponse:
    wanted = planner(scrubber=ROOM).logs(api.QueryLogsRequest(**SINCE, text=text, **fields), NOW)
    with reading(store) as one:
        found = Search(wanted, LOGS, one, ROOM).run()
    page = encode.cut(wanted, LOGS, found, 4 << 20)
    return api.QueryLogsResponse.FromString(encode.reply(api.QueryLogsResponse(), wanted, found, page))


def both(directory: Path, text: str, *bodies: str, **fields: Any) -> tuple[api.QueryLogsResponse, ...]:
    """The answers of two stores, with the first and with the second of each pair ``one|other`` in the bodies."""
    answers = []
    for side in (0, 1):
        with opened(directory / str(side)) as (store, _):
            keep_logs(store, *(body.split("|")[side if "|" in body else 0] for body in bodies))
            answers.append(answer_of_logs(store, text, **fields))
    return tuple(answers)


SECRETS = ["mail ada@example.com|mail bob@company.test", "nothing at all"]


def test_how_many_raw_bodies_hold_a_text_tells_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(search, "MAX_CANDIDATES", 20)
    monkeypatch.setattr(search, "COUNTED", 10)
    monkeypatch.setattr(search, "CHUNK", 8)
    one, other = both(tmp_path, "example", *SECRETS * 40)
    assert one == other
    assert (len(one.log_records), one.total_is_exact, one.next_page_token, list(one.warnings)) == (0, True, "", [])


def test_how_many_raw_bodies_hold_a_text_tells_nothing_behind_a_full_page(tmp_path, monkeypatch):
    monkeypatch.setattr(search, "COUNTED", 10)
    monkeypatch.setattr(search, "CHUNK", 8)
    one, other = both(tmp_path, "example", *["for example this"] * 2, *SECRETS * 20, *["an example"] * 2, limit=2)
    assert one == other
    assert (len(one.log_records), one.total_count, one.total_is_exact, one.has_more) == (2, 4, True, True)


def test_behind_a_full_page_so_many_matches_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(search, "COUNTED", 10)
    monkeypatch.setattr(search, "CHUNK", 8)
    one, _ = both(tmp_path, "example", *["for example this"] * 30, limit=2)
    assert (len(one.log_records), one.total_count, one.total_is_exact, one.has_more) == (2, 10, False, True)


@pytest.mark.parametrize("text", ["m", "red", "act", "il", "email", "re", "mail ", ":", "]"])
def test_a_text_that_stands_in_marks_does_not_tell_whether_it_stands_in_what_they_replace(tmp_path, text):
    one, other = both(tmp_path, text, "red.act-email@example.com|pub.juggy@vox.fun", "4111 1111 1111 1111")
    assert one == other


@pytest.mark.parametrize("text", ["8.8.4.0", "4.0"])
def test_an_address_that_was_cut_does_not_tell_its_end(tmp_path, text):
    one, other = both(tmp_path, text, "from 8.8.4.0|from 8.8.4.77")
    assert one == other


def test_a_mark_is_found_by_itself_and_by_what_stands_around_it(tmp_path):
    one, _ = both(tmp_path, "mail [REDACTED:email]", *SECRETS)
    assert [record.body for record in one.log_records] == ["mail [REDACTED:email]"]
    one, _ = both(tmp_path / "again", "mail", *SECRETS)
    assert [record.body for record in one.log_records] == ["mail [REDACTED:email]"]


def keep_points(store: Store, *hosts: str) -> None:
    for number, host in enumerate(hosts):
        metric = gauge("load", number, attributes=attributes({"host": host}))
        payload = metric_request(metric).SerializeToString()
        decoded = point_decoder(lambda _: True).decode([Export(Signal.METRICS, payload, 1)], NOW)
        assert decoded.batch is not None
        store.append([decoded.batch], NO_REQUESTS)


def series_of(store: Store) -> api.QueryMetricsResponse:
    step = api.QueryMetricsRequest(start_time={"seconds": START // 10**9}, step={"seconds": 60})
    step.end_time.seconds = step.start_time.seconds + 60
    with reading(store) as one:
        found = find_series(planner().points(step, NOW), one, ROOM)
    return api.QueryMetricsResponse(series=found.series, total_count=found.total, total_is_exact=found.is_exact)


def test_how_many_raw_series_there_are_tells_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(series, "STEPS_AT_ONCE", 4)
    monkeypatch.setattr(series, "MAX_STEPS_KEPT", 4)
    answers = []
    for side, hosts in enumerate(([f"u{n}@example.com" for n in range(12)], ["ada@example.com"] * 12)):
        with opened(tmp_path / str(side)) as (store, _):
            keep_points(store, *hosts)
            answers.append(series_of(store))
    assert answers[0] == answers[1]
    assert (answers[0].total_is_exact, answers[0].series[0].steps[0].points) == (True, 12)


def test_more_scrubbed_series_than_are_kept_are_said(tmp_path, monkeypatch):
    monkeypatch.setattr(series, "STEPS_AT_ONCE", 3)
    monkeypatch.setattr(series, "MAX_STEPS_KEPT", 4)
    with opened(tmp_path) as (store, _):
        keep_points(store, *(f"h{n}" for n in range(12)))
        found = series_of(store)
    assert (len(found.series), found.total_is_exact) == (4, False)


def names_of(store: Store) -> api.ListNamesResponse:
    with reading(store) as one:
        rooms = dict.fromkeys(Signal, ROOM)
        return NamesSearch(planner().names(api.ListNamesRequest(**SINCE), NOW), one, rooms).run()


def test_how_many_raw_operations_there_are_tells_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(names, "NAMES_AT_ONCE", 4)
    answers = []
    for side, people in enumerate(([f"u{n}@example.com" for n in range(12)], ["ada@example.com"] * 12)):
        with opened(tmp_path / str(side)) as (store, _):
            keep(store, *(span(n, name=f"login {who}") for n, who in enumerate(people)), span(99, name="z"))
            keep_points(store, *people)
            answers.append(names_of(store))
    assert answers[0] == answers[1]
    assert [(o.name, o.spans) for o in answers[0].operations] == [("login [REDACTED:email]", 12), ("z", 1)]


def test_names_of_a_service_are_kept_back_where_its_name_would_change_and_there_alone(tmp_path):
    logs_only = OwnRule("shop", Mode.MASK, "check[a-z]+", signals=frozenset({"logs"}))
    rooms = {signal: Scrubber(ScrubSettings(rules=(logs_only,)), b"k" * 32, signal) for signal in Signal}
    planner_ = Planner(LIMITS, OwnServices.of(()), rooms)
    asked = planner_.names(api.ListNamesRequest(**SINCE, service_name="checkout"), NOW)
    with opened(tmp_path) as (store, _):
        keep(store, span(1, attributes=attributes({"of": "traces"})))
        keep_logs(store, "a body")
        with reading(store) as one:
            found = NamesSearch(asked, one, rooms).run()
    assert [(key.key, key.signal) for key in found.attribute_keys] == [("of", "traces")]


def test_planning_counts_no_hits():
    room = Scrubber(ScrubSettings(), b"k" * 32)
    secret = "ada@example.com"
    wanted = [api.AttributeFilter(key="note", value=secret), api.AttributeFilter(key="user.id", value="7")]
    asking = planner(scrubber=room)
    asking.spans(api.QuerySpansRequest(operation_name=secret, service_name=secret, attributes=wanted), NOW)
    asking.logs(api.QueryLogsRequest(text=secret), NOW)
    asking.points(api.QueryMetricsRequest(metric_name=secret), NOW)
    asking.names(api.ListNamesRequest(service_name=secret), NOW)
    assert room.take_tally() == {}
