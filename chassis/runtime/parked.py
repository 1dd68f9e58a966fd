"""What a service could not apply or carry out, and how it is let go on, for the command line."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

import asyncpg

from chassis.eventing.agenda.worker import parked_items, release_item
from chassis.eventing.processors.inbox import Inbox
from chassis.web.formats import clock, day
from chassis.web.parked_work import Label, ParkedWork

_ITEM: Final = re.compile(r"[0-9a-f]{64}")


async def parked_lines(inbox: Inbox, db: asyncpg.Pool, said: ParkedWork) -> list[str]:
    """What each parked stream and item is, in English; the last line of each is what `release` takes, to be copied."""
    lines = []
    for each in await inbox.parked():
        what = f"{said.reader(each.processor).words}: {each.stream} from fact {each.version} on"
        lines.append(_said(what, each.since, said.reason(each.reason), f"release {each.processor} {each.stream}"))
    for row in await parked_items(db):
        owed = said.reaction(row["reaction"])
        what = f"{owed.words} ({owed.code}): {row['stream']}"
        lines.append(_said(what, row["parked_at"], said.reason(row["outcome"]), f"release agenda {row['id'].hex()}"))
    return lines


def _said(what: str, since: datetime | None, why: Label, released: str) -> str:
    parked = f", parked since {day(since, 'en')}, {clock(since, 'en')}" if since else ""
    return f"{what}{parked}\n    {why.words} ({why.code})\n    {released}"


async def release(inbox: Inbox, db: asyncpg.Pool, reader: str, what: str) -> bool:
    """Let a parked stream of `reader`, or an item (64 hex digits) of the agenda, go on; False when nothing so named is parked.

    Raises StillFaulty when the stream still cannot be applied, NotBegun when the reader has applied nothing yet.
    """
    if _ITEM.fullmatch(what):
        return await release_item(db, bytes.fromhex(what))
    return reader in inbox.stores and await inbox.release(reader, what)
