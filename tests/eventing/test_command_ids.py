"""Derived ids recognise a repetition for as long as the log is kept: these vectors were made before the code that derives them
was changed, and none may ever differ."""

from __future__ import annotations

import importlib
import json
from typing import Any, Final, cast

import pytest

from chassis.eventing.commands.decider import Decider
from chassis.eventing.commands.handler import SYSTEM, Command, CommandHandler
from chassis.eventing.commands.ids import agenda_command, case_id_of, request_hash
from chassis.principal import Principal
from services.inquiry.commands import InquiryCommand
from services.intake.commands import IntakeCommand, SubmitCase
from services.notify.commands import NotifyCommand
from services.review.commands import ReviewCommand
from services.review.pages.cases import inquiry_id_of
from tests.conftest import ROOT

VECTORS: Final[dict[str, Any]] = json.loads((ROOT / "schemas/vectors/command_ids.json").read_text(encoding="utf-8"))
KEY: Final = bytes.fromhex(VECTORS["service_key"])
BY_TASKS: Final = {
    "EscalateIdentity", "IssueCertificate", "SetTarget", "PassTarget", "CommitDraw", "MakeDraw", "TakeBack", "EscalateCorrection",
    "OpenInquiry", "EscalateInquiry", "RecordSent", "RecordFailed",
}  # fmt: skip
"""Commands that only the agenda gives: their id is the task's."""


def handler(service: str) -> CommandHandler[Any, Any]:
    nothing = cast("Any", None)
    decider = cast("Decider[Any, Any]", nothing)
    return CommandHandler(service, decider, appender=nothing, reader=nothing, vault=nothing, service_key=KEY)


def command_of(vector: dict[str, Any]) -> Command:
    kind: type[Command] = getattr(importlib.import_module(f"services.{vector['service']}.commands"), vector["command"])
    fields = vector["fields"]
    return kind.model_validate(fields) if "copy_of" not in kind.model_fields else kind.model_construct(**fields)


def principal_of(vector: dict[str, Any]) -> Principal:
    return Principal(SYSTEM, vector["service"]) if vector["subject"] == SYSTEM else Principal("citizen", vector["subject"])


@pytest.mark.parametrize("vector", VECTORS["commands"], ids=lambda each: f"{each['service']} {each['command']}")
def test_a_persons_command_has_the_id_and_the_request_hash_it_always_had(vector: dict[str, Any]) -> None:
    command, by, given = command_of(vector), principal_of(vector), handler(vector["service"])
    assert given.command_id(command, by=by, on=vector["stream"], key=vector["key"]).hex() == vector["id"]
    values = command.model_dump(mode="json", exclude=set(command.UNHASHED))
    assert request_hash(KEY, type(command).__name__, values).hex() == vector["request"]


def test_the_case_that_a_filing_begins_is_named_by_the_filings_id() -> None:
    vector = next(each for each in VECTORS["commands"] if each["command"] == SubmitCase.__name__)
    case = handler("intake").new_case(SubmitCase, by=principal_of(vector), key=vector["key"])
    assert f"case:{case}" == vector["stream"] == f"case:{case_id_of(bytes.fromhex(vector['id']))}"


@pytest.mark.parametrize("vector", VECTORS["tasks"], ids=lambda each: f"{each['service']} {each['task']}")
def test_a_task_of_the_agenda_has_the_id_it_always_had(vector: dict[str, Any]) -> None:
    cause = bytes.fromhex(vector["cause"])
    assert agenda_command(vector["service"], vector["task"], cause, vector["ordinal"]).hex() == vector["id"]


def test_an_inquiry_is_named_by_the_request_that_asked_for_it() -> None:
    vector = VECTORS["inquiry_id"]
    assert inquiry_id_of(Principal("reviewer", vector["subject"]), vector["case"], vector["key"]) == vector["id"]


def test_every_command_that_a_person_may_give_has_a_vector() -> None:
    unions = (IntakeCommand, ReviewCommand, InquiryCommand, NotifyCommand)
    known = {kind.__name__ for union in unions for kind in union.__args__}
    assert {each["command"] for each in VECTORS["commands"]} | BY_TASKS == known
