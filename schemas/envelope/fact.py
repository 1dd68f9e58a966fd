"""What every fact is: a frozen model with an explicit wire name, a version, a stream kind and one writer."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class StreamKind(StrEnum):
    """The kinds of stream; a stream is named `kind:id` (design.md section 3)."""

    CASE = "case"
    OFFICE = "office"
    AGENCY = "agency"
    STAFF = "staff"
    CALENDAR = "calendar"
    CATALOGUE = "catalogue"
    LOG = "log"


class Writer(StrEnum):
    """The services that write facts; each fact type has exactly one."""

    INTAKE = "intake"
    REVIEW = "review"
    INQUIRY = "inquiry"
    NOTIFY = "notify"


class Value(BaseModel):
    """A frozen, closed value inside a fact."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Fact(Value):
    """Something that happened, in the past tense.

    `TYPE` and `VERSION` are the wire name and never change once released. `RECORD` marks a pure record (sent, reminded,
    accessed): it names no expected version and cannot conflict.
    """

    TYPE: ClassVar[str]
    VERSION: ClassVar[int]
    KIND: ClassVar[StreamKind] = StreamKind.CASE
    WRITER: ClassVar[Writer]
    RECORD: ClassVar[bool] = False
