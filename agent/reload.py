"""SIGHUP: the configuration is read again and what can change does; one that is bad changes nothing, and is counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog

from agent.config.model import Config
from agent.errors import ConfigError
from agent.instruments import Instruments

_log = structlog.get_logger()


@dataclass(slots=True)
class Reload:
    """How to read the configuration again, and when: ``asked`` is set by whoever wants it."""

    load: Callable[[], Config]
    asked: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def reloading(reload: Reload | None, apply: Callable[[Config], None], instruments: Instruments) -> AsyncIterator[None]:
    """Read and apply the configuration each time it is asked for, until left."""

    async def wait(reload: Reload) -> None:
        while True:
            await reload.asked.wait()
            reload.asked.clear()
            try:
                apply(await asyncio.to_thread(reload.load))
            except Exception as error:  # noqa: BLE001 whatever it is, the agent goes on with what it has
                instruments.config_reload_failures.inc()
                fault = error.message if isinstance(error, ConfigError) else type(error).__name__
                _log.error("the configuration could not be reloaded; the old one stays", fault=fault)
            else:
                _log.info("the configuration was reloaded: agent.services, scrub, log, query limits and allowed_peers")

    async with asyncio.TaskGroup() as tasks:
        loop = tasks.create_task(wait(reload)) if reload else None
        try:
            yield
        finally:
            if loop:
                loop.cancel()
