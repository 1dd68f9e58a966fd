"""The log in memory: the truth of a simulated city, chained by caselog.chain, with the outcomes of the append function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from caselog.append import LogUnavailable
from caselog.chain import ZERO_LINK, compute_link
from caselog.outcomes import Appended, AppendRequest, Conflict, EventPosition, Outcome, Refused, Repeated
from caselog.read import SQL_DIRECTORY
from schemas.envelope import RecordedFact, shard_of
from schemas.envelope.codec import UnknownFact
from schemas.facts import AnyFact, decode
from tests.simulation.harness import NotAnswered, Record, names_of
from tests.simulation.life import Life

LOG_ID: Final = "51a51a51-a51a-451a-851a-51a51a51a51a"
_NAMES: Final = names_of(SQL_DIRECTORY / "queries.sql", "log")
_COLUMNS: Final = tuple(field.name for field in fields(RecordedFact))[1:]
_VALUES: Final = attrgetter(*_COLUMNS)


class Log:
    """All shards. `told` hears of each fact when it is durable."""

    def __init__(self, now: Callable[[], datetime], told: Callable[[RecordedFact, AnyFact | None], None]) -> None:
        self._now, self._told = now, told
        self.shards: dict[int, list[RecordedFact]] = {}
        self.facts: list[tuple[RecordedFact, AnyFact]] = []
        """What this program can read, in the order in which it was appended."""
        self.replies_lost = 0
        self.loses_the_next_reply = False

    def has(self, command: bytes) -> bool:
        """Whether a command was carried out."""
        return any(fact.command == command for fact, _ in self.facts)

    def take(self, append: AppendRequest) -> Outcome:
        """What log.append does with one command."""
        facts = self.shards.setdefault(shard_of(append.stream), [])
        seen = [fact for fact in facts if fact.command == append.command_id]
        if seen:
            if seen[0].request != append.request_hmac:
                return Refused("request_differs")
            events = tuple(EventPosition(each.position, each.version, each.link) for each in seen)
            return Repeated(events, seen[0].recorded_at, LOG_ID, 1)
        version = sum(fact.stream == append.stream for fact in facts)
        if append.expected is not None and append.expected != version:
            return Conflict(version)
        made = [self._linked(append, ordinal, facts, version + 1 + ordinal) for ordinal in range(len(append.facts))]
        return Appended(tuple(EventPosition(each.position, each.version, each.link) for each in made), self._now(), LOG_ID, 1)

    def _linked(self, append: AppendRequest, ordinal: int, facts: list[RecordedFact], version: int) -> RecordedFact:
        new, prev = append.facts[ordinal], facts[-1].link if facts else ZERO_LINK
        values: dict[str, Any] = {
            "shard": shard_of(append.stream), "seq": len(facts) + 1, "stream": append.stream, "version": version,
            "type": new.type, "type_version": new.type_version, "recorded_at": self._now(), "actor": append.actor,
            "cause": append.cause, "command": append.command_id, "ordinal": ordinal, "request": append.request_hmac,
            "meta": append.meta, "body": new.body, "prev": prev,
        }  # fmt: skip
        unlinked = RecordedFact(log_id=LOG_ID, epoch=1, link=b"", **values)
        recorded = RecordedFact(log_id=LOG_ID, epoch=1, link=compute_link(unlinked), **values)
        facts.append(recorded)
        try:
            fact = decode(recorded.type, recorded.type_version, recorded.body)
        except UnknownFact:
            self._told(recorded, None)
        else:
            self.facts.append((recorded, fact))
            self._told(recorded, fact)
        return recorded

    # queries.sql

    def answer(self, statement: str, values: Sequence[Any]) -> Any:
        """The rows of one of the log's questions."""
        answer = getattr(self, _NAMES.get(statement, ""), None)
        if answer is None:
            raise NotAnswered(statement)
        return answer(*values)

    def _rows(self, facts: Sequence[RecordedFact], limit: int = 1_000_000) -> list[Record]:
        return [_row(fact) for fact in facts[:limit]]

    def log_identity(self) -> list[Record]:
        return [Record.of(log_id=LOG_ID, epoch=1)]

    def log_at_time(self) -> list[Record]:
        return [Record.of(at=self._now())]

    def log_stream(self, shard: int, stream: str, after: int, limit: int) -> list[Record]:
        return self._rows([f for f in self.shards.get(shard, ()) if f.stream == stream and f.version > after], limit)

    def log_shard(self, shard: int, after: int, limit: int) -> list[Record]:
        return self._rows(self.shards.get(shard, [])[after:], limit)

    def log_at_position(self, shard: int, seq: int) -> list[Record]:
        return self._rows(self.shards.get(shard, [])[seq - 1 : seq])

    def log_command(self, shard: int, command: bytes) -> list[Record]:
        return self._rows([fact for fact in self.shards.get(shard, ()) if fact.command == command])

    def log_heads(self) -> list[Record]:
        heads = [(shard, facts[-1]) for shard, facts in self.shards.items() if facts]
        return [Record.of(shard=shard, seq=last.seq, link=last.link, epoch=last.epoch) for shard, last in heads]


class Appender:
    """One process's way of writing: it may die before the log has the command, or after, and the reply may be lost."""

    def __init__(self, log: Log, life: Life) -> None:
        self._log, self._life = log, life

    async def append(self, append: AppendRequest) -> Outcome:
        """Append, as caselog.append. Raises LogUnavailable when the reply is lost."""
        await self._life.step()
        outcome = self._log.take(append)
        await self._life.appended()
        if self._log.loses_the_next_reply:
            self._log.loses_the_next_reply = False
            self._log.replies_lost += 1
            raise LogUnavailable
        return outcome


def _row(fact: RecordedFact) -> Record:
    row = Record(_VALUES(fact))
    row.names = _COLUMNS
    return row
