"""The questions of those who asked for this system, through MCP to the demo's colony: ``python -m tests.deploy.questions URL``."""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from typing import Any

from mcp.client import Client

_MS = re.compile(r"([\d.]+)(ms|s) POST /order")


async def ask(url: str) -> None:
    """Ask all five; an answer that does not hold what it must ends the program with a traceback."""
    async with Client(url) as client:

        async def told(tool: str, **arguments: Any) -> str:
            result = await client.call_tool(tool, arguments)
            text = str(getattr(result.content[0], "text", ""))
            assert not result.is_error, text
            return text

        slow = await told("coral_query_raw_spans", service_name="shop", operation_name="POST /order", order="slowest", limit=3)
        durations = [float(number) * (1 if unit == "ms" else 1000) for number, unit in _MS.findall(slow)]
        assert durations == sorted(durations, reverse=True), slow
        assert len(durations) == 3, slow
        assert durations[0] > 300, slow
        both = await told("coral_query_raw_spans", service_name="shop", also_service="payments", operation_name="POST /order")
        assert "in traces with payments" in both.partition("\n")[0], both
        assert len(set(re.findall(r"trace=(\w{32})|T\d+=(\w{32})", both))) > 10, both
        (trace,) = re.findall(r"(?:T1|trace)=([0-9a-f]{32})", slow)[:1]
        logs = await told("coral_query_raw_logs", service_name="*", trace_id=trace)
        assert "the bank took" in logs, logs
        tree = await told("coral_reconstruct_trace", trace_id=trace)
        assert "5 spans, 2 services" in tree.partition("\n")[0], tree
        (bank,) = re.findall(r"\*!?(\w+) \+\S+ \S+ S\d ask bank", tree)
        span = await told("coral_reconstruct_trace", trace_id=trace, span_id=bank)
        assert "payment.amount=" in span, span
        assert "service.version" in span, span


def main() -> None:
    logging.disable(logging.INFO)
    asyncio.run(ask(sys.argv[1]))


if __name__ == "__main__":
    main()
