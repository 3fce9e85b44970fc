"""The URL rule takes user information and sensitive parameters, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.scrub.urls import in_text, scrub_url

CASES = [
    ("https://user:pass@host/p", "https://REDACTED:REDACTED@host/p"),
    ("https://token@host/p", "https://REDACTED:REDACTED@host/p"),
    ("postgres://u:p@ss@db:5432/x", "postgres://REDACTED:REDACTED@db:5432/x"),
    ("postgres://u:p/w@db:5432/x", "postgres://REDACTED:REDACTED@db:5432/x"),
    ("//u:p@host", "//REDACTED:REDACTED@host"),
    ("https://h/x?a=1&token=abc&b=%20", "https://h/x?a=1&token=REDACTED&b=%20"),
    ("https://h/x?X-Amz-Signature=f00&X-Amz-Date=1", "https://h/x?X-Amz-Signature=REDACTED&X-Amz-Date=1"),
    ("https://h/cb#access_token=abc&x=1", "https://h/cb#access_token=REDACTED&x=1"),
    ("https://h/cb?%74oken=abc", "https://h/cb?%74oken=REDACTED"),
    ("/x;jsessionid=1234?token=2", "/x;jsessionid=REDACTED"),
    ("code=abc&state=xyz&q=1", "code=REDACTED&state=REDACTED&q=1"),
    ("a=1&sig=", "a=1&sig="),
]


@pytest.mark.parametrize(("url", "expected"), CASES)
def test_credentials_leave_a_url(url, expected):
    assert expected == scrub_url(url.encode()).decode()


@pytest.mark.parametrize(
    "url", ["https://h:80/@user", "/users/@me", "https://h/a?q=x@y", "a?page=1&tokens=2&%41=3", "mailto:x", ""]
)
def test_other_urls_stay(url):
    assert url == scrub_url(url.encode()).decode()


def test_every_url_of_a_text_is_cleaned():
    text = b"from <https://u:p@a/?key=1> to 'amqp://x:y@b' done"
    assert in_text(text) == b"from <https://REDACTED:REDACTED@a/?key=REDACTED> to 'amqp://REDACTED:REDACTED@b' done"


@given(
    st.lists(st.sampled_from(["://", "//", "@", ":", "?", "&", "#", ";", "=", "token", "u", "1", " ", "/", "REDACTED"])).map(
        "".join
    )
)
def test_cleaning_twice_is_cleaning_once(url):
    once = scrub_url(url.encode())
    assert once == scrub_url(once)
