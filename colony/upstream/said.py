"""Pure: what a tool of another's server answered, and which of its calls may be repeated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp_types import CallToolResult, TextContent, Tool

READS = frozenset(
    {
        *("traceql-search", "traceql-metrics-instant", "traceql-metrics-range", "get-trace", "trace-diff"),
        *("get-attribute-names", "get-attribute-values", "docs-traceql", "docs-config"),
    }
)
"""Tempo's tools, which only read whether or not their server says so."""


@dataclass(frozen=True, slots=True)
class Said:
    """An answer. ``others`` names content that is no text: kind and size."""

    texts: tuple[str, ...] = ()
    structured: Any = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    is_error: bool = False
    others: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All texts, one after the other; what is only structured as compact JSON."""
        if self.texts or self.structured is None:
            return "\n".join(self.texts)
        return json.dumps(self.structured, ensure_ascii=False, separators=(",", ":"))


def said_of(result: CallToolResult) -> Said:
    """The SDK's result."""
    texts = tuple(block.text for block in result.content if isinstance(block, TextContent))
    others = tuple(_other(block) for block in result.content if not isinstance(block, TextContent))
    return Said(texts, result.structured_content, result.meta or {}, bool(result.is_error), others)


def _other(block: Any) -> str:  # noqa: ANN401 any content
    resource = getattr(block, "resource", None)
    held = getattr(block, "data", None) or getattr(resource, "text", None) or getattr(resource, "blob", None) or ""
    return f"{block.type} of {len(held)} characters"


def only_reads(tool: Tool, *, is_tempo: bool) -> bool:
    """Whether a call may be made twice: the server says that the tool only reads, or it is one of Tempo's."""
    says = tool.annotations is not None and tool.annotations.read_only_hint is True
    return says or (is_tempo and tool.name in READS)
