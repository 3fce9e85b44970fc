"""Arguments are strict, in few words, and what is wrong is said with what would be right."""

from __future__ import annotations

import json

import pytest

from colony.errors import InvalidQuestion
from colony.tools import TOOLS
from colony.tools.arguments import checked, filters_of, schema_of
from colony.tools.raw_logs import RawLogs
from colony.tools.raw_spans import RawSpans
from colony.tools.tool import Bookmarks, Place


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "service_name: required"),
        ({"service_name": "a", "min_duration": 1}, "min_duration: no such argument; did you mean min_duration_ms"),
        ({"service_name": "a", "time_range": "yesterday"}, 'time_range: write how far to look back, like "5m"'),
        ({"service_name": "a", "time_range": "0s"}, "time_range: write more than nothing"),
        ({"service_name": "a", "trace_id": "abc"}, "trace_id: write all 32 hexadecimal digits"),
        ({"service_name": "a", "order": "slow"}, "order: Input should be 'newest', 'oldest' or 'slowest'"),
        ({"service_name": "a", "limit": 1000}, "limit: Input should be less than or equal to 200"),
    ],
)
def test_what_cannot_be_is_refused_in_words(arguments, said):
    with pytest.raises(InvalidQuestion) as refusal:
        checked(RawSpans, arguments)

    assert said in refusal.value.message
    assert "http" not in refusal.value.message


def test_usual_slips_are_understood():
    assert checked(RawSpans, {"service_name": "a", "time_range": "last 5m"}).time_range == "5m"
    assert checked(RawLogs, {"service_name": "a", "level": "warning"}).level == "WARN"


def test_filters_are_written_as_agents_compare():
    found = filters_of({"a": True, "b": 500, "c": "x"})

    assert [(one.key, one.value) for one in found] == [("a", "true"), ("b", "500"), ("c", "x")]


def test_schemas_take_nothing_else_and_say_nothing_twice():
    for tool in TOOLS:
        schema = schema_of(tool.arguments)
        assert schema["additionalProperties"] is False
        assert '"title"' not in json.dumps(schema)


def test_bookmarks_forget_the_oldest_and_say_so():
    bookmarks = Bookmarks(max_bytes=10_000)
    names = [bookmarks.put(Place("c" * 1000)) for _ in range(20)]

    assert Place("c" * 1000) == bookmarks.get(names[-1])
    with pytest.raises(InvalidQuestion, match="ask again without it"):
        bookmarks.get(names[0])
