"""Uploads that never stand on a disk in clear: each part of a form is sealed, chunk by chunk, before a temporary file has it.

Starlette keeps a part above one megabyte in an unnamed temporary file, as it came. A copied disk, a snapshot or a crash dump of
that file system would then have papers of citizens that the vault can never destroy. Here the key is made for one part, lives
in this process alone, and is gone with it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from tempfile import TemporaryFile
from typing import IO, Any, BinaryIO, Final, cast

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import Response

from chassis.web.routes import TypedRoute

CHUNK: Final = 65_536
_TAG: Final = 16
MAX_FILES: Final = 40
MAX_FIELDS: Final = 200
FIELD_BYTES: Final = 16_384
"""A field that is no file stays in memory, so its size is bounded: 2,000 Persian letters need a quarter of this."""


class SealedSpool:
    """A temporary file, written once from the beginning and then read; at most one chunk of it is in memory.

    What is on the disk is AES-256-GCM under a key that is nowhere else; the nonce is the number of the chunk.
    """

    def __init__(self) -> None:
        self._disk: tuple[AESGCM, IO[bytes]] | None = None  # made when it is needed: most papers of a filing are small
        self._chunks, self._last = 0, bytearray()
        self._at, self._read = 0, (-1, b"")
        self._max_size = CHUNK
        self.closed = False

    @property
    def _rolled(self) -> bool:
        """Whether a disk is asked. Starlette reads this and `_max_size` of a spool: without them each call goes to a thread."""
        return self._disk is not None

    def write(self, data: bytes) -> int:
        """Append `data`; the next read begins behind it."""
        self._at += len(data)
        self._last += data
        while len(self._last) > CHUNK:
            self._put(bytes(self._last[:CHUNK]))
            del self._last[:CHUNK]
        return len(data)

    def _put(self, chunk: bytes) -> None:
        if self._disk is None:
            self._disk = AESGCM(secrets.token_bytes(32)), TemporaryFile(buffering=0)  # noqa: SIM115 - closed by close()
        box, file = self._disk
        file.seek(self._chunks * (CHUNK + _TAG))
        file.write(box.encrypt(_nonce(self._chunks), chunk, None))
        self._chunks += 1

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most `size` unless that is negative; empty at the end. Raises InvalidTag when they were altered."""
        end = self._chunks * CHUNK + len(self._last)
        until = end if size < 0 else min(self._at + size, end)
        parts = []
        while self._at < until:
            number, offset = divmod(self._at, CHUNK)
            parts.append(self._chunk(number)[offset : offset + until - self._at])
            self._at += len(parts[-1])
        return b"".join(parts)

    def _chunk(self, number: int) -> bytes:
        if number == self._chunks:
            return bytes(self._last)
        if self._read[0] != number and self._disk is not None:
            box, file = self._disk
            file.seek(number * (CHUNK + _TAG))
            self._read = number, box.decrypt(_nonce(number), file.read(CHUNK + _TAG), None)
        return self._read[1]

    def seek(self, offset: int) -> int:
        """Go to `offset` from the beginning, to read from there."""
        self._at = offset
        return offset

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at

    def close(self) -> None:
        """Forget everything: the file has no name and goes with its last handle."""
        if self._disk is not None:
            self._disk[1].close()
        self._last.clear()
        self._read, self.closed = (-1, b""), True


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")


class _SealingParser(MultiPartParser):
    """Starlette's parser with a sealed spool for each file."""

    def on_headers_finished(self) -> None:
        super().on_headers_finished()
        made = self._current_part.file
        if made is None:
            return
        made.file.close()  # still empty, and in memory only
        spool = cast("BinaryIO", SealedSpool())
        self._files_to_close_on_error[-1] = spool  # type: ignore[call-overload]
        self._current_part.file = UploadFile(spool, size=0, filename=made.filename, headers=made.headers)


class UploadRequest(Request):
    """A request whose form may hold papers."""

    async def _get_form(self, **_limits: Any) -> FormData:
        """The form, within this module's limits whoever asks. Raises HTTPException 400 when it is malformed or too much."""
        limits = {"max_files": MAX_FILES, "max_fields": MAX_FIELDS, "max_part_size": FIELD_BYTES}
        if self._form is None:
            kind, _ = parse_options_header(self.headers.get("Content-Type"))
            if kind != b"multipart/form-data":
                return await super()._get_form(**limits)
            try:
                async with aclosing(self.stream()) as stream:
                    self._form = await _SealingParser(self.headers, stream, **limits).parse()
            except MultiPartException:
                raise HTTPException(400) from None
        return self._form


class UploadRoute(TypedRoute):
    """A route that takes papers; its form is closed, and so forgotten, when the answer is made."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, given an UploadRequest."""
        handle = super().get_route_handler()

        async def sealed(request: Request) -> Response:
            upload = UploadRequest(request.scope, request.receive)
            try:
                return await handle(upload)
            finally:
                await upload.close()

        return sealed
