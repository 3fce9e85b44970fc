"""TraceQL that is made of values: whatever stands in them, it ends no literal."""

from __future__ import annotations

import ast
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colony.upstream.traceql import Spans, attribute, equals, quantiles, quoted, rate, search

_LITERAL = re.compile(r'"(?:[^"\\\n]|\\["\\nrt]|\\u[0-9a-f]{4}|\\U[0-9a-f]{8})*"')


@given(st.text())
def test_any_text_is_one_literal_that_says_it_again(text):
    written = quoted(text)
    assert _LITERAL.fullmatch(written)
    assert ast.literal_eval(written) == text.encode("utf-8", "replace").decode()


@given(st.text(), st.text(min_size=1), st.text())
def test_no_value_adds_a_condition(service, key, value):
    query = Spans(service=service, attributes={key: value}).spanset
    bare = _LITERAL.sub('""', query)
    assert re.fullmatch(
        r'\{(resource\.service\.name = "" && )?(\.([A-Za-z0-9_.]+|"") = ""|\(\.([A-Za-z0-9_.]+|"") = "" \|\| \.([A-Za-z0-9_.]+|"") = [a-z0-9.-]+\))\}',
        bare,
    )


QUERIES = [
    (Spans(), "{}"),
    (Spans(service="shop"), '{resource.service.name = "shop"}'),
    (Spans(service='a" || true || "'), '{resource.service.name = "a\\" || true || \\""}'),
    (
        Spans(operation="GET /", least_ns=1_500_000, errors_only=True),
        '{name = "GET /" && duration >= 1500000ns && status = error}',
    ),
    (Spans(attributes={"http.route": "/a"}), '{.http.route = "/a"}'),
    (Spans(attributes={"retries": 3}), '{(.retries = "3" || .retries = 3)}'),
    (Spans(attributes={"ok": True}), '{(.ok = "true" || .ok = true)}'),
    (Spans(attributes={"a b": "c"}), '{."a b" = "c"}'),
]


@pytest.mark.parametrize(("spans", "query"), QUERIES)
def test_conditions_are_written_as_tempo_reads_them(spans, query):
    assert query == spans.spanset


def test_searches_and_figures():
    shop = Spans(service="shop")
    select = "select(name, kind, status, statusMessage, resource.service.name, span:parentID)"
    assert search(shop) == '{resource.service.name = "shop"} | ' + select + " with(most_recent=true)"
    assert search(shop, also=Spans(service="bank"), newest=False).startswith('{resource.service.name = "shop"} && {resource.')
    assert rate(shop, [attribute("http.route", "span")]) == '{resource.service.name = "shop"} | rate() by (span.http.route)'
    assert quantiles(Spans(), 0.5, 0.99) == "{} | quantile_over_time(duration, 0.5, 0.99)"
    assert equals("a", "b", "resource") == 'resource.a = "b"'


@pytest.mark.parametrize(("key", "scope"), [("a", "nonsense"), ("", "span"), ("a", "span} || {")])
def test_no_scope_but_the_known(key, scope):
    with pytest.raises(ValueError, match="scope is one of"):
        attribute(key, scope)
