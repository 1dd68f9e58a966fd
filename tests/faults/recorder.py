"""What was asked of the system and what it answered, as JSON lines: a run can be read, and checked again, afterwards.

Two lines an operation: one when it is invoked and one when it returned. An operation without the second line, since its caller
was cut off or the run died, has an unknown outcome: it may or may not have had its effect.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Any, Final

import orjson

from caselog.append import Appender, NotTaken
from caselog.outcomes import Appended, AppendRequest, EventPosition, Outcome, Repeated
from schemas.envelope import Position

NEVER: Final = float("inf")


class Said(StrEnum):
    """What the caller knows of its operation."""

    OK = "ok"
    """Acknowledged: its effect must be there, once."""
    FAILED = "failed"
    """Refused: it must have no effect."""
    UNKNOWN = "unknown"
    """No answer came: it may have its effect, once, or none."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where the acknowledgement says that a fact stands."""

    position: Position
    link: bytes


@dataclass(frozen=True, slots=True)
class Operation:
    """One attempt to have something done. A repetition is another operation with the same key and command."""

    id: int
    case: str
    """The stream: `case:...`."""
    key: str
    """The idempotency key, as the caller chose it."""
    command: bytes
    """The command id that a fact of this operation carries (32 bytes)."""
    body: str
    """SHA-256 of what was sent, hex."""
    invoked: float
    """Seconds of the monotonic clock."""
    returned: float = NEVER
    said: Said = Said.UNKNOWN
    receipts: tuple[Receipt, ...] = ()
    """One for each fact, where the door tells positions."""


class UnderWay:
    """An operation that was invoked; say `ok` or `failed` before its block ends, else its outcome stays unknown."""

    def __init__(self) -> None:
        self.said = Said.UNKNOWN
        self.receipts: tuple[Receipt, ...] = ()

    def ok(self, events: Iterable[EventPosition] = ()) -> None:
        """It was acknowledged, and `events` says where its facts stand."""
        self.said, self.receipts = Said.OK, tuple(Receipt(each.position, each.link) for each in events)

    def failed(self) -> None:
        """It was refused for good."""
        self.said = Said.FAILED


class Recorder:
    """Writes a history to `path` while it happens; many tasks may record at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("ab", buffering=0)
        self._numbers = count(1)
        self.said: Counter[Said] = Counter()
        """How many operations returned with each outcome."""

    def close(self) -> None:
        """No further operation is recorded."""
        self._file.close()

    @contextmanager
    def operation(self, *, case: str, key: str, command: bytes, body: bytes) -> Iterator[UnderWay]:
        """Record what happens in the block; its exception passes through and leaves the outcome unknown unless it was said."""
        number, under_way = next(self._numbers), UnderWay()
        asked = {"case": case, "key": key, "command": command.hex(), "body": hashlib.sha256(body).hexdigest()}
        self._write({"id": number, "invoked": time.monotonic(), **asked})
        try:
            yield under_way
        finally:
            told = [(str(each.position), each.link.hex()) for each in under_way.receipts]
            self.said[under_way.said] += 1
            self._write({"id": number, "returned": time.monotonic(), "said": under_way.said, "receipts": told})

    async def append(self, appender: Appender, command: AppendRequest, *, key: str = "", patience: float = 10.0) -> Outcome:
        """Append `command` and record it; what the appender raises passes through."""
        body = b"".join(fact.body for fact in command.facts)
        with self.operation(case=command.stream, key=key, command=command.command_id, body=body) as under_way:
            try:
                outcome = await appender.append(command, patience=patience)
            except NotTaken:
                under_way.failed()
                raise
            if isinstance(outcome, Appended | Repeated):
                under_way.ok(outcome.events)
            else:
                under_way.failed()
        return outcome

    def history(self) -> list[Operation]:
        """All operations so far, in the order of their invocation."""
        return history(self.path)

    def _write(self, line: dict[str, Any]) -> None:
        if not self._file.closed:  # a caller may be cut off after the run was ended: its outcome stays unknown
            self._file.write(orjson.dumps(line) + b"\n")


def history(path: Path) -> list[Operation]:
    """The operations of a recorded run, in the order of their invocation."""
    found: dict[int, Operation] = {}
    for line in map(orjson.loads, path.read_bytes().splitlines()):
        if "invoked" in line:
            command = bytes.fromhex(line["command"])
            found[line["id"]] = Operation(line["id"], line["case"], line["key"], command, line["body"], line["invoked"])
        elif (said := Said(line["said"])) is not Said.UNKNOWN:
            told = tuple(Receipt(Position.parse(position), bytes.fromhex(link)) for position, link in line["receipts"])
            found[line["id"]] = replace(found[line["id"]], returned=line["returned"], said=said, receipts=told)
    return list(found.values())


def attempts(operations: Sequence[Operation]) -> dict[bytes, list[Operation]]:
    """The operations by command: the first attempt and its repetitions."""
    found: dict[bytes, list[Operation]] = {}
    for operation in operations:
        found.setdefault(operation.command, []).append(operation)
    return found
