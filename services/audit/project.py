"""Facts into the audit desk's one table."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import asyncpg

from caselog.queries import Queries
from chassis.bus.readers import Reader
from chassis.vault.codes import tracking_code
from chassis.vault.keys import VaultKeys
from schemas.envelope import Recorded
from schemas.facts import AnyFact
from schemas.facts.intake import CaseSubmitted

NAME: Final = "cases"
VERSION: Final = 1


def projection(keys: VaultKeys) -> Reader:
    """The reader of the table that finds a case by its tracking code."""
    sql = Queries.load(Path(__file__).with_name("queries.sql"))

    async def apply(connection: asyncpg.Connection, fact: AnyFact, recorded: Recorded) -> None:
        if isinstance(fact, CaseSubmitted):
            code = tracking_code(keys.get("tracking"), recorded.stream.removeprefix("case:"))
            at = recorded.recorded_at
            await connection.execute(sql.put_case, recorded.stream, code, fact.request_type, fact.district, at)

    return Reader(NAME, VERSION, apply)
