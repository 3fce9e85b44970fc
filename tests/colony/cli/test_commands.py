"""The command line over real agents: what is typed, what is printed, and how it ends."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager

import pytest
import uvloop
from typer.testing import CliRunner

import colony.__main__  # noqa: F401 registers the command run and the option --version
from colony import __version__
from colony.cli.commands import commands
from colony.clock import SystemClock
from tests.colony.agents import SetClock, SmallAgent, serving
from tests.colony.rows import SECOND, TRACE, log, span

NOW = SystemClock().now_ns()


@contextmanager
def agents(*found: SmallAgent) -> Iterator[list[str]]:
    """Agents on a loop of their own; their addresses."""
    ready: list[str] = []
    has_started, loop, stop = threading.Event(), uvloop.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with AsyncExitStack() as running:
            ready.extend([str(await running.enter_async_context(serving(agent))) for agent in found])
            has_started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert has_started.wait(20)
    try:
        yield ready
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def typed(targets: list[str], *words: str, code: int = 0) -> str:
    environ = {"CORAL_COLONY__AGENTS__STATIC": ",".join(targets), "CORAL_COLONY__AGENTS__DEADLINE": "1s", "COLUMNS": "200"}
    result = CliRunner().invoke(commands, words, env=environ)
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 or result.stdout else result.stderr


@pytest.fixture(name="town")
def _town() -> Iterator[list[str]]:
    one, two = SmallAgent("n1", clock=SetClock(NOW)), SmallAgent("n2", clock=SetClock(NOW))
    one.add(span("root", NOW - 60 * SECOND, 20_000_000, is_error=True, status_message="declined"))
    one.add(log("it \x1b[31mbroke", NOW - 60 * SECOND, level=17))
    two.add(
        span(
            "child",
            NOW - 60 * SECOND + 5_000_000,
            10_000_000,
            parent_span_id=f"{b'root'.hex():0>16}",
            service_name="pay",
        )
    )
    with agents(one, two) as targets:
        yield [*targets, "127.0.0.1:1"]


def test_agents_are_listed_with_their_state_clock_and_services(town: list[str]):
    table = typed(town, "agents")
    assert [line.split()[0] for line in table.splitlines()] == ["AGENT", "127.0.0.1:1", "n1", "n2"]
    assert "unreachable" in table
    found = json.loads(typed(town, "agents", "--output", "json"))["agents"]
    assert {agent["agent"]: (agent["state"], agent["services"]) for agent in found} == {
        "127.0.0.1:1": ("unreachable", []),
        "n1": ("answered", ["shop"]),
        "n2": ("answered", ["pay"]),
    }
    assert typed(["127.0.0.1:1"], "agents", code=1).splitlines()[0].startswith("AGENT")


def test_spans_are_listed_with_who_sent_them_and_who_is_missing(town: list[str]):
    table = typed(town, "spans", "--service", "shop")
    assert "ERROR declined" in table
    assert "1 of 2 agents answered; missing:" in table
    assert "127.0.0.1:1: unreachable: UNAVAILABLE" in table
    found = json.loads(typed(town, "spans", "-s", "shop", "--last", "5m", "--errors", "-o", "json"))
    assert [(row["agent"], row["operation_name"]) for row in found["rows"]] == [("n1", "root")]
    assert {agent["agent"]: agent["result"] for agent in found["agents"]} == {"n1": "answered", "127.0.0.1:1": "unreachable"}


def test_when_nobody_answers_the_program_ends_with_one_and_offers_summaries():
    printed = typed(["127.0.0.1:1"], "spans", "--service", "shop", code=1)
    assert "no agent answered: these are one-minute summaries of the same time" in printed


def test_pages_are_gone_on_with_by_their_cursor(town: list[str]):
    first = json.loads(typed(town, "spans", "-n", "1", "-o", "json"))
    second = json.loads(typed(town, "spans", "-n", "1", "-o", "json", "--cursor", first["cursor"]))
    assert [row["operation_name"] for page in (first, second) for row in page["rows"]] == ["child", "root"]
    assert typed(town, "spans", "--errors", "--cursor", first["cursor"], code=2).startswith(
        "cursor is not one of this question"
    )


def test_log_records_are_lines_that_cannot_steer_the_terminal(town: list[str]):
    printed = typed(town, "logs", "--level", "error")
    assert "ERROR shop it \\x1b[31mbroke" in printed
    assert typed(town, "logs", "--level", "loud", code=2)
    assert "showing 1 log records of" in typed(town, "logs")


def test_a_trace_is_a_tree_with_marks_and_reasons(town: list[str]):
    printed = typed(town, "trace", TRACE)
    assert "2 spans, 2 services, 2 agents" in printed
    assert "may be incomplete" in printed
    assert [line[:2] for line in printed.splitlines() if "━" in line] == ["*!", "* "]
    found = json.loads(typed(town, "trace", TRACE, "--output", "json"))
    assert [(s["depth"], s["parent"], s["span"]["service_name"]) for s in found["spans"]] == [(0, None, "shop"), (1, 0, "pay")]
    assert (found["complete"], found["error_chain"], len(found["critical_path"])) == (None, [0], 3)
    assert "32 hexadecimal digits" in typed(town, "trace", "xyz", code=2)
    assert "no agent keeps a span of this trace" in typed(town, "trace", "ab" * 16)


def test_a_summary_of_agents_that_are_too_old_says_so(town: list[str]):
    printed = typed(town, "summary", "shop")
    assert "n1: 15 of 15 minutes are missing: it is too old to summarise its spans" in printed
    assert json.loads(typed(town, "summary", "shop", "-o", "json"))["total"]["count"] == 0


def test_a_summary_has_rates_errors_and_percentiles_by_operation():
    now = SystemClock().now_ns()  # minutes of an agent whose clock differs are moved by whole minutes: the newest may come late
    one = SmallAgent("n1", clock=SetClock(now), summarises=True)
    one.add(*(span("GET /", now - n * SECOND, n * 1_000_000, kind=2, is_error=n == 9) for n in range(1, 21)))
    one.add(span("SELECT", now - SECOND, 0, kind=3))
    with agents(one) as targets:
        printed = typed(targets, "summary", "shop")
        found = json.loads(typed(targets, "summary", "shop", "--last", "5m", "-o", "json"))
        silent = json.loads(typed([*targets, "127.0.0.1:1"], "summary", "shop", "--operation", "SELECT", "-o", "json"))

    assert "requests: 20" in printed
    assert [line.split()[:2] for line in printed.splitlines()[1:4]] == [
        ["OPERATION", "KIND"],
        ["GET", "/"],
        ["SELECT", "client"],
    ]
    assert (found["total"]["count"], found["total"]["errors"], found["gaps"]) == (20, 1, [])
    assert found["total"]["p50_ns"] == pytest.approx(10_000_000, rel=0.01)
    assert [one["operation"] for one in silent["operations"]] == ["SELECT"]
    assert silent["gaps"][0].startswith("127.0.0.1:1: 15 of 15 minutes are missing: UNAVAILABLE")


def test_a_bad_configuration_is_told_and_the_effective_one_is_printed():
    assert 'agents.static = "x" (CORAL_COLONY__AGENTS__STATIC): write HOST:PORT' in typed(["x"], "check", code=2)
    assert 'static = ["127.0.0.1:1"]' in typed(["127.0.0.1:1"], "check")
    assert typed([], "--version") == f"coral-colony {__version__}\n"
    assert typed([], "spans", "-n", "0", code=2)
