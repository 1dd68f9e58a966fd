"""References to sealed documents; the bytes are in object storage, never in the log."""

from __future__ import annotations

from enum import StrEnum

from schemas.envelope.fact import Value


class Audience(StrEnum):
    """Who may see a document (domain.md: identity papers, deed and power of attorney reveal the owner)."""

    IDENTITY_CLERK = "identity_clerk"
    REVIEWER = "reviewer"


class DocumentRef(Value):
    """One stored document: its sealed bytes are bound to the fact by their digest."""

    document_id: str
    """The case and a random part; names the blob in object storage, and is never used again."""
    kind: str
    """The catalogue's key of the document, for example `title_deed`."""
    audience: Audience
    media_type: str
    size: int
    """Bytes before sealing."""
    digest: str
    """SHA-256 of the sealed bytes, hex."""
    key: str
    """The id of the vault key that opens it."""
