"""The authenticated caller, the same `Principal` for every way of signing in."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Principal:
    """A signed-in person, as a service may know them.

    `subject` is stable and opaque: the account id of staff, the blind index of the national code of a citizen. `office`,
    `agency` and `districts` bound what the role may see; `name` is empty for citizens, whose name stays in the vault.
    """

    role: str
    subject: str
    name: str = ""
    office: str | None = None
    agency: str | None = None
    districts: tuple[int, ...] = ()

    def row(self) -> dict[str, Any]:
        """What a session row keeps."""
        return asdict(self)

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        """The principal of a session row. Raises TypeError when the row was written for other fields."""
        return cls(**{**row, "districts": tuple(row["districts"])})
