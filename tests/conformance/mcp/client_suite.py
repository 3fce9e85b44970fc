"""Runs the official client scenarios: all 18 of 2025-11-25, and of 2026-07-28 those without OAuth.

The client is the one that the colony asks other people's servers with (``client.py``).
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import uvloop

from tests.conformance.mcp.suite import SUITE, node, output

SCENARIOS = {
    "2025-11-25": (
        *("initialize", "tools_call", "elicitation-sep1034-client-defaults", "sse-retry"),
        *("auth/metadata-default", "auth/metadata-var1", "auth/metadata-var2", "auth/metadata-var3", "auth/basic-cimd"),
        *("auth/scope-from-www-authenticate", "auth/scope-from-scopes-supported", "auth/scope-omitted-when-undefined"),
        *("auth/scope-step-up", "auth/scope-retry-limit", "auth/token-endpoint-auth-basic"),
        *("auth/token-endpoint-auth-post", "auth/token-endpoint-auth-none", "auth/pre-registration"),
    ),
    "2026-07-28": (
        *("tools_call", "request-metadata", "sep-2322-client-request-state", "http-standard-headers", "http-custom-headers"),
        *("http-invalid-tool-headers", "json-schema-ref-no-deref", "json-schema-2020-12-preservation"),
    ),
}
ROOT = Path(__file__).parents[3]
CLIENT = Path(__file__).with_name("client.py")


async def passes(program: str, scenario: str, version: str) -> bool:
    """One scenario."""
    paths = f"{ROOT}:{ROOT / 'proto'}"
    command = f"env PYTHONPATH={shlex.quote(paths)} {shlex.quote(sys.executable)} {shlex.quote(str(CLIENT))}"
    options = ("--scenario", scenario, "--spec-version", version, "--timeout", "60000")
    code, printed = await output(program, str(SUITE), "client", "--command", command, *options)
    sys.stdout.write(f"--- client, {version}, {scenario}: {'pass' if code == 0 else 'FAIL'}\n")
    if code:
        sys.stdout.write(printed[-2500:] + "\n")
    sys.stdout.flush()
    return code == 0


async def run() -> int:
    """All of them, or those named in ``CORAL_SCENARIOS``; 0 when all pass, or when they cannot be run."""
    program = await node()
    if not program or not SUITE.is_file():
        sys.stdout.write("--- MCP client conformance is skipped: Node 22.19 or the suite is missing\n")
        return 0
    only = set(filter(None, os.environ.get("CORAL_SCENARIOS", "").split(",")))
    failed = []
    for version, scenarios in SCENARIOS.items():
        wanted = [one for one in scenarios if not only or one in only]
        bad = [one for one in wanted if not await passes(program, one, version)]
        sys.stdout.write(f"--- client, {version}: {len(wanted) - len(bad)} of {len(wanted)} scenarios\n")
        failed += bad
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(uvloop.run(run()))
