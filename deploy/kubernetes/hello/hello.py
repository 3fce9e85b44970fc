"""An application of two services that says hello: a trace, a log record and a data point a second, as OTLP JSON over HTTP.

Only the standard library, so that it runs in Coral's own image: ``python hello.py [SECONDS]``; without SECONDS for ever. A
trace in ten fails. It sends to OTEL_EXPORTER_OTLP_ENDPOINT, else http://127.0.0.1:4318.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
import urllib.error
import urllib.request
from typing import Any

ENDPOINT = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
MS = 1_000_000


def attributes(**values: str) -> list[dict[str, Any]]:
    """OTLP's list of keys and values; ``__`` in a name is a dot."""
    return [{"key": name.replace("__", "."), "value": {"stringValue": value}} for name, value in values.items()]


def send(signal: str, outer: str, service: str, scoped: dict[str, Any]) -> None:
    """Export one Resource; a refusal is told, and the next second tries anew."""
    resource = {"resource": {"attributes": attributes(service__name=service)}, outer: [scoped]}
    body = json.dumps({f"resource{outer.removeprefix('scope')}": [resource]}).encode()
    wanted = urllib.request.Request(f"{ENDPOINT}/v1/{signal}", body, {"content-type": "application/json"})
    try:
        urllib.request.urlopen(wanted, timeout=5).close()
    except OSError as error:
        print(f"{signal}: {error}", file=sys.stderr, flush=True)


def say_hello(number: int, now: int) -> None:
    """One request through ``front`` and ``greeter`` that ended at ``now``, in nanoseconds."""
    trace, front, greeter = secrets.token_hex(16), secrets.token_hex(8), secrets.token_hex(8)
    failed = number % 10 == 9
    took = (20 + number % 7 * 5) * MS

    def span(name: str, own: str, parent: str, kind: int, start: int, end: int) -> dict[str, Any]:
        status = {"code": 2, "message": "no greeting left"} if failed else {}
        found = {"traceId": trace, "spanId": own, "parentSpanId": parent, "name": name, "kind": kind, "status": status}
        times = {"startTimeUnixNano": str(start), "endTimeUnixNano": str(end)}
        return found | times | {"attributes": attributes(http__route="/hello", user__email=f"guest{number % 3}@example.com")}

    send("traces", "scopeSpans", "front", {"spans": [span("GET /hello", front, "", 2, now - took, now)]})
    send("traces", "scopeSpans", "greeter", {"spans": [span("greet", greeter, front, 2, now - took + 3 * MS, now - 2 * MS)]})
    record = {
        "timeUnixNano": str(now),
        "severityNumber": 17 if failed else 9,
        "severityText": "ERROR" if failed else "INFO",
        "body": {"stringValue": f"hello {number} {'failed' if failed else 'said'}"},
        "traceId": trace,
        "spanId": greeter,
    }
    send("logs", "scopeLogs", "greeter", {"logRecords": [record]})
    point = {"asInt": str(number + 1), "timeUnixNano": str(now), "startTimeUnixNano": str(now - (number + 1) * 1000 * MS)}
    hellos = {
        "name": "hellos",
        "unit": "{hello}",
        "sum": {"dataPoints": [point], "aggregationTemporality": 2, "isMonotonic": True},
    }
    send("metrics", "scopeMetrics", "greeter", {"metrics": [hellos]})


def main(seconds: int | None) -> None:
    """A hello a second."""
    number = 0
    while seconds is None or number < seconds:
        say_hello(number, time.time_ns())  # noqa: TID251 it stands alone: nobody passes a clock in
        number += 1
        time.sleep(1)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else None)
