"""Files that could not be read, kept for whoever examines them: within a share of the disk budget, the oldest go first."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import structlog

from agent.instruments import Instruments
from agent.store.grounds import StoreSettings
from agent.store.segment import QUARANTINE

SHARE = 8
"""An eighth of ``store.max_bytes`` may lie in quarantine."""

_log = structlog.get_logger()


class Quarantine:
    """The folder ``quarantine`` of one data directory."""

    def __init__(self, settings: StoreSettings, instruments: Instruments) -> None:
        self._folder = settings.directory / QUARANTINE
        self._max_bytes = settings.max_bytes // SHARE
        self._instruments = instruments

    def take(self, paths: Sequence[Path], name: str, error: BaseException) -> None:
        """Move files of one segment here, and count it."""
        self._make()
        for path in paths:
            if path.exists():
                path.rename(self._folder / path.name)
        self._instruments.segments_quarantined.inc()
        _log.error("a file could not be read and was set aside", file=paths[0].name if paths else name, exc_info=error)
        self.trim()

    def keep_original(self, path: Path) -> None:
        """Keep what a damaged file holds under a second name; its first name goes when it is of no more use."""
        self._make()
        kept = self._folder / path.name
        if not kept.exists():
            kept.hardlink_to(path)
            self._instruments.segments_quarantined.inc()
            _log.error("a journal is damaged: what is intact was replayed, the original is set aside", file=path.name)
        self.trim()

    def copy(self, path: Path) -> None:
        """Keep what a damaged file holds while it is mended in its place."""
        self._make()
        shutil.copyfile(path, self._folder / path.name)
        self._instruments.segments_quarantined.inc()
        self.trim()

    def _make(self) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)

    def trim(self) -> None:
        """Drop the oldest files until the share is kept."""
        found = sorted(path for path in self._folder.glob("*") if path.is_file())
        sizes = [path.stat().st_size for path in found]
        total = sum(sizes)
        for path, size in zip(found, sizes, strict=True):
            if total <= self._max_bytes:
                return
            path.unlink(missing_ok=True)
            total -= size
            _log.warning("a file was dropped from quarantine to keep its share of store.max_bytes", file=path.name)
