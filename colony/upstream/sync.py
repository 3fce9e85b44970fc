"""Tempo for code without asyncio: one event loop on one thread for as long as it is open, however many calls."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, TypeVar

from colony.upstream.series import Series
from colony.upstream.settings import UpstreamSettings
from colony.upstream.shapes import FoundTrace, WholeTrace
from colony.upstream.tempo import Scope, TempoClient, tempo_client

Got = TypeVar("Got")


class SyncTempo:
    """The methods of ``TempoClient``, from any thread. Use as a context manager."""

    def __init__(self, settings: UpstreamSettings) -> None:
        self._settings = settings
        self._opened: Future[TempoClient] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._live, name="coral-tempo", daemon=True)

    def __enter__(self) -> Self:
        """Open; the server need not be there yet."""
        self._thread.start()
        self._opened.result()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Say goodbye, and end the thread."""
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def search(self, query: str, start_ns: int | None = None, end_ns: int | None = None) -> list[FoundTrace]:
        """As ``TempoClient.search``."""
        return self._wait(lambda tempo: tempo.search(query, start_ns, end_ns))

    def get_trace(self, trace_id: str) -> WholeTrace:
        """As ``TempoClient.get_trace``."""
        return self._wait(lambda tempo: tempo.get_trace(trace_id))

    def metrics_instant(self, query: str, start_ns: int | None = None, end_ns: int | None = None) -> list[Series]:
        """As ``TempoClient.metrics_instant``."""
        return self._wait(lambda tempo: tempo.metrics_instant(query, start_ns, end_ns))

    def metrics_range(self, query: str, start_ns: int | None = None, end_ns: int | None = None) -> list[Series]:
        """As ``TempoClient.metrics_range``."""
        return self._wait(lambda tempo: tempo.metrics_range(query, start_ns, end_ns))

    def attribute_names(self, scope: Scope = "") -> dict[str, list[str]]:
        """As ``TempoClient.attribute_names``."""
        return self._wait(lambda tempo: tempo.attribute_names(scope))

    def attribute_values(self, name: str, only: str = "") -> list[str]:
        """As ``TempoClient.attribute_values``."""
        return self._wait(lambda tempo: tempo.attribute_values(name, only))

    def _wait(self, ask: Callable[[TempoClient], Coroutine[Any, Any, Got]]) -> Got:
        """Every call ends by the configured deadline."""
        if self._loop is None or not self._thread.is_alive():
            raise RuntimeError("open it first: with SyncTempo(settings) as tempo")
        return asyncio.run_coroutine_threadsafe(ask(self._opened.result()), self._loop).result()

    def _live(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with tempo_client(self._settings) as tempo:
                self._opened.set_result(tempo)
                await self._stop.wait()
        except Exception as error:  # noqa: BLE001 whoever opens it hears
            if not self._opened.done():
                self._opened.set_exception(error)
