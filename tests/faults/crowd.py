"""Requests of a Kerman week that are walked through the doors of a house until one says stop, and what is left of them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from email import message_from_bytes, policy
from functools import partial
from typing import Any, Final, cast

import asyncpg

from caselog.read import LogReader
from chassis.privacy.key_files import VaultKeys
from chassis.privacy.vault import Vault
from deploy.demo.__main__ import audit
from deploy.demo.plan import Plan, Walked
from deploy.demo.walk import Walk
from deploy.demo.week import plans
from deploy.local.processes import service_urls
from schemas.envelope import RecordedFact
from schemas.facts import decode
from schemas.facts.notify import MessageSent
from tests.faults.checker import Evidence, Item, Projection, Send
from tests.faults.effects import agenda_of, facts_of
from tests.faults.people import RecordedPerson, releases
from tests.faults.recorder import Recorder
from tests.journeys.stack import TABLES, Stack

AT_ONCE: Final = 5
PATIENCE_SECONDS: Final = 400
STAFF: Final = ("intake", "review", "inquiry")


@dataclass
class Mails:
    """A mail server that keeps what it is given; aiosmtpd calls it."""

    kept: list[bytes] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.kept.append(envelope.content)
        return "250 OK"

    def sends(self) -> list[Send]:
        """The messages as they arrived."""
        found = []
        for content in self.kept:
            mail = message_from_bytes(content, policy=policy.default)
            key = str(mail["Message-ID"]).strip(" <>\r\n").partition("@")[0]  # a long header comes folded
            found.append(Send(key, str(mail["To"]), mail.get_content()))
        return found


@dataclass
class Crowd:
    """Everybody who takes part, at the doors of `house`; the walks follow from `seed`."""

    house: Stack
    recorder: Recorder
    seed: int
    walked: list[Walked] = field(default_factory=list)

    async def walk_until(self, stop: asyncio.Event) -> None:
        """Walk requests until `stop`, every one to its end, and let the auditor read them. Raises what went wrong."""
        walk = Walk(service_urls(), self.house.var / "outbox", seconds=PATIENCE_SECONDS, person=await self._people())
        try:
            async with asyncio.TaskGroup() as group:
                for place in range(AT_ONCE):
                    group.create_task(self._place(walk, place, stop))
            wrong: list[str] = []
            await audit(walk, self.walked, wrong)
            assert wrong == []
        finally:
            await walk.close()

    async def _place(self, walk: Walk, place: int, stop: asyncio.Event) -> None:
        chance = random.Random(f"{self.seed} place {place}")
        while not stop.is_set():
            for plan in plans(7, chance.randrange(1 << 32)):  # one of each kind
                if not stop.is_set():
                    self.walked.append(await walk.request(_by_mail(plan, len(self.walked), place)))

    async def _people(self) -> Callable[[str], RecordedPerson]:
        subjects = {}
        for service in STAFF:
            connection = await asyncpg.connect(**self.house.settings_of(service).as_owner(service))
            try:
                for row in await connection.fetch("SELECT account_id, username FROM web_accounts"):
                    subjects[f"{service} {row['username']}"] = row["account_id"]
            finally:
                await connection.close()
        vault = Vault(cast(asyncpg.Pool, None), VaultKeys(self.house.var / "keys" / "intake"))  # only for the blind index
        return partial(RecordedPerson, doors=service_urls(), recorder=self.recorder, vault=vault, subjects=subjects)


def _by_mail(plan: Plan, number: int, place: int) -> Plan:
    """Everybody has an address of their own: a message that comes twice, or under another key, is then seen."""
    return replace(plan, applicant=replace(plan.applicant, email=f"citizen-{place}-{number}@example.org"))


async def heads(house: Stack) -> dict[int, int]:
    """The heads of the house's log."""
    async with asyncpg.create_pool(**house.settings_of("audit").as_reader("audit"), min_size=1, max_size=1) as pool:
        return {shard: head.seq for shard, head in (await LogReader(pool).heads()).items()}


async def evidence(house: Stack, crowd: Crowd, mails: Mails, before: dict[int, int], kills: int) -> Evidence:
    """All that the checker looks at, once the house has settled."""
    await house.settled(180)
    compared = await house.beside_a_rebuild()
    agenda: list[Item] = []
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            asyncpg.create_pool(**house.settings_of("audit").as_reader("audit"), min_size=1, max_size=1)
        )
        facts = await facts_of(LogReader(pool))
        for service in TABLES:
            connection = await asyncpg.connect(**house.settings_of(service).as_owner(service))
            stack.push_async_callback(connection.close)
            agenda += await agenda_of(connection, service)
    history = crowd.recorder.history()
    return Evidence(
        operations=[*history, *releases(history, facts)],
        facts=facts,
        projections=[Projection(name, found, fresh) for name, found, fresh in compared],
        agenda=agenda,
        sends=mails.sends(),
        handed_over=frozenset(_mailed(facts, before)),
        kills=kills,
        before=before,
    )


def _mailed(facts: list[RecordedFact], before: dict[int, int]) -> list[str]:
    told = [decode(fact.type, fact.type_version, fact.body) for fact in facts if fact.seq > before[fact.shard]]
    return [fact.key for fact in told if isinstance(fact, MessageSent) and fact.channel == "email"]
