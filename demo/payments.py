"""The payments service: charges cards. Every seventh charge is slow, every fifth is declined, every ninth meets no bank."""

from __future__ import annotations

import itertools
import random
import time
from typing import Any

from opentelemetry.trace import Span, StatusCode

from demo.telemetry import Telemetry, serve


class Payments:
    """Charges, counted."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._numbers = itertools.count(1)
        self._charges = telemetry.meter.create_counter("payments.charges", "{charge}", "Charges by how they ended")
        self._amounts = telemetry.meter.create_histogram("payments.amount", "EUR", "What was charged")
        self._bank = telemetry.meter.create_gauge("payments.bank.latency", "ms", "The bank's latest answer")

    def charge(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Charge a card."""
        number, amount = next(self._numbers), float(body["amount"])
        with self._telemetry.tracer.start_as_current_span("ask bank", attributes={"payment.amount": amount}) as span:
            status, reply = self._ask_bank(number, str(body["card"]), span)
        self._charges.add(1, {"outcome": str(reply.get("error", "charged"))})
        if status == 200:
            self._amounts.record(amount)
        return status, reply

    def _ask_bank(self, number: int, card: str, span: Span) -> tuple[int, dict[str, Any]]:
        log, is_slow = self._telemetry.log, number % 7 == 4
        began = time.monotonic()
        time.sleep(random.uniform(0.4, 0.9) if is_slow else random.uniform(0.005, 0.03))
        latency_ms = (time.monotonic() - began) * 1000
        self._bank.set(latency_ms)
        if is_slow:
            span.add_event("bank was slow", {"latency_ms": latency_ms})
            log.warning("the bank took %.0f ms", latency_ms, extra={"attributes": {"charge": number}})
        if number % 9 == 8:
            error = ConnectionError("bank.example: connection refused")
            span.record_exception(error)
            span.set_status(StatusCode.ERROR, "no bank")
            log.error("charge %d met no bank", number, exc_info=error)
            return 503, {"error": "no bank"}
        if number % 5 == 3:
            span.set_status(StatusCode.ERROR, "card declined")
            log.error("card %s declined", card, extra={"attributes": {"charge": number, "reason": "no funds"}})
            return 402, {"error": "card declined"}
        log.info("charge %d done", number, extra={"attributes": {"charge": number}})
        return 200, {"charge": number}


if __name__ == "__main__":
    telemetry = Telemetry("payments")
    serve(telemetry, "/charge", Payments(telemetry).charge)
