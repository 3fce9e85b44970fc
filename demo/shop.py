"""The shop: takes orders and has the payments service charge them. Its argument is that service's address."""

from __future__ import annotations

import itertools
import json
import random
import sys
import time
import urllib.error
import urllib.request
from typing import Any

from opentelemetry import propagate
from opentelemetry.trace import SpanKind, StatusCode

from demo.telemetry import Telemetry, serve

_CUSTOMERS = ["ada@example.com", "grace@example.com", "edsger@example.com"]
_CARD = "4111 1111 1111 1111"


class Shop:
    """Orders, counted."""

    def __init__(self, telemetry: Telemetry, payments: str) -> None:
        self._telemetry = telemetry
        self._payments = payments
        self._numbers = itertools.count(1)
        self._orders = telemetry.meter.create_counter("shop.orders", "{order}", "Orders by how they ended")
        self._stock = telemetry.meter.create_gauge("shop.stock", "{piece}", "Pieces on the shelf")

    def order(self, _: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Take an order."""
        number, customer = next(self._numbers), random.choice(_CUSTOMERS)
        with self._telemetry.tracer.start_as_current_span("price cart", attributes={"user.email": customer}) as span:
            pieces = random.randint(1, 9)
            time.sleep(0.002 * pieces)
            span.set_attribute("cart.items", pieces)
        self._telemetry.log.debug("order %d of %s: %d pieces", number, customer, pieces)
        self._stock.set(100 - number * 7 % 90)
        status, reply = self._pay(pieces * 9.5)
        attributes = {"order": number, "cart.items": pieces}
        self._orders.add(1, {"outcome": "paid" if status == 200 else "failed"})
        if status != 200:
            self._telemetry.log.error("order %d failed: %s", number, reply["error"], extra={"attributes": attributes})
            return 502, {"error": f"payment failed: {reply['error']}"}
        self._telemetry.log.info("order %d paid", number, extra={"attributes": attributes})
        return 200, {"order": number}

    def _pay(self, amount: float) -> tuple[int, dict[str, Any]]:
        """Call the other service; the trace goes on there."""
        body = json.dumps({"amount": amount, "card": _CARD}).encode()
        with self._telemetry.tracer.start_as_current_span("POST /charge", kind=SpanKind.CLIENT) as span:
            headers = {"Content-Type": "application/json"}
            propagate.inject(headers)
            try:
                with urllib.request.urlopen(urllib.request.Request(self._payments, body, headers), timeout=10) as reply:
                    status, text = reply.status, reply.read()
            except urllib.error.HTTPError as error:
                status, text = error.code, error.read()
                span.set_status(StatusCode.ERROR)
            span.set_attribute("http.response.status_code", status)
            return status, json.loads(text)


if __name__ == "__main__":
    telemetry = Telemetry("shop")
    serve(telemetry, "/order", Shop(telemetry, sys.argv[1]).order)
