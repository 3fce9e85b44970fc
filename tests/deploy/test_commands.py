"""Every command of the README and the documents is typed as a newcomer types it, and answers as it is said to.

Those over the demo are in test_scraped.py, which has it running.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from coral.agent.v1 import telemetry_query_pb2 as api
from google.protobuf import json_format

from agent import __version__
from tests.deploy import said
from tests.deploy.newcomer import Newcomer
from tests.deploy.release import Release
from tests.deploy.tools import ROOT, program, run, tool
from tests.deploy.typed import GUIDES, commands

TRACE = re.compile(r"\b[0-9a-f]{32}\b")


def test_every_command_of_a_guide_is_typed_by_a_test_or_has_a_reason():
    known = {
        *said.CHECKOUT,
        *said.WITH_TOOLS,
        *said.DEMO,
        *said.GO_ON,
        *said.MUTUAL_TLS,
        *said.INSTALL,
        *said.APART,
        *said.NOT_TYPED,
    }
    known |= {f"kubectl apply -k deploy/kubernetes/{name}" for name in said.KUSTOMIZED}
    found = {command for guide in GUIDES for command in commands(guide)}
    assert found - known == set(), "type it in tests/deploy/said.py, or say why not"
    assert known - found == set(), "no guide has it any more"


def here(typed: str, trace: str = "") -> str:
    """A command with this machine's names in the place of made-up ones."""
    named = typed.replace("[--config FILE] [--data-dir DIR]", "--config deploy/agent.toml --data-dir /var/lib/other")
    named = named.replace("scrub-explain [--config FILE]", "scrub-explain --config agent.toml").replace("[--config FILE]", "")
    return TRACE.sub(trace, named.replace("NODE", "127.0.0.1").replace("FILE", "deploy/agent.toml"))


@contextmanager
def going_on(newcomer: Newcomer, typed: str, **options: dict[str, str] | None) -> Iterator[list[str]]:
    with newcomer.typing(here(typed), said.GO_ON[typed], **options) as lines:  # type: ignore[arg-type] # the one option
        yield lines


@pytest.mark.timeout(400)
def test_the_quick_start_from_a_checkout_and_every_question_to_an_agent(newcomer: Newcomer):
    _write_the_scrub_sample(newcomer.checkout)
    with going_on(newcomer, "make run"):
        newcomer.type(f"{said.APART[0]} && python tests/deploy/application.py")
        found = json.loads(newcomer.type("coral-agent spans --service checkout --output json"))

        def type_all(commands: list[str]) -> None:
            for typed in commands:
                assert said.CHECKOUT[typed] in newcomer.type(here(typed, found["spans"][0]["trace_id"])), typed

        aside = [typed for typed in said.CHECKOUT if typed.startswith(("make ", "coral-colony "))]
        with ThreadPoolExecutor() as lanes:  # some wait for seconds
            for done in [lanes.submit(type_all, lane) for lane in (aside, [t for t in said.CHECKOUT if t not in aside])]:
                done.result()
        newcomer.type(f"cat > ask.py <<'END'\n{_python()}\nEND\npython ask.py")


def test_the_bill_of_materials_is_written(newcomer: Newcomer):
    tool("sbom", "cyclonedx-py")
    for typed in said.WITH_TOOLS:
        newcomer.type(typed)
    bill = json.loads((newcomer.checkout / "dist/coral-agent.cdx.json").read_text())
    assert "duckdb" in {part["name"] for part in bill["components"]}


@pytest.mark.timeout(300)
def test_what_goes_on_until_ctrl_c_comes_up(newcomer: Newcomer):
    shutil.copy(ROOT / "deploy/colony.toml", newcomer.checkout / "colony.toml")
    follow = "coral-agent logs --service checkout --follow"
    with going_on(newcomer, "make run"):
        sent = f"({said.APART[0]}; sleep 5; python tests/deploy/application.py) & "
        with newcomer.typing(sent + follow, said.GO_ON[follow]):
            pass
        for typed in ("coral-colony run", "coral-colony run --config colony.toml"):
            with going_on(newcomer, typed):
                pass
    newcomer.type("coral-agent purge --service checkout")
    for typed in ("coral-agent run", "coral-agent run [--config FILE] [--data-dir DIR]"):
        with going_on(newcomer, typed):
            pass


def _write_the_scrub_sample(directory: Path) -> None:
    """The rules of docs/privacy.md, and a record that they hit."""
    (rules,) = re.findall(
        r"^```toml\n(\[\[scrub\.rules.*?)^```", (ROOT / "docs/privacy.md").read_text(), re.MULTILINE | re.DOTALL
    )
    (directory / "agent.toml").write_text(rules)
    attributes = [{"key": "app.tenant", "value": {"stringValue": "acme"}}]
    record = {"body": {"stringValue": "sent ORD-1239813981"}, "attributes": attributes, "timeUnixNano": "1"}
    sample = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}
    (directory / "sample.json").write_text(json.dumps(sample))


