"""What must be: every row and every item as a plain fold of the log, one fact at a time, with no bus, run, crash or retry."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final, cast

from caselog.chain import ZERO_LINK
from chassis.eventing.agenda.task import CancelTask
from chassis.eventing.commands.ids import agenda_command
from schemas.envelope import RecordedFact, shard_of
from schemas.facts import AnyFact
from tests.simulation.harness import Database, Session
from tests.simulation.life import Life
from tests.simulation.services import OWES, READERS, rows_of

Tables = dict[str, dict[tuple[Any, ...], tuple[Any, ...]]]
STATIC: Final = (
    "reaction",
    "key",
    "stream",
    "target",
    "cause_shard",
    "cause_seq",
    "cause_link",
    "ordinal",
    "due_at",
    "recipient",
)


class Reference:
    """The fold of one service, shard by shard, remembered after each fact."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._folds: dict[int, Database] = {}
        self._after: dict[int, list[Tables]] = {}
        self.links: dict[int, list[bytes]] = {}
        self.made: dict[int, list[tuple[int, bytes, tuple[Any, ...]]]] = defaultdict(list)
        """By shard: seq, item, and what a fact says of it."""
        self.ended: dict[bytes, tuple[int, str]] = {}
        """Item -> the seq of the fact that ends it, and how."""

    def take(self, recorded: RecordedFact, fact: AnyFact | None) -> None:
        """A fact of the log; None when this program cannot read it: no row may come of it."""
        shard = recorded.shard
        if shard not in self._folds:
            self._folds[shard] = Database(lambda: recorded.recorded_at, rows_of(self._service))
            self._after[shard], self.links[shard] = [self._tables(shard)], [ZERO_LINK]
        if fact is not None:
            session = cast("Any", Session(self._folds[shard], Life()))
            _at_once(READERS[self._service][0].apply(session, [(fact, recorded)]))
            if self._service in OWES:
                self._owe(recorded, fact)
        self._after[shard].append(self._tables(shard))
        self.links[shard].append(recorded.link)

    def _tables(self, shard: int) -> Tables:
        return {name: dict(rows) for name, rows in self._folds[shard].tables.items()}

    def _owe(self, recorded: RecordedFact, fact: AnyFact) -> None:
        if recorded.cause and any(bytes.fromhex(recorded.cause) == item for made in self.made.values() for _, item, _ in made):
            self.ended.setdefault(bytes.fromhex(recorded.cause), (recorded.seq, "done"))
        for each in OWES[self._service](fact, recorded):
            if isinstance(each, CancelTask):
                for _, item, (reaction, key, stream, *_) in self.made[recorded.shard]:
                    if (reaction, key, stream) == (each.reaction, each.key, recorded.stream):
                        self.ended.setdefault(item, (recorded.seq, "cancelled"))
            else:
                item = agenda_command(self._service, each.reaction, recorded.link, each.ordinal)
                told = (each.reaction, each.key, recorded.stream, each.target or recorded.stream, recorded.shard, recorded.seq,
                        recorded.link, each.ordinal, each.due_at, each.recipient)  # fmt: skip
                self.made[recorded.shard].append((recorded.seq, item, told))

    def check_rows(self, database: Database, reader: str, reached: dict[int, int]) -> None:
        """The tables of a service are the fold of the log up to each shard's checkpoint, and the checkpoint is in the log."""
        found: dict[int, Tables] = {}
        for plan in database.plans:
            for key, row in database.tables[plan.table.TABLE].items():
                shard = shard_of(plan.stream(row[plan.first]))
                found.setdefault(shard, {}).setdefault(plan.table.TABLE, {})[key] = row
        for shard, seq in reached.items():
            expected = {name: rows for name, rows in self._after[shard][seq].items() if rows}
            assert found.pop(shard, {}) == expected, f"{self._service}: the rows are not the fold of the log"
        assert not found, f"{self._service}: rows of a shard that was never read"

    def check_agenda(self, database: Database, reached: dict[int, int]) -> None:
        """The agenda has exactly what the facts up to the checkpoint make owed, and what they ended is closed."""
        owed = [each for shard, seq in reached.items() for each in self.made[shard] if each[0] <= seq]
        assert len(database.agenda) == len(owed), f"{self._service}: the agenda owes more than the facts say"
        for _, item, told in owed:
            row = database.agenda.get(item)
            assert row is not None, f"{self._service}: what a fact made owed is not on the agenda"
            assert tuple(row[name] for name in STATIC) == told, f"{self._service}: an item is otherwise than its fact says"
            if item in self.ended and self.ended[item][0] <= reached[told[4]]:
                assert row["state"] == "closed", f"{self._service}: what a fact ended is still open"


def _at_once(work: Any) -> None:
    """Run what waits for nothing."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise AssertionError("a fold waited")
