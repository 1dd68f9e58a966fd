"""Audit's way in: what it builds from the facts. They come from the log alone, since an auditor does not trust the bus."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.bus.readers import Reader
from chassis.vault.keys import VaultKeys
from services.audit.project import projection


def readers(keys: VaultKeys) -> Sequence[Reader]:
    """Every reader of audit; it owes nothing."""
    return (projection(keys),)
