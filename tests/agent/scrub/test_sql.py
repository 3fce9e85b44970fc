"""The SQL rule takes literals and keeps names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.scrub.sql import scrub_sql

CASES = [
    ("SELECT * FROM t1 WHERE a = 'x''y' AND b = 12.5e3", "SELECT * FROM t1 WHERE a = ? AND b = ?"),
    ("select 1 where x in (1, 'a' ,3)", "select ? where x IN (?)"),
    ("select 'cut", "select ?"),
    ("select 'a\\'b' from t", "select ? from t"),
    ("select $$secret$$, $q$x$q$", "select ?, ?"),
    ("select a -- bob\nfrom t /* x", "select a /*?*/\nfrom t /*?*/"),
    ('select "a"."b" from "t" where "a"."b" = "bob"', 'select "a"."b" from "t" where "a"."b" = ?'),
    ('insert into t ("a") values ("bob", 1)', 'insert into t ("a") values (?, ?)'),
    ("select a::text from t where b = 'what?'", "select a::text from t where b = ?"),
    ("select `a 1` from [t1] where x=0xFF", "select `a 1` from [t1] where x=?"),
    ("select ARRAY[1234, 'bob']", "select ARRAY[?, ?]"),
]


@pytest.mark.parametrize(("statement", "expected"), CASES)
def test_literals_become_question_marks(statement, expected):
    assert expected == scrub_sql(statement)


@pytest.mark.parametrize(
    "statement", ["select a from t where b = ? and c = 1", "x = $1", "x = :name", "x = %s", "x = @p", "select a from t", ""]
)
def test_a_statement_with_placeholders_or_without_literals_stays(statement):
    assert statement == scrub_sql(statement)


@given(
    st.lists(
        st.sampled_from(["select ", "'", '"', "a1", "12", ",", "in (", ")", "--", "/*", "*/", "$$", " ", "\\", "\n", "::", "="])
    ).map("".join)
)
def test_twice_is_once(statement):
    once = scrub_sql(statement)
    assert once == scrub_sql(once)
