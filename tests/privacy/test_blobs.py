"""Documents are streamed, sealed and checked; what was altered is never handed out; a copy names nobody."""

from __future__ import annotations

import asyncio
import io
import os
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pikepdf
import pytest
from PIL import Image

from chassis.privacy.documents.local_store import LocalStore
from chassis.privacy.documents.store import CHUNK, SINGLE_PUT_BYTES, DamagedDocument, DocumentStore, TooLarge, WrongType
from schemas.envelope.documents import Audience, DocumentRef
from schemas.envelope.sealing import DataClass
from services.intake.strip_metadata import clean_copy
from tests.databases import Databases
from tests.privacy.vaults import vault_of

CANARY = "Sohrab Kenarsari"


def pdf(pages: int = 1) -> bytes:
    out = io.BytesIO()
    with pikepdf.new() as document:
        for _ in range(pages):
            document.add_blank_page()
        document.docinfo["/Author"] = CANARY
        with document.open_metadata() as meta:
            meta["dc:creator"] = [CANARY]
        document.attachments["note.txt"] = CANARY.encode()
        document.Root["/OpenAction"] = pikepdf.Dictionary(S=pikepdf.Name("/JavaScript"), JS=CANARY)
        document.save(out, object_stream_mode=pikepdf.ObjectStreamMode.disable, compress_streams=False)
    return out.getvalue()


def picture(form: str = "JPEG") -> bytes:
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x9C9D if form == "PNG" else 0x013B] = CANARY
    exif[0x0112] = 6
    Image.new("RGB", (40, 20), "red").save(out, form, exif=exif)
    return out.getvalue()


