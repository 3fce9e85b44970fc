"""Which web pages may send telemetry: cross-origin resource sharing as Starlette has it, with the Collector's wildcards."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from agent.receive import http_replies as replies


@dataclass(frozen=True, slots=True)
class CorsSettings:
    """``[otlp.http.cors]``; without origins no page may send, and no answer speaks of it."""

    allowed_origins: tuple[str, ...] = ()
    allowed_headers: tuple[str, ...] = ()
    max_age_seconds: int = 600


def cors_of(settings: CorsSettings) -> list[Middleware]:
    """What Starlette is to wrap the application in: nothing without origins."""
    if not settings.allowed_origins:
        return []
    return [
        Middleware(
            _Cors,
            allow_origin_regex=_pattern(settings.allowed_origins),
            allow_methods=["POST"],
            allow_headers=settings.allowed_headers,
            allow_credentials=True,  # navigator.sendBeacon, which the exporters of pages use, always asks for it
            max_age=settings.max_age_seconds,
        )
    ]


def _pattern(origins: Collection[str]) -> str:
    """Every origin as one expression: ``*`` stands for any text, and case does not count."""
    return "(?i:" + "|".join(re.escape(origin).replace(r"\*", ".*") for origin in origins) + ")"


class _Cors(CORSMiddleware):
    """Refuses a preflight as every error is refused here, by a Status, and never names to one origin what another may do."""

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code == 200:
            return response
        text = bytes(response.body).decode()
        kept = (
            {} if "origin" in text else {name: value for name, value in response.headers.items() if name.startswith("access-")}
        )
        return replies.plain(None, 403, f"{text}; see otlp.http.cors", {"vary": response.headers["vary"], **kept})
