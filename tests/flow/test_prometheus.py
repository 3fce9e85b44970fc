"""A real Prometheus scrapes a running agent and answers with its instruments."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import httpx

from tests.flow.house import eventually, house, in_house
from tests.needs import needs
from tests.ports import free_ports
from tests.telemetry import request, span

CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - {{job_name: coral, static_configs: [{{targets: ["{address}"]}}]}}
"""


def prometheus(directory: Path, port: int) -> subprocess.Popen[bytes]:
    command = [
        "prometheus",
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={directory / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_prometheus_scrapes_the_agent(tmp_path):
    needs(shutil.which("prometheus") is not None, "the Debian package prometheus")

    async def body():
        (port,) = free_ports(1)
        async with house(tmp_path / "data") as agent, httpx.AsyncClient() as client:
            await agent.export(request(span(1), span(2), span(3, trace_id=b"x")))
            (tmp_path / "prometheus.yml").write_text(CONFIG.format(address=agent.listening.admin))

            async def value(query: str) -> list[str]:
                try:
                    answer = await client.get(f"http://127.0.0.1:{port}/api/v1/query", params={"query": query})
                except httpx.TransportError:
                    return []  # it is starting
                if answer.status_code != httpx.codes.OK:
                    return []  # it is still reading its own data
                return [series["value"][1] for series in answer.json()["data"]["result"]]

            async def scraped() -> bool:
                accepted = await value('coral_agent_receiver_accepted_spans_total{transport="grpc"}')
                refused = await value('coral_agent_receiver_refused_spans_total{reason="invalid_trace_id"}')
                return (accepted, refused) == (["2"], ["1"])

            with prometheus(tmp_path, port) as process:
                try:
                    await eventually(scraped, "Prometheus has not scraped what was counted")
                    assert await value("up") == ["1"]
                    assert await value("process_resident_memory_bytes > 0")
                finally:
                    process.kill()

    in_house(body)
