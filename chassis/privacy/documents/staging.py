"""Papers on their way into the log: sealed and stored before the fact that names them, deleted when no fact does.

Between the two stands an append that may be refused, or repeated by somebody else's hand, or never made because the process
died. Whatever happened, the log alone says whether a paper is named: it is asked before anything is deleted.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from caselog.db.errors import TRANSIENT
from caselog.read import LogReader
from chassis.eventing.commands.handler import CommandResult
from chassis.privacy.documents.store import DocumentStore, case_of
from chassis.refusal import Refusal
from schemas.envelope.documents import DocumentRef
from schemas.envelope.fact import StreamKind

_log = structlog.get_logger("staging")
GRACE: Final = timedelta(days=1)
"""Far longer than any request or task may take: an older paper that no fact names will never be named."""
EVERY_SECONDS: Final = 3600.0
_OVERLAP: Final = timedelta(hours=1)
"""Two sweeps overlap by this: the clock of the storage is not ours."""


class Staging:
    """The papers of one command."""

    def __init__(self, document_store: DocumentStore, log: LogReader, case: str) -> None:
        self._document_store, self._log, self._case = document_store, log, case
        self._stored: list[str] = []
        self._used = False

    async def put(self, source: AsyncIterator[bytes], **what: Any) -> DocumentRef:
        """Seal and store one paper; arguments and refusals are those of `DocumentStore.put`."""
        ref = await self._document_store.put(source, case=self._case, **what)
        self._stored.append(ref.document_id)
        return ref

    def appended(self, done: CommandResult) -> CommandResult:
        """Note that the command was carried out. A repetition is inspected: its fact may name the papers of another attempt."""
        self._used = not done.repeated
        return done

    async def clear(self) -> None:
        """Delete what no fact names."""
        if self._stored and not self._used:
            await delete_unreferenced(self._document_store, self._log, self._case, self._stored)


@asynccontextmanager
async def staging(document_store: DocumentStore, log: LogReader, case: str) -> AsyncIterator[Staging]:
    """Store papers and append the fact inside; what a refusal or a repetition leaves over is deleted.

    After any other error it is not known what became of the append: that is left to the sweeper.
    """
    staged = Staging(document_store, log, case)
    try:
        yield staged
    except Refusal:
        await staged.clear()
        raise
    await staged.clear()


async def delete_unreferenced(document_store: DocumentStore, log: LogReader, case: str, documents: Iterable[str]) -> int:
    """Delete those of a case's papers that no fact names; return how many.

    The stored bytes are searched, not decoded facts: a fact of a version that this code does not know names papers too.
    """
    facts = await log.stream(f"{StreamKind.CASE.value}:{case}")
    gone = 0
    for document in documents:
        if not any(document.encode() in fact.body for fact in facts):
            await document_store.delete(document)
            gone += 1
    return gone


class Sweeper:
    """Looks periodically for papers that a crash left behind, and for partial uploads."""

    def __init__(self, document_store: DocumentStore, log: LogReader) -> None:
        self._document_store, self._log = document_store, log
        self._swept: datetime | None = None
        """End of the range that earlier sweeps of this process covered."""

    async def run(self) -> None:
        """Sweep until cancelled; an unreachable log or store is retried later."""
        while True:
            try:
                await self.sweep()
            except Exception as error:  # noqa: BLE001 - a sweeper that died unseen would let sealed papers pile up
                _log.warning("sweep_interrupted", error=type(error).__name__, away=isinstance(error, TRANSIENT))
            await asyncio.sleep(EVERY_SECONDS)

    async def sweep(self, grace: timedelta = GRACE) -> int:
        """Delete what is older than `grace` and in no fact; return how many papers and partial uploads there were."""
        until = await self._log.now() - grace
        gone = await self._document_store.delete_partial_uploads(until)
        by_case: dict[str, list[str]] = defaultdict(list)
        async for document in self._document_store.stored(self._swept, until):
            case = case_of(document)
            if case is not None:
                by_case[case].append(document)
        for case, documents in by_case.items():
            gone += await delete_unreferenced(self._document_store, self._log, case, documents)
        self._swept = until - _OVERLAP
        if gone:
            _log.info("papers_swept", count=gone)
        return gone
