"""The reviewer's copy of a document: rewritten without metadata, since a photo's EXIF or a PDF's author may name the owner."""

from __future__ import annotations

import io
from typing import Final

import pikepdf
from PIL import Image, ImageOps, UnidentifiedImageError

from chassis.privacy.documents.store import WrongType

_PIXELS: Final = 60_000_000
"""A picture that claims more is refused: a small file can unpack to gigabytes."""
_ROOT_KEPT: Final = ("/Type", "/Pages", "/Lang", "/PageLayout", "/PageMode")


def clean_copy(content: bytes, media_type: str) -> bytes:
    """`content` without metadata, attachments, scripts and hidden text of programs. Raises WrongType when it cannot be read."""
    if media_type == "application/pdf":
        return _clean_pdf(content)
    return _clean_image(content, "JPEG" if media_type == "image/jpeg" else "PNG")


def _clean_image(content: bytes, form: str) -> bytes:
    try:
        with Image.open(io.BytesIO(content), formats=[form]) as image:
            if image.width * image.height > _PIXELS:
                raise WrongType
            upright = ImageOps.exif_transpose(image)
            # Only the pixels go over: a new picture has no EXIF, no comment, no thumbnail.
            plain = Image.new("RGB", upright.size, "white")
            plain.paste(upright.convert("RGB"))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise WrongType from None
    out = io.BytesIO()
    plain.save(out, form, **({"quality": 90} if form == "JPEG" else {}))
    return out.getvalue()


def _clean_pdf(content: bytes) -> bytes:
    try:
        with pikepdf.open(io.BytesIO(content)) as source, pikepdf.new() as plain:
            plain.pages.extend(source.pages)
            for page in plain.pages:
                for entry in ("/Metadata", "/PieceInfo", "/LastModified", "/AA", "/Annots"):
                    if entry in page.obj:
                        del page.obj[entry]
            for key in [str(key) for key in plain.Root.keys() if str(key) not in _ROOT_KEPT]:  # noqa: SIM118 - no dict
                del plain.Root[key]
            out = io.BytesIO()
            plain.save(out, deterministic_id=True, object_stream_mode=pikepdf.ObjectStreamMode.generate)
            return out.getvalue()
    except (pikepdf.PdfError, ValueError, OSError):
        raise WrongType from None
