"""What a request needs to be filed. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from schemas.catalogue import RequestType, Stored, catalogue
from schemas.envelope.calendar import WorkingTime
from schemas.envelope.fact import Fact
from schemas.envelope.identifiers import is_mobile, is_national_code
from schemas.envelope.sealing import Clear, DataClass
from schemas.facts import intake
from schemas.facts.intake import Channel
from services.intake import commands as c
from services.intake.decide.checks import stored
from services.intake.decide.state import State
from services.intake.refusals import (
    CaseExists,
    ConsentMissing,
    InvalidField,
    MissingDocument,
    UnknownDocument,
    UnknownRequestType,
    WrongDistrict,
    WrongEmail,
    WrongMobile,
    WrongNationalCode,
)

LONGEST_TEXT: Final = 500
WORDINGS: Final = ("counter_1",)
"""The keys of all wordings with which offices have ever asked for consent (locale, `consent.<key>`); the last one is current.

Facts name them, so the words of a key never change: other words get another key.
"""
_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")


def filable(command: c.SubmitCase) -> RequestType:
    """The type of a request that could be filed; asked before its papers are sealed, so that a refused one leaves none.

    Raises InvalidField and its kinds at the field that is at fault.
    """
    kind = catalogue().types.get(command.request_type)
    if kind is None:
        raise UnknownRequestType("request_type")
    if not 1 <= command.district <= 5:
        raise WrongDistrict("district")
    if (command.office is None) is (command.channel is Channel.OFFICE):
        raise InvalidField("office")
    _consent(command)
    _person(command)
    _answers(command, kind)
    _papers(command, kind)
    return kind


def submit(command: c.SubmitCase, state: State, at: datetime, working_time: WorkingTime) -> list[Fact]:
    """The first fact of a case. Raises CaseExists, or InvalidField and its kinds at the field that is at fault."""
    if state.request_type:
        raise CaseExists
    kind = filable(command)
    stored(command)
    return [
        intake.CaseSubmitted(
            request_type=command.request_type,
            catalogue_version=kind.version,
            channel=command.channel,
            office=command.office,
            out_of_hours=not working_time.is_working_time(at),
            district=command.district,
            applicant=command.applicant,
            identity=Clear(DataClass.IDENTITY, command.person, command.identity.model_dump()),
            contact=Clear(DataClass.CONTACT, command.person, command.contact.model_dump()),
            property=Clear(DataClass.PROPERTY, command.person, dict(command.property)),
            details=dict(command.details),
            documents=command.stored,
            consent=command.consent,
        )
    ]


def _consent(command: c.SubmitCase) -> None:
    """An office files for an applicant who is present and consents (domain.md, Who acts); nobody else needs to."""
    if command.channel is Channel.OFFICE and command.consent not in WORDINGS:
        raise ConsentMissing("consent")
    if command.channel is Channel.PORTAL and command.consent is not None:
        raise InvalidField("consent")


def _person(command: c.SubmitCase) -> None:
    if not is_national_code(command.identity.national_code):
        raise WrongNationalCode("national_code")
    if not 3 <= len(command.identity.name) <= 120:
        raise InvalidField("name")
    if not is_mobile(command.contact.mobile):
        raise WrongMobile("mobile")
    if command.contact.email and (len(command.contact.email) > 200 or not _EMAIL.fullmatch(command.contact.email)):
        raise WrongEmail("email")


def _answers(command: c.SubmitCase, kind: RequestType) -> None:
    for place, given in ((Stored.PROPERTY, command.property), (Stored.CODED, command.details)):
        fields = {each.key: each for each in kind.fields if each.stored is place}
        for key in given:
            if key not in fields:
                raise InvalidField(key)
        for key, each in fields.items():
            value = given.get(key, "")
            if each.required and not value:
                raise InvalidField(key)
            if len(value) > LONGEST_TEXT:
                raise InvalidField(key)
            if value and each.kind == "number" and not (value.isascii() and value.isdigit() and 1 <= int(value[:9]) <= 999):
                raise InvalidField(key)


def _papers(command: c.SubmitCase, kind: RequestType) -> None:
    known = {each.key for each in kind.documents}
    filed = [each.kind for each in command.documents]
    for each in filed:
        if each not in known:
            raise UnknownDocument(each)
    for paper in kind.documents:
        if paper.required and paper.key not in filed:
            raise MissingDocument(paper.key)
