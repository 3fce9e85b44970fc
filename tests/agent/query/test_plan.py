"""Requests become plans: every limit, every default, and no statement without an end or with a caller's words in it."""

from __future__ import annotations

from typing import Any

import pytest
from coral.agent.v1 import telemetry_query_pb2 as api
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.clock import MINUTE_NS
from agent.errors import InvalidQuery
from agent.query import sql
from agent.query.fields import MAX_OFFSET
from agent.query.page import PageToken, Position
from agent.query.plan import Limits, Plan
from agent.store.statement import Statement
from tests.agent.query.asking import IN_FILE, IN_MEMORY, NOW, OFF, plan, planner
from tests.telemetry import START

AT = Position(START, 5)


def statements(wanted: Plan) -> list[Statement]:
    """Every statement that a search of this plan may run."""
    return [
        statement
        for source in (IN_FILE, IN_MEMORY)
        for statement in (
            sql.page(wanted, source, wanted.after, wanted.limit + 1),
            sql.page(wanted, source, AT, wanted.limit + 1),
            sql.shown(wanted, source, AT, 1000),
            sql.positions(wanted, source, max(1, wanted.offset)),
            sql.count(wanted, source),
        )
    ]


TEXT = st.text(min_size=1, max_size=12) | st.sampled_from(["'; DROP TABLE spans; --", "?", "LIMIT", "\0", "\\", '"'])
# Words that are nowhere in our own texts, so that finding one there proves that it came from the caller.
WORDS = TEXT.map(lambda text: "§" + text)
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "service_name": WORDS,
        "operation_name": WORDS,
        "trace_id": st.binary(min_size=16, max_size=16).map(bytes.hex),
        "attributes": st.lists(st.fixed_dictionaries({"key": WORDS, "value": WORDS}), max_size=4),
        "min_duration_ms": st.integers(0, 10**9),
        "max_duration_ms": st.integers(0, 10**9),
        "errors_only": st.booleans(),
        "kind": st.integers(-5, 9),
        "order": st.sampled_from([0, 1, 2, 3]),
        "limit": st.integers(0, 2**31 - 1),
        "offset": st.integers(0, MAX_OFFSET),
        "encoding": st.integers(0, 2),
        "start_time": st.fixed_dictionaries({"seconds": st.integers(0, 10**9)}),
        "end_time": st.fixed_dictionaries({"seconds": st.integers(10**9 + 1, 2 * 10**9)}),
    },
)


@settings(deadline=None, max_examples=200)
@given(REQUESTS, st.lists(WORDS, max_size=3))
def test_no_statement_is_unbounded_and_none_holds_a_caller_s_words(fields, own):
    wanted = plan(*own, **fields)
    assert 1 <= wanted.limit <= 1000
    for statement in statements(wanted):
        assert statement.text.endswith(" LIMIT ?") or statement.text.startswith("SELECT count(*) ")
        assert "§" not in statement.text
        assert statement.text.isascii()
        assert "'" not in statement.text
        assert statement.text.count("?") == len(statement.parameters), "every value is bound"
        if statement.text.endswith(" LIMIT ?"):
            last = statement.parameters[-1]
            assert isinstance(last, int)
            assert 1 <= last <= 1_000_000


def window_of(**fields: Any) -> tuple[int | None, int | None]:
    found = plan(**fields).window
    return found.start_ns, found.end_ns


def test_windows_are_what_is_asked_and_the_default_only_when_nothing_is():
    assert window_of() == (NOW - 5 * MINUTE_NS, None)
    assert window_of(trace_id="ab" * 16) == (None, None)
    assert window_of(start_time={"seconds": 5}) == (5 * 10**9, None)
    assert window_of(end_time={"seconds": 5, "nanos": 7}) == (None, 5 * 10**9 + 7)
    assert window_of(trace_id="ab" * 16, start_time={"nanos": 1}) == (1, None)
    assert window_of(start_time={"seconds": 5}, end_time={"seconds": 5, "nanos": 1}) == (5 * 10**9, 5 * 10**9 + 1)


@pytest.mark.parametrize(("asked", "given"), [(0, 1000), (1, 1), (999, 999), (1000, 1000), (1001, 1000), (2**31 - 1, 1000)])
def test_a_limit_is_lowered_to_the_maximum_with_a_warning(asked, given):
    found = plan(limit=asked)
    assert found.limit == given
    assert bool(found.warnings) == (asked > 1000)


def test_the_maximum_is_the_configuration_s():
    limits = Limits(7, 10, 1)
    found = planner(limits=limits).spans(api.QuerySpansRequest(limit=11), NOW)
    assert (found.limit, found.window.start_ns) == (10, NOW - 7)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"limit": -1}, "limit is -1"),
    ({"offset": -1}, "offset is -1"),
    ({"offset": 1_000_001}, "offset is 1000001"),
    ({"trace_id": ""}, "trace_id has 0 characters"),
    ({"trace_id": "ab" * 15}, "trace_id has 30 characters"),
    ({"trace_id": "ab" * 17}, "trace_id"),
    ({"trace_id": "zz" * 16}, "trace_id"),
    ({"trace_id": "ab " * 10 + "ab"}, "trace_id"),
    ({"min_duration_ms": -1}, "min_duration_ms is -1"),
    ({"max_duration_ms": -1}, "max_duration_ms is -1"),
    ({"max_duration_ms": 2**63 - 1}, "max_duration_ms"),
    ({"order": 9}, "order is 9"),
    ({"start_time": {"seconds": 2}, "end_time": {"seconds": 2}}, "start_time must be before end_time"),
    ({"start_time": {"seconds": 3}, "end_time": {"seconds": 2}}, "start_time"),
    ({"attributes": [{"key": "", "value": "x"}]}, "attributes"),
    ({"attributes": [{"key": "k", "value": "x"}] * 33}, "attributes has 33 filters; at most 32"),
    ({"page_token": "x"}, "page_token"),
    ({"page_token": "x", "offset": 1}, "offset and page_token"),
]


