"""An agent in a thread with a loop of its own, for tests that send thousands of requests to one house."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import grpc.aio
import uvloop
from coral.agent.v1 import telemetry_query_pb2_grpc as api_grpc

from agent.app import run
from agent.config.model import Config
from tests.flow.house import FREE_PORTS, House

Result = TypeVar("Result")


@dataclass
class Running:
    """The house and its loop; ``do`` runs a coroutine there and waits for it, at most a minute."""

    house: House
    loop: asyncio.AbstractEventLoop

    def do(self, coroutine: Coroutine[Any, Any, Result], seconds: float = 60) -> Result:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(seconds)


@contextlib.asynccontextmanager
async def opened(directory: Path, **settings: str) -> AsyncIterator[House]:
    """As ``house``, for as long as it takes."""
    environ = FREE_PORTS | {f"CORAL_AGENT__{name}": value for name, value in settings.items()}
    config = Config.load(None, environ | {"CORAL_AGENT__STORE__DIR": str(directory)})
    stop, listening = asyncio.Event(), asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run(config, stop, listening.set_result))
        bound = await listening
        async with grpc.aio.insecure_channel(bound.otlp_grpc) as otlp, grpc.aio.insecure_channel(bound.query) as query:
            try:
                yield House(bound, otlp, api_grpc.TelemetryQueryStub(query), stop)
            finally:
                stop.set()


@contextlib.contextmanager
def running(directory: Path, **settings: str) -> Iterator[Running]:
    """The house over ``directory`` until left."""
    ready: Future[Running] = Future()
    done = asyncio.Event()

    async def serve() -> None:
        async with opened(directory, **settings) as agent:
            ready.set_result(Running(agent, asyncio.get_running_loop()))
            await done.wait()

    def main() -> None:
        try:
            uvloop.run(serve())
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    thread = threading.Thread(target=main, name="house")
    thread.start()
    try:
        agent = ready.result(30)
        try:
            yield agent
        finally:
            agent.loop.call_soon_threadsafe(done.set)
    finally:
        thread.join(30)
