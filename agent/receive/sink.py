"""What a receiver needs of whoever comes next."""

from __future__ import annotations

from typing import Protocol

from agent.batch import Export, Receipt


class Sink(Protocol):
    """Takes an Export and answers when its fate is settled."""

    async def write(self, export: Export) -> Receipt:
        """Keep the export's records.

        Returns only after they are synced to disk and visible to queries begun from now on. The implementation MUST NOT
        keep anything of an export for which it raises, and MUST finish what it has begun when the caller is cancelled.

        Raises:
            MalformedExport: the payload is not OTLP; nothing of it is kept.
            QueueFull: no room within half a second.
            StoreUnavailable: the disk or the store cannot take it now.
        """
        ...