async def pieces(content: bytes, size: int = 10_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def put(document_store: DocumentStore, content: bytes, *, limit: int = 50_000_000) -> DocumentRef:
    return await document_store.put(
        pieces(content), case="c", person="p", data_class=DataClass.IDENTITY, kind="title_deed",
        audience=Audience.IDENTITY_CLERK, limit=limit,
    )  # fmt: skip


async def got(document_store: DocumentStore, ref: DocumentRef) -> bytes:
    return b"".join([piece async for piece in document_store.get(ref)])


def big_pdf(size: int) -> bytes:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    return b"%PDF-1.7\n" + random.Random(seed).randbytes(size) + b"\n%%EOF\n"


@pytest.mark.parametrize("size", [1, CHUNK - 16, CHUNK - 15, CHUNK, 3 * CHUNK, 5_000_000])
async def test_what_was_filed_comes_back_and_does_not_stand_on_the_disk(databases: Databases, tmp_path: Path, size: int) -> None:
    content = big_pdf(size)
    async with vault_of(databases, tmp_path, "intake") as vault:
        document_store = DocumentStore(f"file://{tmp_path}/store", vault)
        ref = await put(document_store, content)
        assert (ref.size, ref.media_type) == (len(content), "application/pdf")
        assert await got(document_store, ref) == content
        stored = (tmp_path / "store" / ref.document_id).read_bytes()
        assert content[:20] not in stored


@pytest.mark.parametrize("size", [200, SINGLE_PUT_BYTES + 1])
async def test_a_paper_and_its_name_are_on_the_disk_before_a_fact_may_name_it(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    kept: list[tuple[str, int]] = []
    fsync = os.fsync

    def seen(held: int) -> None:
        fsync(held)
        path = Path(f"/proc/self/fd/{held}").readlink()
        kept.append((path.name, path.stat().st_size if path.is_file() else -1))

    async with vault_of(databases, tmp_path, "intake") as vault:  # it writes its keys, and keeps them too
        monkeypatch.setattr(os, "fsync", seen)
        ref = await put(DocumentStore(f"file://{tmp_path}/blobs", vault), big_pdf(size))
    stored = tmp_path / "blobs" / ref.document_id
    assert kept == [(ref.document_id, stored.stat().st_size), ("blobs", -1)]


async def test_papers_that_wait_together_are_kept_together_and_one_that_is_gone_fails_alone(tmp_path: Path) -> None:
    directory = LocalStore(tmp_path)
    names = [f"c.{number}" for number in range(20)]
    for name in names:
        (tmp_path / name).write_bytes(b"sealed")
    gone = asyncio.create_task(directory.keep("c.gone"))
    left = asyncio.create_task(directory.keep(names[0]))
    await asyncio.sleep(0)  # both wait now
    left.cancel()
    async with asyncio.timeout(10):
        await asyncio.gather(*(directory.keep(name) for name in names))
    with pytest.raises(FileNotFoundError):
        await gone


async def test_nobody_waits_for_a_round_that_will_not_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_thread(*_: object) -> None:
        raise RuntimeError("cannot schedule new futures after shutdown")

    monkeypatch.setattr(asyncio, "to_thread", no_thread)
    async with asyncio.timeout(10):
        with pytest.raises(asyncio.CancelledError):
            await asyncio.create_task(LocalStore(tmp_path).keep("c.1"))


async def test_altered_cut_exchanged_and_missing_bytes_are_never_handed_out(databases: Databases, tmp_path: Path) -> None:
    async with vault_of(databases, tmp_path, "intake") as vault:
        document_store = DocumentStore(f"file://{tmp_path}/store", vault)
        ref, other = await put(document_store, big_pdf(3 * CHUNK)), await put(document_store, big_pdf(3 * CHUNK))
        path = tmp_path / "store" / ref.document_id
        whole = path.read_bytes()
        sealed = CHUNK + 16
        altered = [
            whole[:100] + bytes([whole[100] ^ 1]) + whole[101:],
            whole[:-sealed],
            whole[: 11 + sealed],
            whole[:11] + whole[11 + sealed : 11 + 2 * sealed] + whole[11 : 11 + sealed] + whole[11 + 2 * sealed :],
            b"",
            (tmp_path / "store" / other.document_id).read_bytes(),
        ]
        for content in altered:
            path.write_bytes(content)
            with pytest.raises(DamagedDocument):
                await got(document_store, ref)
        path.unlink()
        with pytest.raises(DamagedDocument):
            await got(document_store, ref)
        assert len(await got(document_store, other)) == other.size


async def test_an_oversized_file_is_refused_while_it_streams_and_leaves_nothing(databases: Databases, tmp_path: Path) -> None:
    async with vault_of(databases, tmp_path, "intake") as vault:
        document_store = DocumentStore(f"file://{tmp_path}/store", vault)
        with pytest.raises(TooLarge) as refused:
            await put(document_store, big_pdf(500_000), limit=200_000)
        assert refused.value.field == "title_deed"
        assert list((tmp_path / "store").iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"<html><script>alert(1)</script>", b"MZ\x90\x00" + bytes(500), b"%PDF-1.7 without an end", b"%PDF-1.7\n<html>",
     b"GIF89a" + bytes(100), b"\xff\xd8\xff\xe0 cut", b"PK\x03\x04" + bytes(300) + b"%%EOF"],
)  # fmt: skip
async def test_a_forged_or_foreign_type_is_refused_by_content(databases: Databases, tmp_path: Path, content: bytes) -> None:
    async with vault_of(databases, tmp_path, "intake") as vault:
        document_store = DocumentStore(f"file://{tmp_path}/store", vault)
        with pytest.raises(WrongType):
            await put(document_store, content)
        assert list((tmp_path / "store").iterdir()) == []


@pytest.mark.parametrize(
    ("content", "kind"), [(picture(), "image/jpeg"), (picture("PNG"), "image/png"), (pdf(), "application/pdf")]
)
async def test_the_allowed_types_are_known_by_content(databases: Databases, tmp_path: Path, content: bytes, kind: str) -> None:
    async with vault_of(databases, tmp_path, "intake") as vault:
        assert (await put(DocumentStore(f"file://{tmp_path}/store", vault), content)).media_type == kind


def test_a_reviewers_copy_has_no_metadata_attachment_or_script() -> None:
    assert CANARY.encode() in pdf()
    assert CANARY.encode() in picture()
    for content, kind in ((pdf(3), "application/pdf"), (picture(), "image/jpeg"), (picture("PNG"), "image/png")):
        copy = clean_copy(content, kind)
        assert CANARY.encode() not in copy
        assert CANARY.encode("utf-16-be") not in copy
        assert CANARY.encode("utf-16-le") not in copy
    with pikepdf.open(io.BytesIO(clean_copy(pdf(3), "application/pdf"))) as copied:
        assert len(copied.pages) == 3
        assert len(copied.attachments) == 0
        assert "/OpenAction" not in copied.Root
        assert "/Metadata" not in copied.Root
    with Image.open(io.BytesIO(clean_copy(picture(), "image/jpeg"))) as image:
        assert image.size == (20, 40)  # turned upright, since the mark that said so is gone
        assert len(image.getexif()) == 0


def test_what_cannot_be_read_is_refused_rather_than_copied() -> None:
    for kind in ("application/pdf", "image/jpeg", "image/png"):
        with pytest.raises(WrongType):
            clean_copy(b"%PDF-1.7 damaged %%EOF", kind)
