"""Pages that send: which origins may, what a preflight says, and silence where nothing is configured."""

from __future__ import annotations

import pytest

from agent.receive.cors import CorsSettings
from tests.agent.receive.calling import send, status
from tests.agent.receive.recording import House, spans

CORS = CorsSettings(("https://app.example.com", "https://*.shop.example", "http://localhost:*"), ("x-tenant",), 7200)
ORIGIN = {"origin": "https://app.example.com"}


def preflight(cors: CorsSettings, origin: str, headers: str = "content-type,x-tenant", method: str = "POST"):
    asked = {"origin": origin, "access-control-request-method": method, "access-control-request-headers": headers}
    return send(House(), b"", None, method="OPTIONS", headers=asked, cors=cors)


def allowing(response) -> list[str]:
    return [name for name in response.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.example.com",
        "https://APP.example.com",
        "https://eu.shop.example",
        "https://a.b.shop.example",
        "http://localhost:3000",
    ],
)
def test_an_origin_that_is_configured_is_echoed_and_may_be_remembered(origin):
    response = preflight(CORS, origin)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == origin
    assert response.headers["access-control-max-age"] == "7200"
    assert response.headers["access-control-allow-methods"] == "POST"
    assert "x-tenant" in response.headers["access-control-allow-headers"]
    assert "Origin" in response.headers["vary"]


@pytest.mark.parametrize(
    "origin",
    [
        "https://other.example.com",
        "http://app.example.com",
        "https://shop.example",
        "https://app.example.com.evil.example",
        "null",
    ],
)
def test_another_origin_is_refused_and_told_nothing(origin):
    response = preflight(CORS, origin)
    assert response.status_code == 403
    assert "otlp.http.cors" in status(response).message
    assert not allowing(response)


@pytest.mark.parametrize(("headers", "method"), [("x-other", "POST"), ("", "DELETE")])
def test_another_header_or_method_is_refused(headers, method):
    response = preflight(CORS, "https://app.example.com", headers, method)
    assert response.status_code == 403
    assert status(response).message.startswith("Disallowed CORS")
    assert response.headers["access-control-allow-origin"] == "https://app.example.com"


@pytest.mark.parametrize("body", [spans(1), b"malformed"])
def test_every_answer_to_a_page_says_that_it_may_read_it(body):
    response = send(House(), body, headers=ORIGIN, cors=CORS)
    assert response.headers["access-control-allow-origin"] == "https://app.example.com"


def test_an_answer_to_another_origin_names_none():
    response = send(House(), spans(1), headers={"origin": "https://evil.example"}, cors=CORS)
    assert "access-control-allow-origin" not in response.headers


def test_a_star_lets_every_origin_and_header_in():
    response = preflight(CorsSettings(("*",), ("*",)), "https://any.example", "x-whatever")
    assert (response.status_code, response.headers["access-control-allow-origin"]) == (200, "https://any.example")
    assert response.headers["access-control-allow-headers"] == "x-whatever"


def test_without_configuration_no_answer_speaks_of_origins():
    response = preflight(CorsSettings(), "https://app.example.com")
    assert (response.status_code, allowing(response)) == (405, [])
    response = send(House(), spans(1), headers=ORIGIN)
    assert (response.status_code, allowing(response)) == (200, [])
