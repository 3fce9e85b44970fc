"""No filter tells what the rules take away: one on a raw value that would change finds nothing, whatever is stored."""

from __future__ import annotations

import pytest
from coral.agent.v1 import telemetry_query_pb2 as api
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from agent.batch import Signal
from agent.query.plan import Plan, Planner
from agent.scrub.rules import Mode, OwnRule, ScrubSettings
from agent.scrub.scrubber import Scrubber
from agent.services import OwnServices
from agent.values import text_of
from tests.agent.query.asking import LIMITS, NOW
from tests.agent.scrub.planted import wire
from tests.agent.scrub.test_scrubber import KEYS
from tests.agent.scrub.test_text import MIXED

RULES = (
    OwnRule("plan", Mode.MASK, "plan-[a-z]+"),
    OwnRule("order", Mode.PARTIAL, "ORD-[0-9]{8}"),
    OwnRule("host", Mode.TRUNCATE_IP, r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"),
    OwnRule("tenant", Mode.HMAC, None, ("app.tenant",)),
    OwnRule("gone", Mode.DROP, None, ("app.note",)),
)
ROOMS = {
    "default": Scrubber(ScrubSettings(), b"k" * 16),
    "own": Scrubber(ScrubSettings(rules=RULES), b"k" * 16),
    "strict": Scrubber(ScrubSettings("strict", frozenset({"note"})), b"k" * 16),
}
OWN_KEYS = st.one_of(KEYS, st.sampled_from(["app.tenant", "app.note"])).filter(bool)
OWN_TEXTS = st.one_of(MIXED, st.sampled_from(["plan-gold", "ORD-12345678", "8.8.4.4", "8.8.4.0", "t-1"]))


def planner(room: Scrubber) -> Planner:
    return Planner(LIMITS, OwnServices.of(()), dict.fromkeys(Signal, room))


def asks_raw_values(plan: Plan) -> bool:
    """Whether SQL would be asked for what the caller wants."""
    return not plan.nothing and bool(plan.attributes or {"name", "service_name", "metric_name"} & set(plan.equal))


@pytest.mark.parametrize("room", ROOMS.values(), ids=ROOMS)
@given(key=OWN_KEYS, text=OWN_TEXTS)
def test_a_filter_on_an_attribute_that_would_change_asks_for_nothing_stored(room, key, text):
    raw = wire(key, text)
    left = room.attribute(raw)
    wanted = [api.AttributeFilter(key=key, value=text)]
    plan = planner(room).spans(api.QuerySpansRequest(attributes=wanted), NOW)
    if left != raw:
        assert raw not in [form for forms in plan.attributes for form in forms]
    if left is not None and left != raw:  # what is shown instead can be asked for, and is looked for in scrubbed rows
        shown = KeyValue.FromString(left)
        again = [api.AttributeFilter(key=shown.key or "x", value=text_of(shown.value))]
        assert not asks_raw_values(planner(room).spans(api.QuerySpansRequest(attributes=again), NOW))


@pytest.mark.parametrize("room", ROOMS.values(), ids=ROOMS)
@given(text=OWN_TEXTS.filter(bool))
def test_a_name_or_service_that_would_change_asks_for_nothing_stored(room, text):
    for plan in (
        planner(room).spans(api.QuerySpansRequest(operation_name=text), NOW),
        planner(room).points(api.QueryMetricsRequest(metric_name=text), NOW),
        planner(room).spans(api.QuerySpansRequest(service_name=text), NOW),
    ):
        if room.text(text) != text:
            assert not asks_raw_values(plan)


@pytest.mark.parametrize("text", ["ada@example.com", "mail to ada@example.com", "plan-gold", "4111 1111 1111 1111"])
def test_a_text_that_would_change_is_searched_for_nowhere(text):
    plan = planner(ROOMS["own"]).logs(api.QueryLogsRequest(text=text), NOW)
    assert (plan.nothing, plan.text, plan.rechecks) == (True, None, [])


def test_planning_lets_an_unchanged_text_through():
    plan = planner(ROOMS["own"]).logs(api.QueryLogsRequest(text="timeout"), NOW)
    assert (plan.nothing, plan.text) == (False, "timeout")
