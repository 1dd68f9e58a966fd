"""What a directory store leaves to the operating system: durable blobs, and the partial uploads of killed processes."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path


class LocalStore:
    """A directory on a disk of ours that holds blobs by their id."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []
        self._rounds: asyncio.Task[None] | None = None

    async def keep(self, document_id: str) -> None:
        """Return once the blob and its name are on disk; left alone, the system may take half a minute. Raises OSError.

        One thread for all that wait, as the appender has one statement: a thread for each paper took a fifth of all filings.
        """
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((document_id, kept))
        if self._rounds is None or self._rounds.done():
            self._rounds = asyncio.create_task(self._keep_all(), name="documents-kept")
        await kept

    async def _keep_all(self) -> None:
        while self._waiting:
            # Who comes meanwhile is in the next round: this one may have passed their file already.
            round_, self._waiting = self._waiting, []
            try:
                faults = await asyncio.to_thread(_keep, self._path, [document_id for document_id, _ in round_])
            except BaseException:
                for _, kept in round_ + self._waiting:
                    kept.cancel()  # nobody may wait for a round that will not come
                raise
            for (_, kept), fault in zip(round_, faults, strict=True):
                if kept.done():
                    continue  # nobody waits any more
                if fault is None:
                    kept.set_result(None)
                else:
                    kept.set_exception(fault)

    async def delete_partial_uploads(self, until: datetime) -> int:
        """Delete blobs that a killed process began before `until` and never finished; return how many.

        They are files `<id>#<number>`, which the store does not list.
        """
        return await asyncio.to_thread(_delete_partial_uploads, self._path, until)


def _keep(directory: Path, document_ids: list[str]) -> list[OSError | None]:
    """Flush blobs to disk, then their names; the error of each, or None."""
    faults: list[OSError | None] = [_synced(directory / each) for each in document_ids]
    names = _synced(directory)
    return [fault or names for fault in faults]


def _synced(path: Path) -> OSError | None:
    try:
        held = os.open(path, os.O_RDONLY)
        try:
            os.fsync(held)
        finally:
            os.close(held)
    except OSError as fault:
        return fault
    return None


def _delete_partial_uploads(directory: Path, until: datetime) -> int:
    gone = 0
    for path in directory.glob("*#*"):
        with suppress(FileNotFoundError):  # finished or broken off meanwhile
            if path.stat().st_mtime <= until.timestamp():
                path.unlink()
                gone += 1
    return gone
