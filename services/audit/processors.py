"""Audit's way in: what it builds from the facts. They come from the log alone, since an auditor does not trust the bus."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.eventing.processors.processor import EventProcessor
from chassis.privacy.key_files import VaultKeys
from services.audit.project import projection


def processors(keys: VaultKeys) -> Sequence[EventProcessor]:
    """Every processor of audit; it has no agenda."""
    return (projection(keys),)
