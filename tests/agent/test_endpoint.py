"""Endpoints: the three forms, what is local, and what is refused."""

from __future__ import annotations

import pytest

from agent.endpoint import Endpoint


@pytest.mark.parametrize("text", ["127.0.0.1:4317", "localhost:0", "[::1]:4317", "agent.coral:65535", "unix:///run/a.sock"])
def test_an_endpoint_is_written_as_it_was_read(text: str):
    assert str(Endpoint.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "is_local"),
    [
        ("127.0.0.1:1", True),
        ("127.8.9.1:1", True),
        ("[::1]:1", True),
        ("localhost:1", True),
        ("unix:///run/a.sock", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("10.0.0.1:1", False),
        ("localhost.example.org:1", False),
    ],
)
def test_local_is_what_only_this_machine_reaches(text: str, is_local: bool):
    assert Endpoint.parse(text).is_local is is_local


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("", "HOST:PORT"),
        ("4317", "HOST:PORT"),
        ("127.0.0.1", "HOST:PORT"),
        ("127.0.0.1:x", "with a port"),
        ("127.0.0.1:65536", "with a port"),
        ("127.0.0.1:-1", "with a port"),
        (":4317", "write the host too"),
        ("::1:4317", "brackets"),
        ("http://127.0.0.1:4317", "no http://"),
        ("[::x]:4317", "IPv6"),
        ("a b:4317", "HOST:PORT"),
        ("a\n:4317", "HOST:PORT"),
        ("unix:run/a.sock", "absolute path"),
        ("unix:///" + 107 * "x", "107 bytes"),
    ],
)
def test_what_is_no_endpoint_is_refused_with_what_is_right(text: str, right: str):
    with pytest.raises(ValueError, match=right):
        Endpoint.parse(text)