@pytest.mark.parametrize(("fields", "said"), REFUSED, ids=[said for _, said in REFUSED])
def test_a_field_that_cannot_be_is_named_with_what_is_allowed(fields, said):
    with pytest.raises(InvalidQuery) as refusal:
        plan(**fields)
    assert said in refusal.value.message


def test_upper_and_lower_case_ids_are_one():
    assert plan(trace_id="AbCd" * 8).equal == plan(trace_id="aBcD" * 8).equal


def test_no_duration_is_no_bound_and_bounds_are_inclusive():
    assert parameters(min_duration_ms=0) == parameters()
    assert 3_000_000 in parameters(min_duration_ms=3)
    assert 0 in parameters(max_duration_ms=0)
    assert "duration_ns >= ?" in sql.count(plan(min_duration_ms=3), IN_MEMORY).text
    assert "duration_ns <= ?" in sql.count(plan(max_duration_ms=3), IN_MEMORY).text


def parameters(**fields: Any) -> list[object]:
    return list(sql.count(plan(**fields), IN_MEMORY).parameters)


def test_errors_only_false_is_no_filter():
    assert parameters(errors_only=False) == parameters()
    assert len(parameters(errors_only=True)) == len(parameters()) + 1


CARD = "4111 1111 1111 1111"


def test_a_wanted_value_that_the_rules_take_away_matches_nothing():
    for fields in ({"operation_name": CARD}, {"service_name": CARD}, {"attributes": [{"key": "note", "value": CARD}]}):
        assert plan(**fields).nothing
        assert not plan(scrubber=OFF, **fields).nothing


def test_a_key_that_the_rules_take_away_matches_nothing():
    assert plan(attributes=[{"key": "password", "value": "hunter2"}]).nothing


@pytest.mark.parametrize("text", ["[REDACTED:card]", "hmac:0123456789abcdef"])
def test_a_value_that_the_rules_may_have_made_is_looked_for_in_scrubbed_rows_alone(text):
    for fields in ({"operation_name": text}, {"service_name": text}, {"attributes": [{"key": "k", "value": text}]}):
        found = plan(**fields)
        assert found.rechecks
        assert not found.nothing
        assert text not in sql.count(found, IN_MEMORY).parameters


def test_any_other_value_is_asked_of_the_store():
    found = plan(operation_name="GET /cart", service_name=" checkout ", attributes=[{"key": "k", "value": "v"}])
    assert not found.rechecks
    assert {"GET /cart", "checkout"} <= {p for p in sql.count(found, IN_MEMORY).parameters if isinstance(p, str)}


def test_own_services_are_normal_sorted_and_none_means_all():
    assert plan(" b", "cafe\u0301", "a").own == ("a", "b", "caf\u00e9")
    assert plan().own is None


def token_of(found: Plan) -> str:
    return PageToken(found.fingerprint, found.window, AT, (9, False)).encode()


def test_a_token_brings_back_window_place_and_total_whatever_the_clock_and_page_size():
    first = plan(limit=10)
    request = api.QuerySpansRequest(limit=7, encoding=api.ENCODING_OTLP, page_token=token_of(first))
    again = planner().spans(request, NOW + 10 * MINUTE_NS)
    assert (again.window, again.after, again.first_total, again.limit) == (first.window, AT, (9, False), 7)


@pytest.mark.parametrize("change", [{"order": 2}, {"errors_only": True}, {"operation_name": "x"}, {"end_time": {"seconds": 9}}])
def test_a_token_of_other_filters_is_refused(change):
    token = token_of(plan())
    with pytest.raises(InvalidQuery):
        plan(page_token=token, **change)


@pytest.mark.parametrize("edge", [{"end_time": {"seconds": 253_402_300_799}}, {"start_time": {"seconds": -62_135_596_800}}])
def test_the_widest_window_that_a_timestamp_can_say_goes_on_to_its_second_page(edge):
    plan(page_token=token_of(plan(**edge)), **edge)


@pytest.mark.parametrize("depth", [60, 330])
def test_an_attribute_filter_of_any_depth_is_answered_or_refused(depth):
    value = '{"arrayValue":{"values":[' * depth + '{"intValue":"1"}' + "]}}" * depth
    try:
        plan(attributes=[{"key": "k", "value": value}])
    except InvalidQuery:
        return
    except Exception as error:  # noqa: BLE001 what it is does not matter
        pytest.fail(f"{type(error).__name__}")


@pytest.mark.parametrize("text", ["[REDACTED:card]", "redacted", "hmac:0123"])
def test_text_that_the_rules_may_have_put_into_a_body_is_looked_for_in_scrubbed_bodies_alone(text):
    found = planner().logs(api.QueryLogsRequest(text=text), NOW)
    assert found.rechecks
    assert found.text is None
