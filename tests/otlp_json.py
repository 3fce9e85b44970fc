"""OTLP/JSON read by protobuf's own JSON parser: a second opinion beside the agent's."""

from __future__ import annotations

import base64
import json
from typing import Any, TypeVar

from google.protobuf import json_format
from google.protobuf.message import Message

_IDS = {"traceId", "spanId", "parentSpanId"}
Request = TypeVar("Request", bound=Message)


def message_of_json(text: str | bytes, kind: type[Request]) -> Request:
    """The message that OTLP/JSON says. It differs from protobuf's JSON in the ids alone, which are hexadecimal."""
    return json_format.ParseDict(_with_base64_ids(json.loads(text)), kind(), ignore_unknown_fields=True)


def _with_base64_ids(document: Any) -> Any:
    if isinstance(document, list):
        return [_with_base64_ids(entry) for entry in document]
    if not isinstance(document, dict):
        return document
    return {
        name: base64.b64encode(bytes.fromhex(value)).decode() if name in _IDS else _with_base64_ids(value)
        for name, value in document.items()
        if value is not None
    }