def _python() -> str:
    """The program of docs/queries.md."""
    (found,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/queries.md").read_text(), re.MULTILINE | re.DOTALL)
    return str(found)


def test_certificates_and_what_is_typed_with_them(newcomer: Newcomer):
    program("kubectl", "kubectl 1.29 or newer")
    home = newcomer.home / "certificates"
    for typed in ("deploy/certificates.sh /tmp/coral-certificates", "deploy/certificates.sh DIRECTORY"):
        assert f"in {home}: " in newcomer.type(
            typed.replace("/tmp/coral-certificates", str(home)).replace("DIRECTORY", str(home))
        )
    names = {"CERT_FILE": "tls.crt", "KEY_FILE": "tls.key", "CLIENT_CA_FILE": "ca.crt"}
    tls = {f"CORAL_AGENT__QUERY__TLS__{name}": f"{home}/agent/{file}" for name, file in names.items()}
    tls["CORAL_AGENT__QUERY__LOCAL_ENDPOINT"] = f"unix://{newcomer.home}/agent.sock"
    with going_on(newcomer, "coral-agent run", environ=newcomer.environ() | tls):
        for typed, has in said.MUTUAL_TLS.items():
            named = (
                here(typed)
                .replace(" D/", f" {home}/")
                .replace("node-7", "127.0.0.1")
                .replace("/run/coral/", f"{newcomer.home}/")
                .replace("/tmp/coral-certificates", str(home))
            )
            named = named.replace("ca.pem", "ca.crt").replace("me.pem", "tls.crt").replace("me.key", "tls.key")
            named += " --dry-run=client -o yaml" if named.startswith("kubectl") else ""
            named += " || true" if "s_client" in named else ""  # the agent hangs up on who does not speak HTTP/2
            assert has in newcomer.type(named, place=home / ("operator" if "node-7" in typed else "colony")), typed


@pytest.mark.timeout(400)
def test_what_is_installed_for_systemd_and_by_pip_runs(newcomer: Newcomer, release: Release, tmp_path: Path):
    """Pip needs the network, so this is typed outside; /opt and /etc are the newcomer's."""
    alone = newcomer.environ(alone=True) | _without_the_network(release, tmp_path)
    shutil.copy(release.wheel, newcomer.checkout)
    newcomer.type("mkdir -p /etc/systemd/system")

    def type_all(commands: list[str]) -> None:
        for typed in commands:
            newcomer.type(typed, seconds=180, environ=alone)

    with ThreadPoolExecutor() as lanes:  # two environments, side by side
        for done in [lanes.submit(type_all, lane) for lane in (said.INSTALL[:-1], said.INSTALL[-1:])]:
            done.result()
    unit = "/etc/systemd/system/coral-agent.service"
    assert newcomer.type(f"{program('systemd-analyze', 'the Debian package systemd')} verify --man=no {unit}") == ""
    (start,) = re.findall(r"^ExecStart=(.+)$", (ROOT / "deploy/systemd/coral-agent.service").read_text(), re.MULTILINE)
    for typed in (start, "coral/bin/coral-agent run"):
        with newcomer.typing(typed, "Ask for it", environ=alone):
            pass
    assert newcomer.type("/opt/coral/bin/coral-colony --version", environ=alone) == f"coral-colony {__version__}\n"


def _without_the_network(release: Release, directory: Path) -> dict[str, str]:
    """Wheels of all that is required, where pip looks for them, since the newcomer's network has no way out."""
    download = [release.pip, "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(directory)]
    subprocess.run([*download, "--require-hashes", "-r", str(ROOT / "requirements/run.txt")], check=True, timeout=170)
    found = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(directory), "PIP_QUIET": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return found | {"PIP_NO_COMPILE": "1"}  # of sixty packages it would compile for a minute what no program imports


@pytest.mark.parametrize("name", said.KUSTOMIZED)
def test_what_is_applied_to_a_cluster_can_be_made(newcomer: Newcomer, name: str):
    program("kubectl", "kubectl 1.29 or newer")
    assert list(yaml.safe_load_all(newcomer.type(f"kubectl kustomize deploy/kubernetes/{name}")))


@pytest.mark.parametrize("typed", [typed for typed, why in said.NOT_TYPED.items() if why == said.NO_CLUSTER])
def test_kubectl_has_the_commands_that_need_a_cluster(typed: str):
    words = typed.partition(" -- ")[0].split()
    command = next(word for word in words[1:] if word in ("exec", "port-forward", "describe", "label"))
    told = run(program("kubectl", "kubectl 1.29 or newer"), command, "--help")
    told += run(program("kubectl", "kubectl 1.29 or newer"), "options")
    for option in (word for word in words if word.startswith("-")):
        assert re.search(rf"(?<!\S){option}\b", told), option


@pytest.mark.parametrize("typed", [typed for typed, why in said.NOT_TYPED.items() if why == said.A_TEST_RUN])
def test_make_knows_how_to_do_what_takes_too_long_here(newcomer: Newcomer, typed: str):
    assert "python" in newcomer.type(f"{typed} --dry-run") or "pytest" in newcomer.type(f"{typed} --dry-run")


def test_the_bench_of_scrubbing_can_be_started(newcomer: Newcomer):
    assert "Usage" in newcomer.type("python -m bench.scrubbing --help")


def test_what_grpcurl_is_given_is_a_request():
    (given,) = [re.findall(r"-d '(\{.*\})'", typed)[0] for typed in said.NOT_TYPED if "QuerySpans" in typed]
    request = json_format.Parse(given, api.QuerySpansRequest())
    assert (request.service_name, request.errors_only, request.order, request.limit) == ("checkout", True, api.ORDER_NEWEST, 10)
    service = api.DESCRIPTOR.services_by_name["TelemetryQuery"]
    for typed in (typed for typed in said.NOT_TYPED if typed.startswith("grpcurl")):
        proto, method = re.findall(r"-proto (\S+)", typed)[0], typed.rpartition("/")[2]
        assert (ROOT / "proto" / proto).exists()
        assert f"{service.full_name}/{method}" in typed
        assert method in service.methods_by_name
