"""The commands against a real gRPC server that answers fixed answers."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import grpc
import pytest
import trustme
from coral.agent.v1 import telemetry_query_pb2 as api

from tests.agent.cli.answering import FixedAgent, started, typed
from tests.agent.cli.telemetry import TRACE_ID, at, span


def test_spans_are_a_table_with_a_footer(agent: FixedAgent):
    text = typed("spans")

    assert "op a" in text
    assert TRACE_ID in text
    assert "showing 1 of 1, newest first" in text
    assert agent.asked == [api.QuerySpansRequest(limit=100, order=api.ORDER_NEWEST)]


def test_every_filter_of_the_request_is_an_option(agent: FixedAgent):
    typed(
        *("spans", "--service", "cart", "--start", "2026-01-31T13:00:00+01:00", "--end", "2026-01-31T12:00:01Z"),
        *("--trace-id", TRACE_ID, "--operation", "op a", "--min-duration", "250ms", "--max-duration", "1s", "--errors"),
        *("--kind", "client", "--attribute", "a=b=c", "-a", "code=", "--order", "slowest", "--limit", "5", "--offset", "6"),
        *("--page-token", "t0k"),
    )

    assert agent.asked == [
        api.QuerySpansRequest(
            service_name="cart",
            start_time=at(0),
            end_time=at(1000),
            trace_id=TRACE_ID,
            operation_name="op a",
            min_duration_ms=250,
            max_duration_ms=1000,
            errors_only=True,
            kind=api.SPAN_KIND_CLIENT,
            attributes=[api.AttributeFilter(key="a", value="b=c"), api.AttributeFilter(key="code", value="")],
            order=api.ORDER_SLOWEST,
            limit=5,
            offset=6,
            page_token="t0k",
        )
    ]
    asked_without_encoding = {field.name for field, _ in agent.asked[0].ListFields()} | {"encoding"}
    assert asked_without_encoding == set(api.QuerySpansRequest.DESCRIPTOR.fields_by_name) - {"after"}  # a colony's bookmark


def test_last_counts_back_from_now(agent: FixedAgent):
    before = dt.datetime.now(dt.UTC)
    typed("spans", "--last", "5m")

    start = agent.asked[0].start_time.ToDatetime(dt.UTC)
    assert before - dt.timedelta(minutes=5) <= start <= dt.datetime.now(dt.UTC) - dt.timedelta(minutes=5)
    assert not agent.asked[0].HasField("end_time")


def test_json_is_one_object_with_the_fields_of_the_proto(agent: FixedAgent):
    agent.pages = [api.QuerySpansResponse(spans=[span("a", service_name="\x9b\x1bü")])]

    text = typed("spans", "--output", "json")

    answer = json.loads(text)
    assert text.isascii()
    assert answer["spans"][0]["service_name"] == "\x9b\x1bü"
    assert answer["has_more"] is False


def test_warnings_are_shown(agent: FixedAgent):
    agent.pages[0].warnings.append("segment 3 could not be read")

    assert "warning: segment 3 could not be read" in typed("spans")


def test_a_page_token_is_never_cut(agent: FixedAgent):
    agent.pages[0].next_page_token = "x" * 500

    assert "--page-token " + "x" * 500 in typed("spans")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--last", "5"), "unit"),
        (("--last", "5m", "--start", "2026-01-31T12:00:00Z"), "not both"),
        (("--start", "yesterday"), "RFC 3339"),
        (("--start", "2026-01-31T12:00:00"), "offset"),
        (("--min-duration", "1us"), "whole milliseconds"),
        (("--attribute", "x"), "key=value"),
        (("--target", "http://127.0.0.1:1"), "http://"),
        (("--tls-server-name", "x"), "--tls-ca"),
        (("--limit", "-1"), "--limit"),
    ],
)
def test_what_cannot_be_typed_is_refused_with_what_is_right(words: tuple[str, ...], said: str):
    assert said in typed("spans", *words, code=2)


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, ""),
        (grpc.StatusCode.PERMISSION_DENIED, "query.allowed_peers"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "try again"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "ask for less"),
    ],
)
def test_a_refusal_is_one_line_of_code_words_and_advice(agent: FixedAgent, code: grpc.StatusCode, advice: str):
    agent.refusals[0] = (code, "trace_id = 'x':\n\x1b[31m write 32 hexadecimal digits")

    (line,) = typed("spans", code=1).splitlines()

    assert f"{code.name}: trace_id = 'x': \\x1b[31m write 32" in line
    assert advice in line


def test_an_agent_that_is_not_there_is_told_in_one_line():
    (line,) = typed("info", "--target", "127.0.0.1:1", code=1).splitlines()

    assert line.startswith("127.0.0.1:1: UNAVAILABLE: ")
    assert "is the agent running" in line


def test_a_trace_is_a_tree_of_all_its_pages(agent: FixedAgent):
    agent.pages = [
        api.QuerySpansResponse(spans=[span("a")], has_more=True, next_page_token="t0k", warnings=["w"]),
        api.QuerySpansResponse(spans=[span("b", "a", 1)], warnings=["w"]),
    ]

    text = typed("trace", TRACE_ID)

    assert "2 spans" in text
    assert "└ cart op b" in text
    assert text.count("warning: w") == 1
    assert [asked.page_token for asked in agent.asked] == ["", "t0k"]
    assert {(asked.trace_id, asked.order) for asked in agent.asked} == {(TRACE_ID, api.ORDER_OLDEST)}


def test_a_trace_as_json_is_one_object_of_all_its_pages(agent: FixedAgent):
    agent.pages = [
        api.QuerySpansResponse(spans=[span("a")], has_more=True, next_page_token="t0k"),
        api.QuerySpansResponse(spans=[span("b", "a", 1)]),
    ]

    answer = json.loads(typed("trace", TRACE_ID, "-o", "json"))

    assert [found["span_id"] for found in answer["spans"]] == ["a", "b"]
    assert answer["has_more"] is False


def test_a_trace_that_is_not_kept_is_told(agent: FixedAgent):
    agent.pages = [api.QuerySpansResponse()]

    assert "keeps no span of this trace" in typed("trace", TRACE_ID)


def test_info_shows_limits_and_services(agent: FixedAgent):
    text = typed("info")

    assert "node-1" in text
    assert "traces" in text
    assert json.loads(typed("info", "--output", "json"))["signals"][0]["rows"] == "7"


def test_info_of_an_empty_agent_says_so(agent: FixedAgent):
    agent.kept.ClearField("signals")

    assert "nothing is kept yet" in typed("info")


def test_with_certificates_the_commands_speak_mutual_tls(tmp_path: Path):
    authority = trustme.CA()
    ours, theirs = authority.issue_cert("colony.coral"), authority.issue_cert("agent.coral")
    paths = {name: tmp_path / f"{name}.pem" for name in ("ca", "cert", "key")}
    authority.cert_pem.write_to_path(paths["ca"])
    ours.cert_chain_pems[0].write_to_path(paths["cert"])
    ours.private_key_pem.write_to_path(paths["key"])
    credentials = grpc.ssl_server_credentials(
        [(theirs.private_key_pem.bytes(), theirs.cert_chain_pems[0].bytes())], authority.cert_pem.bytes(), True
    )
    server, address = started(FixedAgent(), lambda server: server.add_secure_port("127.0.0.1:0", credentials))
    tls = [word for name, path in paths.items() for word in (f"--tls-{name}", str(path))]

    try:
        assert "node-1" in typed("info", "--target", address, "--tls-server-name", "agent.coral", *tls)
    finally:
        server.stop(None).wait(5)


def test_check_prints_the_effective_configuration(tmp_path: Path):
    file = tmp_path / "agent.toml"
    file.write_text('[store]\nretention = "30m"')

    assert 'retention = "30m"\nsegment = "5m"' in typed("check", "--config", str(file))


def test_check_tells_every_problem(tmp_path: Path):
    file = tmp_path / "agent.toml"
    file.write_text('[store]\nretention = 30\nx = "\\u001b[31m"\n')

    first, *problems = typed("check", "--config", str(file), code=2).splitlines()

    assert first.startswith("2 problems in ")
    assert len(problems) == 2
