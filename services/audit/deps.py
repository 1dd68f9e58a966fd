"""The dependencies of audit's pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chassis.runtime.container import ReadOnlyContainer
from chassis.runtime.deps import deps_of
from schemas.witnesses import WitnessEntry, keys_by_fingerprint, load
from services.audit.read import Audit


@dataclass(frozen=True)
class AuditDeps:
    """Audit's queries on its read-only container, and the witnesses whose signatures it checks."""

    container: ReadOnlyContainer
    queries: Audit
    witnesses: Sequence[WitnessEntry]


def open_deps(container: ReadOnlyContainer) -> AuditDeps:
    """The dependencies of a process of audit."""
    witnesses = load(container.settings.keys / "witnesses.json")
    return AuditDeps(container, Audit(container.db, container.log, keys_by_fingerprint(witnesses)), witnesses)


deps = deps_of(AuditDeps)
