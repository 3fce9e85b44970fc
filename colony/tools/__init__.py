"""What a model can ask: one tool, one file, one narrow answer. ``TOOLS`` lists them in the order they are shown."""

from colony.tools import names, raw_logs, raw_metrics, raw_spans, services, telemetry_spans, trace
from colony.tools.tool import Surroundings, Tool

TOOLS: tuple[Tool, ...] = (
    services.TOOL,
    telemetry_spans.TOOL,
    raw_spans.TOOL,
    trace.TOOL,
    raw_logs.TOOL,
    raw_metrics.TOOL,
    names.TOOL,
)

__all__ = ["TOOLS", "Surroundings", "Tool"]
