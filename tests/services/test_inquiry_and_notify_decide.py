"""What inquiry and notify decide, told as stories."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chassis.refusal import NotDue, Stale
from schemas.envelope.sealing import Clear
from schemas.facts import FACTS, inquiry, intake, notify
from services.inquiry import commands as c
from services.inquiry import refusals as r
from services.inquiry.decide import State, decide, evolve
from services.notify import decide as n
from services.notify.commands import RecordFailed, RecordSent
from tests.services import facts as f
from tests.services.scenario import MONDAY, Outcome, Scenario


def case() -> Scenario:
    return Scenario(State, evolve, decide)


ANSWER = c.AnswerInquiry(agency="fire", inquiry_id="q1", answer="no_objection", note="خوب است")


OPEN = c.OpenQuestion(agency="fire", inquiry_id="q1", what=("note",))


def test_a_question_is_opened_once_with_a_deadline() -> None:
    fact = case().given(f.submitted(), f.REQUESTED).when(c.OpenInquiry(inquiry_id="q1")).then(inquiry.InquiryOpened)
    assert (fact.agency, fact.deadline.working_days) == ("fire", 5)
    case().given(f.submitted(), f.REQUESTED, f.OPENED).when(c.OpenInquiry(inquiry_id="q1")).refused(Stale)
    case().given(f.submitted(), f.REQUESTED, f.WITHDRAWN).when(c.OpenInquiry(inquiry_id="q1")).refused(Stale)
    case().given(f.submitted()).when(c.OpenInquiry(inquiry_id="q1")).refused(Stale)


def test_only_the_asked_agency_answers_once_with_a_coded_answer() -> None:
    asked = (f.submitted(), f.REQUESTED, f.OPENED)
    fact = case().given(*asked).when(ANSWER).then(inquiry.InquiryAnswered)
    assert isinstance(fact.note, Clear)
    assert fact.note.person == "app"
    other = c.AnswerInquiry(agency="heritage", inquiry_id="q1", answer="no_objection")
    case().given(*asked).when(other).refused(r.NoSuchInquiry)
    case().given(*asked, f.ANSWERED).when(ANSWER).refused(r.InquiryIsClosed)
    case().given(*asked).when(c.AnswerInquiry(agency="fire", inquiry_id="q1", answer="perhaps")).refused(r.InvalidField, "answer")
    case().given(f.submitted(), f.REQUESTED).when(ANSWER).refused(r.InquiryIsClosed)


@pytest.mark.parametrize("end", [f.WITHDRAWN, f.APPROVED, f.REJECTED], ids=lambda fact: fact.TYPE)
def test_the_end_of_the_case_ends_its_inquiries(end: Any) -> None:
    case().given(f.submitted(), f.REQUESTED, f.OPENED, end).when(ANSWER).refused(r.InquiryIsClosed)
    case().given(f.submitted(), f.REQUESTED, f.OPENED, end).when(c.EscalateInquiry(inquiry_id="q1")).refused(Stale)
    case().given(f.submitted(), f.REQUESTED, f.OPENED, end).when(OPEN).refused(r.InquiryIsClosed)


def test_an_overdue_inquiry_escalates_once_and_stays_open() -> None:
    escalate = c.EscalateInquiry(inquiry_id="q1")
    asked = (f.submitted(), f.REQUESTED, f.OPENED)
    due = f.DUE.due_at - MONDAY
    fact = case().given(*asked).when(escalate, later=due).then(inquiry.InquiryOverdue)
    case().given(*asked).when(escalate, later=due - timedelta(hours=4)).refused(NotDue)
    case().given(*asked, fact).when(escalate, later=due).refused(Stale)
    case().given(*asked, fact).when(ANSWER).then(inquiry.InquiryAnswered)


def test_a_question_is_opened_by_its_agency_while_it_is_open() -> None:
    asked = (f.submitted(), f.REQUESTED, f.OPENED)
    case().given(*asked).when(OPEN).then(inquiry.QuestionOpened)
    case().given(*asked).when(OPEN.model_copy(update={"agency": "heritage"})).refused(r.NoSuchInquiry)
    case().given(*asked).when(OPEN.model_copy(update={"what": ()})).refused(r.InvalidField, "what")
    case().given(*asked, f.ANSWERED).when(OPEN).refused(r.InquiryIsClosed)


def test_an_agency_is_registered_once_and_must_be_in_the_catalogue() -> None:
    register = c.RegisterAgency(agency="fire", name_fa="آتش‌نشانی", name_en="Fire")
    fact = case().when(register).then(inquiry.AgencyRegistered)
    case().given(fact).when(register).refused(r.AgencyExists)
    case().when(c.RegisterAgency(agency="moon", name_fa="x", name_en="x")).refused(r.InvalidField, "agency")


def test_every_message_is_told_by_a_known_channel_and_records_stay_silent() -> None:
    told = [each for each in (f.submitted(), f.QUESTIONED, f.CORRECTION, f.REJECTED, f.drawn(), f.OPENED) if n.messages_for(each)]
    assert len(told) == 6
    assert {message.channel for each in told for message in n.messages_for(each)} == {"inapp", "sms", "email"}
    assert n.messages_for(f.APPROVED) == ()
    for name, kind in FACTS.items():
        if kind.RECORD:
            assert kind not in n._TOLD, name


def test_what_was_told_is_recorded_for_a_case_only() -> None:
    sent = RecordSent(template="filed", channel="sms", about="1:2", key="ab")
    failed = RecordFailed(template="filed", channel="sms", about="1:2", reason="no_address")
    story = Scenario(n.State, n.evolve, n.decide)
    story.given(f.submitted(), f.APPROVED).when(sent).then(notify.MessageSent)
    story.given(f.submitted()).when(failed).then(notify.MessageFailed)
    story.given().when(sent).refused(n.NoSuchCase)


def by_office() -> intake.CaseSubmitted:
    return f.submitted().model_copy(update={"channel": intake.Channel.OFFICE, "office": "office-1"})


def recipients(outcome: Outcome) -> list[str]:
    return [each.recipient for each in outcome.facts if isinstance(each, notify.MessageSent | notify.MessageFailed)]


@pytest.mark.parametrize("channel", ["inapp", "sms", "email"])
def test_a_notice_in_the_portal_reaches_the_office_that_filed_too_and_nothing_else_does(channel: str) -> None:
    sent = RecordSent(template="filed", channel=channel, about="1:2", key="ab")
    story = Scenario(n.State, n.evolve, n.decide)
    assert recipients(story.given(by_office()).when(sent)) == (["applicant", "office"] if channel == "inapp" else ["applicant"])
    assert recipients(story.given(f.submitted()).when(sent)) == ["applicant"]
    failed = RecordFailed(template="filed", channel=channel, about="1:2", reason="no_address")
    assert recipients(story.given(by_office()).when(failed)) == ["applicant"]
