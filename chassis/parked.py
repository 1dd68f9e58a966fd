"""What a service could not apply or carry out, and how it is let go on: for pages and for the command line."""

from __future__ import annotations

import re
from typing import Final

import asyncpg

from chassis.agenda.worker import parked_items, release_item
from chassis.bus.inbox import Inbox

_ITEM: Final = re.compile(r"[0-9a-f]{64}")


async def parked_lines(inbox: Inbox, own: asyncpg.Pool) -> list[str]:
    """A line for each parked stream and item, in the words that `release` takes."""
    streams = [f"{each.reader} {each.stream} from version {each.version}: {each.reason}" for each in await inbox.parked()]
    items = [
        f"agenda {row['id'].hex()} {row['reaction']} of {row['stream']}: {row['outcome']}" for row in await parked_items(own)
    ]
    return streams + items


async def release(inbox: Inbox, own: asyncpg.Pool, reader: str, what: str) -> bool:
    """Let a parked stream of `reader`, or an item (64 hex digits) of the agenda, go on; False when nothing so named is parked.

    Raises StillFaulty when the stream still cannot be applied.
    """
    if _ITEM.fullmatch(what):
        return await release_item(own, bytes.fromhex(what))
    return reader in inbox.shelves and await inbox.release(reader, what)
