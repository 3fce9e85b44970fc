"""The rules are valid, each alert is shown to fire and has a runbook, and nothing names an instrument that does not exist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
import yaml
from prometheus_client import CollectorRegistry

from agent.instruments import Instruments as AgentInstruments
from colony.instruments import Instruments as ColonyInstruments
from tests.deploy.tools import ROOT, program, run
from tests.test_documents import anchors

RULES = ROOT / "deploy/prometheus/coral.rules.yaml"
TESTS = sorted((ROOT / "deploy/prometheus").glob("*.test.yaml"))
DASHBOARDS = sorted((ROOT / "deploy/grafana").glob("*.json"))
GROUPS = yaml.safe_load(RULES.read_text())["groups"]
ALERTS = {rule["alert"]: rule for group in GROUPS for rule in group["rules"] if "alert" in rule}
FOREIGN = {"up"}
PROCESS = {"process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"}
_NAME = re.compile(r"\b[a-z][a-z0-9_:]*(?=[{\[])|\b(?:coral|process|kube)[a-z0-9_:]+|\bup\b")
_TEXT = re.compile(r'"[^"]*"|\{\{.*?\}\}')
_LABELS = re.compile(r"\b(?:by|on|without|group_left)\s*\([^)]*\)")


def promtool() -> str:
    return program("promtool", "the Debian package prometheus")


def series() -> set[str]:
    """Every series that the two programs can have."""
    found = set()
    for registry in (AgentInstruments(CollectorRegistry()).registry, ColonyInstruments(CollectorRegistry()).registry):
        for family in registry.collect():
            endings = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [""])
            found |= {family.name + ending for ending in endings}
    return found


def recorded() -> set[str]:
    return {rule["record"] for group in GROUPS for rule in group["rules"] if "record" in rule}


def named(expression: str) -> set[str]:
    """The metric names in an expression: without its texts and label lists."""
    return set(_NAME.findall(_LABELS.sub("", _TEXT.sub('""', expression))))


def panels() -> Iterator[tuple[str, str]]:
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                yield f"{path.stem}: {panel['title']}", target["expr"]


def test_prometheus_takes_the_rules_and_the_scrape_configuration():
    assert f"{sum(len(group['rules']) for group in GROUPS)} rules found" in run(promtool(), "check", "rules", RULES)
    run(promtool(), "check", "config", ROOT / "deploy/prometheus/scrape.yaml")


def test_each_alert_fires_on_its_fault_and_none_in_health():
    run(promtool(), "test", "rules", *TESTS, cwd=RULES.parent)
    fired: set[str] = set()
    quiet: set[str] = set()
    for path in TESTS:
        for group in yaml.safe_load(path.read_text())["tests"]:
            for case in group.get("alert_rule_test", []):
                (fired if case.get("exp_alerts") else quiet).add(case["alertname"])
    assert fired == quiet == set(ALERTS)


def test_each_alert_leads_to_its_own_runbook():
    headings = anchors(ROOT / "docs/operations.md")
    for name, rule in ALERTS.items():
        assert rule["annotations"]["runbook"] == f"docs/operations.md#{name.lower()}"
        assert name.lower() in headings, name
        assert rule["labels"]["severity"] in ("critical", "warning")


@pytest.mark.parametrize("rule", [rule for group in GROUPS for rule in group["rules"]], ids=str)
def test_a_rule_names_only_series_that_exist(rule):
    assert named(rule["expr"]) <= series() | recorded() | FOREIGN


def test_the_dashboards_name_only_instruments_that_exist():
    for title, expression in panels():
        names = named(expression)
        assert names, title
        assert names <= series() | PROCESS | {"up"}, title


def test_prometheus_understands_every_query_of_the_dashboards(tmp_path):
    rules = [{"record": f"panel:{n}", "expr": text.replace("$instance", ".*")} for n, (_, text) in enumerate(panels())]
    (tmp_path / "panels.yaml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(rules)} rules found" in run(promtool(), "check", "rules", tmp_path / "panels.yaml")


def test_a_dashboard_can_be_imported_anywhere():
    for path in DASHBOARDS:
        board = json.loads(path.read_text())
        assert [variable["name"] for variable in board["templating"]["list"]] == ["datasource", "instance"]
        assert {panel["datasource"]["uid"] for panel in board["panels"]} == {"${datasource}"}
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
