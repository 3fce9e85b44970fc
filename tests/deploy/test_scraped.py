"""Over ``make demo``: a real Prometheus with the configuration and rules that are deployed, the questions of models and of people."""

from __future__ import annotations

import json
import re
import threading
import time
import urllib.parse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
import yaml

from tests.deploy import said
from tests.deploy.newcomer import Newcomer
from tests.deploy.test_commands import here
from tests.deploy.test_prometheus import panels
from tests.deploy.tools import ROOT, program

EXPLAINED = re.compile(r"^\| `(coral_(?:agent|colony)_\w+)` \| (counter|gauge|histogram) \|", re.MULTILINE)
ENDINGS = {"counter": [""], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}
UPSTREAM = "coral_colony_upstream"
"""Labelled by the servers that a configuration names: the demo has none. tests/flow/test_upstreams.py has."""

FURTHER = {"coral-agent": ["127.0.0.1:14320"], "coral-colony": ["127.0.0.1:14322"]}
"""An agent that has certificates, and a colony whose agent is away: what no demo has."""


def explained() -> set[str]:
    """The series of the documents' tables."""
    text = (ROOT / "docs/operations.md").read_text() + (ROOT / "docs/colony.md").read_text()
    found = {name + ending for name, kind in EXPLAINED.findall(text) for ending in ENDINGS[kind]}
    assert len(found) > 50
    return {name for name in found if not name.startswith(UPSTREAM)}


def written_for(newcomer: Newcomer) -> str:
    """The deployed configuration, faster, with the further targets."""
    config = yaml.safe_load((ROOT / "deploy/prometheus/scrape.yaml").read_text())
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    for job in config["scrape_configs"]:
        job["static_configs"][0]["targets"] += FURTHER[job["job_name"]]
    path = newcomer.checkout / "deploy/prometheus/faster.yaml"
    path.write_text(yaml.safe_dump(config))
    return str(path)


def an_agent_with_certificates(newcomer: Newcomer) -> dict[str, str]:
    home = newcomer.home / "scraped"
    newcomer.type(f"deploy/certificates.sh {home}")
    files = {"CERT_FILE": "tls.crt", "KEY_FILE": "tls.key", "CLIENT_CA_FILE": "ca.crt"}
    doors = {"OTLP__GRPC": 14317, "OTLP__HTTP": 14318, "QUERY": 14319, "ADMIN": 14320}
    told = {f"CORAL_AGENT__QUERY__TLS__{name}": f"{home}/agent/{file}" for name, file in files.items()}
    told |= {f"CORAL_AGENT__{door}__ENDPOINT": f"127.0.0.1:{port}" for door, port in doors.items()}
    return newcomer.environ() | told | {"CORAL_AGENT__STORE__DIR": f"{home}/store"}


def a_colony_alone(newcomer: Newcomer) -> dict[str, str]:
    told = {"AGENTS__STATIC": "127.0.0.1:1", "SUMMARIES__DIR": f"{newcomer.home}/alone"}
    told |= {"MCP__ENDPOINT": "127.0.0.1:14321", "ADMIN__ENDPOINT": "127.0.0.1:14322"}
    return newcomer.environ() | {f"CORAL_COLONY__{name}": value for name, value in told.items()}


def send_what_is_refused(newcomer: Newcomer) -> None:
    for signal in ("traces", "metrics", "logs"):
        post = "curl -s -o /dev/null -w '%{http_code}' -H 'content-type: application/json' -d '{'"
        assert newcomer.type(f"{post} http://127.0.0.1:4318/v1/{signal}") == "400"


def asked(newcomer: Newcomer, path: str) -> dict[str, object]:
    answer: dict[str, object] = json.loads(newcomer.type(f"curl -s '127.0.0.1:9090/api/v1/{path}'"))
    return answer


def eventually(holds: Callable[[], object], seconds: float = 30) -> None:
    """Wait until it is empty: what it returns is what is missing."""
    until = time.monotonic() + seconds
    while missing := holds():
        assert time.monotonic() < until, missing
        threading.Event().wait(0.5)


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("demo")
def test_every_series_of_the_documents_is_there_after_the_demos_load_and_every_rule_and_panel_works(newcomer: Newcomer):
    config, data = written_for(newcomer), newcomer.home / "tsdb"
    scraping = f"{program('prometheus', 'the Debian package prometheus')} --config.file={config} --storage.tsdb.path={data}"
    with ExitStack() as stack:
        agent, colony = an_agent_with_certificates(newcomer), a_colony_alone(newcomer)
        stack.enter_context(newcomer.typing("coral-agent run", said.GO_ON["coral-agent run"], environ=agent))
        stack.enter_context(newcomer.typing("coral-colony run", said.GO_ON["coral-colony run"], environ=colony))
        send_what_is_refused(newcomer)
        newcomer.type("coral-agent logs --level error")
        stack.enter_context(newcomer.typing(f"{scraping} --web.listen-address=127.0.0.1:9090", "Server is ready"))
        eventually(lambda: explained() - set(asked(newcomer, "label/__name__/values")["data"]))  # type: ignore[call-overload] # names
        eventually(lambda: rules_that_fail(newcomer))
        for title, expression in panels():
            query = urllib.parse.quote(expression.replace("$instance", ".*"))
            assert asked(newcomer, f"query?query={query}")["status"] == "success", title
        up = asked(newcomer, "query?query=up")["data"]["result"]  # type: ignore[index,call-overload] # a vector
        assert [series["value"][1] for series in up] == ["1"] * 4


def rules_that_fail(newcomer: Newcomer) -> list[str]:
    groups = asked(newcomer, "rules")["data"]["groups"]  # type: ignore[index,call-overload] # of rules
    found = [rule for group in groups for rule in group["rules"]]
    assert found
    return [rule["name"] for rule in found if rule["health"] != "ok"]


@pytest.mark.usefixtures("demo")
def test_the_questions_that_the_system_was_made_for_are_answered_over_the_demo(newcomer: Newcomer):
    newcomer.type("python -m tests.deploy.questions http://127.0.0.1:4321/mcp")


@pytest.mark.timeout(300)
def test_what_the_readme_and_the_colonys_guide_ask_the_demo(newcomer: Newcomer, demo: list[str]):
    text = "".join(demo)
    (agents,) = re.findall(r"export (CORAL_COLONY__AGENTS__STATIC=\S+)", text)
    (trace,) = set(re.findall(r"coral-colony trace ([0-9a-f]{32})", text))

    def type_all(commands: list[str], before: str) -> None:
        for typed in commands:
            assert said.DEMO[typed] in newcomer.type(f"export {agents}; {before}{here(typed, trace)}"), typed

    settled = [typed for typed in said.DEMO if "tempo" in typed]
    with ThreadPoolExecutor() as lanes:
        waits = lanes.submit(type_all, settled, "sleep 10; ")  # a trace has settled ten seconds after its end
        type_all([typed for typed in said.DEMO if typed not in settled], "")
        waits.result()
