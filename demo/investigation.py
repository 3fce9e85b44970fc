"""An investigation played through MCP, as a model would go about it, and printed: ``python -m demo.investigation URL``.

Coarse to fine: what there is, a service's figures, its slowest and its failed spans, one trace, its logs.
"""

from __future__ import annotations

import asyncio
import logging
import re
import sys

from mcp.client import Client

SERVICE = "shop"
_WIDEST = 170
_MOST_LINES = 14


async def investigate(url: str) -> None:
    """Ask step by step; each takes from the answer before what it asks next."""
    async with Client(url) as client:
        print(f"MCP {client.protocol_version}, {len((await client.list_tools()).tools)} tools\n")
        await _ask(client, "coral_list_services")
        await _ask(client, "coral_query_telemetry_spans", service_name=SERVICE, time_range="15m")
        slow = await _ask(client, "coral_query_raw_spans", service_name=SERVICE, order="slowest", limit=3)
        failed = await _ask(client, "coral_query_raw_spans", service_name=SERVICE, errors_only=True, limit=3)
        for text in (slow, failed):
            trace = re.search(r"(?:T1|trace)=([0-9a-f]{32})", text)
            if trace:
                await _ask(client, "coral_reconstruct_trace", trace_id=trace[1])
                await _ask(client, "coral_query_raw_logs", service_name="*", trace_id=trace[1])


async def _ask(client: Client, tool: str, **arguments: str | int | bool) -> str:
    """Call a tool, and print the call and the answer."""
    said = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    text = getattr((await client.call_tool(tool, arguments)).content[0], "text", "")
    lines = text.splitlines()
    print(f"> {tool}({said})   {-(-len(text.encode()) // 3)} tokens")
    print("\n".join(f"  {line[:_WIDEST]}" for line in lines[:_MOST_LINES]))
    print(f"  ({len(lines) - _MOST_LINES} more lines)\n" if len(lines) > _MOST_LINES else "", flush=True)
    return str(text)


def main() -> None:
    """Run it."""
    logging.disable(logging.INFO)
    asyncio.run(investigate(sys.argv[1]))


if __name__ == "__main__":
    main()
