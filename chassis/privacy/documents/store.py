"""Documents as sealed blobs in object storage: streamed in chunks, type decided by content (design.md section 6).

A blob is a header (magic, nonce prefix) and chunks of AES-256-GCM. The nonce holds the prefix, the chunk's number and a mark
on the last one (the STREAM construction), so that chunks cannot be cut off, exchanged or repeated.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from obstore import open_writer_async
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from chassis.privacy.documents.local_store import LocalStore
from chassis.privacy.vault import Vault
from chassis.refusal import NoRoom, Refusal
from schemas.envelope.documents import Audience, DocumentRef
from schemas.envelope.sealing import DataClass

CHUNK: Final = 65_536
CONNECT_SECONDS: Final = 3
ANSWER_SECONDS: Final = 5
"""Deadline of one request to a remote store, its retries included: left alone, the client retries for minutes."""
_AWAY: Final = (BaseError, OSError, TimeoutError)
"""What the store raises when its disk is full or it does not answer; the local one raises only OSError."""
_MAGIC: Final = b"PVB1"
_PREFIX: Final = 7
_TAG: Final = 16
_OF: Final = "."
"""Separates the case from the random part of an id."""
SINGLE_PUT_BYTES: Final = 1024 * 1024
"""Largest blob that is stored by one request; a larger one is written in parts, since it is never whole in memory."""
AT_ONCE: Final = 8
"""Concurrent writes of one process: each holds a write buffer, and uploads come in bursts."""


class TooLarge(Refusal):
    """This file is larger than allowed. Send a smaller one."""

    code = "document_too_large"
    status = 413


class WrongType(Refusal):
    """This file is not a PDF, JPEG or PNG. Send the document in one of these formats."""

    code = "document_wrong_type"
    status = 415


class DamagedDocument(Exception):
    """The stored bytes are not what was filed."""


def media_type(head: bytes, tail: bytes) -> str:
    """The type of a file by its first and last bytes. Raises WrongType.

    Three forms with fixed signatures (ISO 32000-2 7.5.2 and 7.5.5; ITU-T T.81 B.1.1.3; PNG 5.2 and 11.2.5): a library that
    compares a thousand others first took 1 ms a paper, and what it found was checked here again.
    """
    if head.startswith(b"%PDF-") and b"%%EOF" in tail:
        return "application/pdf"
    if head.startswith(b"\xff\xd8\xff") and tail.rstrip(b"\0\n\r").endswith(b"\xff\xd9"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n") and b"IEND" in tail:
        return "image/png"
    raise WrongType


class DocumentStore:
    """Object storage by URL (`file:///...` or `s3://...`); what lies there is sealed."""

    def __init__(self, url: str, vault: Vault) -> None:
        parts = urlsplit(url)
        self._directory: LocalStore | None = None
        if parts.scheme == "file":
            self._directory = LocalStore(Path(url2pathname(parts.path)))
            self._store: ObjectStore = from_url(url)
        else:
            self._store = from_url(
                url,
                client_options={"connect_timeout": f"{CONNECT_SECONDS}s", "timeout": f"{ANSWER_SECONDS}s"},
                retry_config={"max_retries": 1, "retry_timeout": timedelta(seconds=ANSWER_SECONDS)},
            )
        self._vault = vault
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def put(
        self,
        source: AsyncIterator[bytes],
        *,
        case: str,
        person: str,
        data_class: DataClass,
        kind: str,
        audience: Audience,
        limit: int,
    ) -> DocumentRef:
        """Seal and store what `source` yields, at most `limit` bytes, under an id that is never used again.

        When it returns the paper outlives a power cut: a fact names it next, and a fact is never taken back.
        Raises TooLarge while it streams, WrongType at its end, NoRoom when the store is full or away; whatever breaks it off,
        nothing is left.
        """
        key = await self._vault.data_key(case, person, data_class)
        document_id = f"{case}{_OF}{secrets.token_hex(16)}"
        sealing = _Sealing(key.secret, document_id)
        try:
            async with self._turns:
                await self._write(source, sealing, document_id, kind, limit)
            kind_of_file = media_type(sealing.head, sealing.tail)
            if self._directory:
                await self._directory.keep(document_id)
        except BaseException as error:
            with suppress(*_AWAY):  # what a store that is away keeps, the sweeper finds
                await asyncio.shield(self.delete(document_id))
            if isinstance(error, Refusal):
                error.field = kind
            elif isinstance(error, _AWAY):
                raise NoRoom from error
            raise
        return DocumentRef(
            document_id=document_id,
            kind=kind,
            audience=audience,
            media_type=kind_of_file,
            size=sealing.size,
            digest=sealing.digest.hexdigest(),
            key=key.id,
        )

    async def _write(self, source: AsyncIterator[bytes], sealing: _Sealing, document_id: str, kind: str, limit: int) -> None:
        """Store a small document by one request, a large one piece by piece."""
        sealed = self._sealed(source, sealing, kind, limit)
        begun = bytearray(sealing.header)
        async for piece in sealed:
            begun += piece
            if len(begun) > SINGLE_PUT_BYTES:
                break
        else:
            await self._store.put_async(document_id, bytes(begun), use_multipart=False)
            return
        async with open_writer_async(self._store, document_id) as writer:
            await writer.write(bytes(begun))
            async for piece in sealed:
                await writer.write(piece)

    async def _sealed(self, source: AsyncIterator[bytes], sealing: _Sealing, kind: str, limit: int) -> AsyncIterator[bytes]:
        async for piece in source:
            if sealing.size + len(piece) > limit:
                raise TooLarge(kind, limit=limit)
            for sealed in sealing.take(piece):
                yield sealed
        yield sealing.finish()

    async def get(self, ref: DocumentRef) -> AsyncIterator[bytes]:
        """The clear bytes of a document, chunk by chunk. Raises DamagedDocument, KeyGone, NotAllowed, NoRoom.

        A damaged chunk is never yielded; that the whole matches its digest is known at the end.
        """
        key = await self._vault.key(ref.key)
        try:
            stored = await self._store.get_async(ref.document_id)
        except FileNotFoundError:
            raise DamagedDocument("missing") from None
        except _AWAY as error:
            raise NoRoom from error
        digest, buffer, number = hashlib.sha256(), b"", 0
        box, prefix = AESGCM(key.secret), b""
        async for piece in stored.stream(min_chunk_size=CHUNK):
            digest.update(piece)
            buffer += bytes(piece)
            if not prefix and len(buffer) >= len(_MAGIC) + _PREFIX:
                if not buffer.startswith(_MAGIC):
                    raise DamagedDocument("header")
                prefix, buffer = buffer[len(_MAGIC) : len(_MAGIC) + _PREFIX], buffer[len(_MAGIC) + _PREFIX :]
            while prefix and len(buffer) > CHUNK + _TAG:
                yield _open(box, prefix, number, False, buffer[: CHUNK + _TAG], ref.document_id)
                buffer, number = buffer[CHUNK + _TAG :], number + 1
        yield _open(box, prefix, number, True, buffer, ref.document_id)
        if not hmac.compare_digest(digest.hexdigest(), ref.digest):
            raise DamagedDocument("digest")

    async def delete(self, document_id: str) -> None:
        """Delete a blob that no fact refers to."""
        await self._store.delete_async(document_id)

    async def stored(self, since: datetime | None, until: datetime) -> AsyncIterator[str]:
        """The ids of the blobs that were stored from `since` (None: from the beginning) until `until`, UTC."""
        async for batch in self._store.list():
            for each in batch:
                if each["last_modified"] <= until and (since is None or each["last_modified"] >= since):
                    yield each["path"]

    async def delete_partial_uploads(self, until: datetime) -> int:
        """Delete partial uploads of killed processes that began before `until`; return how many.

        A directory shows them as `<id>#<number>`, which the store does not list. In a bucket they are unfinished multipart
        uploads, which its lifecycle rule ends.
        """
        return await self._directory.delete_partial_uploads(until) if self._directory else 0


def case_of(document_id: str) -> str | None:
    """The case in whose stream the fact stands that names this blob; None for an id that does not say."""
    case, found, _ = document_id.rpartition(_OF)
    return case if found else None


class _Sealing:
    """The state of one upload: what is sealed so far, and what its content looks like."""

    def __init__(self, secret: bytes, document_id: str) -> None:
        self._box, self._id = AESGCM(secret), document_id
        self._prefix = secrets.token_bytes(_PREFIX)
        self._buffer, self._number = b"", 0
        self.header = _MAGIC + self._prefix
        self.size, self.head, self.tail = 0, b"", b""
        self.digest = hashlib.sha256(self.header)

    def take(self, piece: bytes) -> list[bytes]:
        self.size += len(piece)
        self.head = (self.head + piece)[:4096] if len(self.head) < 4096 else self.head
        self.tail = (self.tail + piece)[-2048:]
        self._buffer += piece
        sealed = []
        while len(self._buffer) > CHUNK:  # the last chunk is sealed by finish(), even when it is a whole one
            sealed.append(self._seal(self._buffer[:CHUNK], last=False))
            self._buffer = self._buffer[CHUNK:]
        return sealed

    def finish(self) -> bytes:
        return self._seal(self._buffer, last=True)

    def _seal(self, chunk: bytes, *, last: bool) -> bytes:
        sealed = self._box.encrypt(_nonce(self._prefix, self._number, last), chunk, self._id.encode())
        self._number += 1
        self.digest.update(sealed)
        return sealed


def _nonce(prefix: bytes, number: int, last: bool) -> bytes:
    return prefix + number.to_bytes(4, "big") + bytes([last])


def _open(box: AESGCM, prefix: bytes, number: int, last: bool, chunk: bytes, document_id: str) -> bytes:
    try:
        return box.decrypt(_nonce(prefix, number, last), chunk, document_id.encode())
    except (InvalidTag, ValueError):
        raise DamagedDocument(f"chunk {number}") from None
