"""The colony's own log, on standard error: one line an event, and of exceptions the types and places alone.

An exception's text and its variables can hold telemetry; so neither is written, only what went wrong where.
"""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Any

import structlog
from structlog.typing import EventDict

from colony.config.model import Log

_FRAMES = 12
"""The innermost frames say what failed; the rest is the event loop."""


def set_up_logging(log: Log) -> None:
    """Send structlog and the standard library's logging to standard error, one line an event."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(log)],
        )
    )
    logging.basicConfig(handlers=[handler], level=log.level.upper(), force=True)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # it greets and says goodbye once per server
    for name in ("httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.WARNING)  # they write every request's address and headers


def _renderers(log: Log) -> list[structlog.typing.Processor]:
    if log.format == "json":
        return [places_of_exceptions, structlog.processors.JSONRenderer()]
    return [places_of_exceptions, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), repr_native_str=True)]


def places_of_exceptions(_logger: Any, _name: str, event: EventDict) -> EventDict:  # noqa: ANN401 structlog's type
    """Replace ``exc_info`` by the types of the exception and its causes, and where each was raised."""
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        # The event loop writes the exception's text behind the first line of its message.
        event["event"] = str(event.get("event", "")).partition("\n")[0]
        event["raised"] = " caused by ".join(_place(cause) for cause in _causes(error))
    return event


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        cause = cause.__cause__ or cause.__context__
    return found


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    path = " > ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames)
    return f"{type(error).__module__}.{type(error).__qualname__} at {path}"
