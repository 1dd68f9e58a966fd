"""What intake decides, told as stories."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from chassis.refusal import NotDue, Stale
from deploy.demo.week import national_code
from schemas.catalogue import catalogue
from schemas.envelope.calendar import Hurried
from schemas.envelope.documents import Audience
from schemas.envelope.sealing import Clear
from schemas.facts import intake
from schemas.facts.intake import Channel
from services.intake import commands as c
from services.intake import refusals as r
from services.intake.decide import State, decide, evolve
from services.intake.decide.filing import WORDINGS
from tests.services import facts as f
from tests.services.scenario import MONDAY, Scenario

GOOD = national_code(123_456_789)


def case() -> Scenario:
    return Scenario(State, evolve, decide)


def submit(kind: str = "building_permit", **changes: Any) -> c.SubmitCase:
    fields = catalogue().types[kind].fields if kind in catalogue().types else ()
    papers = catalogue().types[kind].documents if kind in catalogue().types else ()
    values: dict[str, Any] = {
        "request_type": kind,
        "channel": Channel.PORTAL,
        "district": 3,
        "applicant": "app",
        "person": "p",
        "identity": {"national_code": GOOD, "name": "سهراب کنارسری"},
        "contact": {"mobile": "09131234567"},
        "property": {each.key: "نوشته" for each in fields if each.stored == "property"},
        "details": {each.key: "3" for each in fields if each.stored == "coded"},
        "documents": [
            {"kind": each.key, "content_digest": "0" * 64, "size": 1, "media_type": "application/pdf"}
            for each in papers
            if each.required
        ],
    }
    values |= changes
    audience = {each.key: each.audience for each in papers}
    stored = [
        f.ref(f"d-{kind}", kind, audience.get(kind, Audience.REVIEWER)) for kind in (d["kind"] for d in values["documents"])
    ]
    values.setdefault("stored", stored)
    return c.SubmitCase.model_validate(values)


def filed(kind: str) -> c.FiledDocument:
    return c.FiledDocument(kind=kind, content_digest="0" * 64, size=1, media_type="application/pdf")


@pytest.mark.parametrize("kind", list(catalogue().types))
def test_each_of_the_seven_types_can_be_filed_and_personal_data_is_to_be_sealed(kind: str) -> None:
    fact = case().when(submit(kind)).then(intake.CaseSubmitted)
    assert all(isinstance(value, Clear) for value in (fact.identity, fact.contact, fact.property))
    assert "سهراب" not in str(fact.model_dump(exclude={"identity", "contact", "property"}))


def test_a_filing_on_friday_is_marked_out_of_hours() -> None:
    assert not case().when(submit()).then(intake.CaseSubmitted).out_of_hours
    assert case().when(submit(), later=timedelta(days=4)).then(intake.CaseSubmitted).out_of_hours


def test_a_hurried_demonstration_files_in_and_out_of_its_own_office_hours() -> None:
    hurried = Scenario(State, evolve, partial(decide, working_time=Hurried(1)))
    late = [
        hurried.when(submit(), later=timedelta(milliseconds=100 * tenth)).then(intake.CaseSubmitted).out_of_hours
        for tenth in range(10)
    ]
    assert [tenth for tenth in range(10) if not late[tenth]] == [4, 5, 6]


@pytest.mark.parametrize(
    ("changes", "refusal", "on"),
    [
        ({"request_type": "palace"}, r.UnknownRequestType, "request_type"),
        ({"district": 0}, r.WrongDistrict, "district"),
        ({"district": 6}, r.WrongDistrict, "district"),
        ({"identity": {"national_code": "1234567890", "name": "سهراب"}}, r.WrongNationalCode, "national_code"),
        ({"identity": {"national_code": "1111111111", "name": "سهراب"}}, r.WrongNationalCode, "national_code"),
        ({"identity": {"national_code": GOOD, "name": "س"}}, r.InvalidField, "name"),
        ({"contact": {"mobile": "0913"}}, r.WrongMobile, "mobile"),
        ({"contact": {"mobile": "09131234567", "email": "nobody"}}, r.WrongEmail, "email"),
        ({"channel": Channel.OFFICE}, r.InvalidField, "office"),
        ({"office": "office-1"}, r.InvalidField, "office"),
        ({"channel": Channel.OFFICE, "office": "office-1"}, r.ConsentMissing, "consent"),
        ({"channel": Channel.OFFICE, "office": "office-1", "consent": ""}, r.ConsentMissing, "consent"),
        ({"channel": Channel.OFFICE, "office": "office-1", "consent": "yes"}, r.ConsentMissing, "consent"),
        ({"consent": "counter_1"}, r.InvalidField, "consent"),
        ({"property": {}}, r.InvalidField, "registry_plate"),
        ({"details": {"floors": "three", "units": "1"}}, r.InvalidField, "floors"),
        ({"details": {"floors": "0", "units": "1"}}, r.InvalidField, "floors"),
        ({"details": {"floors": "1", "units": "1", "moons": "1"}}, r.InvalidField, "moons"),
        ({"documents": []}, r.MissingDocument, "title_deed"),
    ],
)
def test_bad_input_is_refused_with_its_field(changes: dict[str, Any], refusal: type[r.InvalidField], on: str) -> None:
    case().when(submit(**changes)).refused(refusal, on)


def test_an_office_files_with_the_consent_of_the_applicant_and_the_fact_says_to_which_words() -> None:
    by_office = submit(channel=Channel.OFFICE, office="office-1", consent=WORDINGS[-1])
    assert case().when(by_office).then(intake.CaseSubmitted).consent == WORDINGS[-1]
    assert case().when(submit()).then(intake.CaseSubmitted).consent is None


def test_arabic_letters_and_persian_digits_are_stored_in_one_form() -> None:
    command = submit(identity={"national_code": GOOD.translate(str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")), "name": "علي كريمي"})
    value = case().when(command).then(intake.CaseSubmitted).identity.value
    assert value == {"national_code": GOOD, "name": "علی کریمی"}


def test_a_case_is_filed_once() -> None:
    case().given(f.submitted()).when(submit()).refused(r.CaseExists)


def test_identity_is_confirmed_once_and_not_while_other_papers_are_awaited() -> None:
    confirm = c.ConfirmIdentity(documents=("d-title_deed",))
    case().given(f.submitted()).when(confirm).then(intake.IdentityConfirmed)
    case().given(f.submitted(), f.CONFIRMED).when(confirm).refused(r.IdentityIsSettled)
    case().given(f.submitted(), f.QUESTIONED).when(confirm).refused(r.IdentityIsSettled)
    case().given(f.submitted()).when(c.ConfirmIdentity(documents=("nothing",))).refused(r.UnknownDocument)
    case().given(f.submitted()).when(c.ConfirmIdentity(documents=("d-plans",))).refused(r.UnknownDocument, "documents")
    case().given(f.submitted()).when(c.ConfirmIdentity(documents=())).refused(r.InvalidField, "documents")
    case().when(confirm).refused(r.NoSuchCase)


def test_other_papers_are_asked_for_with_a_deadline_and_brought() -> None:
    question = c.QuestionIdentity(reasons=("expired",), note="پشت کارت", person="p")
    fact = case().given(f.submitted()).when(question).then(intake.IdentityQuestioned)
    assert (fact.round, fact.deadline.working_days) == (1, 5)
    assert isinstance(fact.note, Clear)
    case().given(f.submitted()).when(c.QuestionIdentity(reasons=(), person="p")).refused(r.InvalidField, "reasons")
    case().given(f.submitted()).when(c.QuestionIdentity(reasons=("x",), person="p")).refused(r.InvalidField, "reasons")
    new = (f.ref("d-new", "title_deed", Audience.IDENTITY_CLERK),)
    answer = c.AnswerIdentity(person="p", documents=(filed("title_deed"),), stored=new)
    case().given(f.submitted(), f.QUESTIONED).when(answer).then(intake.IdentityAnswered)
    case().given(f.submitted()).when(answer).refused(r.NothingAsked)


def test_a_passed_deadline_escalates_once_while_it_is_still_open_and_never_before_it_is_due() -> None:
    escalate, due = c.EscalateIdentity(round=1), f.DUE.due_at - MONDAY
    overdue = case().given(f.submitted(), f.QUESTIONED).when(escalate, later=due).then(intake.IdentityOverdue)
    case().given(f.submitted(), f.QUESTIONED).when(escalate, later=due - timedelta(hours=3)).refused(NotDue)
    case().given(f.submitted(), f.QUESTIONED, overdue).when(escalate, later=due).refused(Stale)
    answered = intake.IdentityAnswered(round=1)
    case().given(f.submitted(), f.QUESTIONED, answered).when(escalate, later=due).refused(Stale)
    case().given(f.submitted(), f.QUESTIONED, f.WITHDRAWN).when(escalate, later=due).refused(Stale)
    again = f.QUESTIONED.model_copy(update={"round": 2})
    second = case().given(f.submitted(), f.QUESTIONED, overdue, answered, again).when(c.EscalateIdentity(round=2), later=due)
    assert second.then(intake.IdentityOverdue).round == 2


def test_what_was_sealed_must_be_what_was_handed_in() -> None:
    for stored in ((), (f.ref("d", "plans"),), (f.ref("d", "title_deed").model_copy(update={"size": 2}),)):
        case().when(submit(stored=stored)).refused(r.InvalidField, "documents")
        answer = c.AnswerIdentity(person="p", documents=(filed("title_deed"),), stored=stored)
        case().given(f.submitted(), f.QUESTIONED).when(answer).refused(r.InvalidField, "documents")
        correct = c.AnswerCorrection(answer="x", person="p", documents=(filed("title_deed"),), stored=stored)
        case().given(f.submitted(), f.CORRECTION).when(correct).refused(r.InvalidField, "documents")


def test_a_copy_is_released_once() -> None:
    release = c.ReleaseDocument(document_id="d-plans", copy_of=f.ref("c", "plans"))
    case().given(f.submitted()).when(release).then(intake.DocumentReleased)
    case().given(f.submitted(), *f.released()).when(release).refused(r.AlreadyReleased)
    missing = c.ReleaseDocument(document_id="nothing", copy_of=f.ref("c", "plans"))
    case().given(f.submitted()).when(missing).refused(r.UnknownDocument)


def test_a_reviewer_never_gets_an_identity_paper_or_an_original() -> None:
    clerk = Audience.IDENTITY_CLERK
    for document, copy in (
        ("d-title_deed", f.ref("c", "title_deed", clerk)),
        ("d-title_deed", f.ref("c", "title_deed")),
        ("d-plans", f.ref("c", "plans", clerk)),
        ("d-plans", f.ref("c", "title_deed")),
        ("d-plans", f.ref("d-plans", "plans")),
    ):
        release = c.ReleaseDocument(document_id=document, copy_of=copy)
        case().given(f.submitted()).when(release).refused(r.NotForReviewers, "document_id")


def test_an_empty_answer_does_not_stop_the_citizens_clock() -> None:
    case().given(f.submitted(), f.QUESTIONED).when(c.AnswerIdentity(person="p")).refused(r.InvalidField, "documents")
    noted = c.AnswerIdentity(person="p", note="کارت تازه")
    case().given(f.submitted(), f.QUESTIONED).when(noted).then(intake.IdentityAnswered)


def test_a_correction_is_answered_only_while_it_is_asked() -> None:
    answer = c.AnswerCorrection(answer="درست شد", person="p")
    case().given(f.submitted(), f.CORRECTION).when(answer).then(intake.CorrectionAnswered)
    case().given(f.submitted(), f.CORRECTION, f.CORRECTED).when(answer).refused(r.NothingAsked)
    empty = c.AnswerCorrection(answer="", person="p")
    case().given(f.submitted(), f.CORRECTION).when(empty).refused(r.InvalidField, "answer")


@pytest.mark.parametrize("end", [f.WITHDRAWN, f.APPROVED, f.REJECTED], ids=lambda fact: fact.TYPE)
def test_nothing_is_done_in_a_closed_case(end: Any) -> None:
    for command in (
        c.WithdrawCase(reason="sold"),
        c.ConfirmIdentity(documents=()),
        c.AnswerCorrection(answer="x", person="p"),
        c.ReleaseDocument(document_id="d-plans", copy_of=f.ref("c", "plans")),
    ):
        case().given(f.submitted(), end).when(command).refused(r.CaseIsClosed)


def test_a_certificate_is_issued_once_after_an_approval_only() -> None:
    issue = c.IssueCertificate(
        certificate_id="PK-AAAA-BBBB",
        decided_at_position="1:2",
        decided_link="0" * 64,
        issued_on=MONDAY,
        document=f.ref("x", "certificate"),
    )
    fact = case().given(f.submitted(), f.APPROVED).when(issue).then(intake.CertificateIssued)
    assert fact.valid_until == MONDAY + timedelta(days=730)
    assert fact.outcome == "permit"
    case().given(f.submitted(), f.APPROVED, fact).when(issue).refused(Stale)
    case().given(f.submitted(), f.REJECTED).when(issue).refused(Stale)


def test_openings_are_recorded_with_a_known_reason_even_in_a_closed_case() -> None:
    opening = c.OpenPapers(what=("identity",), reason="identity_check")
    case().given(f.submitted(), f.APPROVED).when(opening).then(intake.PapersOpened)
    case().given(f.submitted()).when(c.OpenPapers(what=("identity",), reason="curious")).refused(r.InvalidField, "reason")
    case().given(f.submitted()).when(c.OpenPapers(what=(), reason="identity_check")).refused(r.InvalidField, "what")


def test_an_office_is_registered_once() -> None:
    register = c.RegisterOffice(name_fa="دفتر", name_en="Office", district=1)
    fact = case().when(register).then(intake.OfficeRegistered)
    case().given(fact).when(register).refused(r.OfficeExists)
    case().when(c.RegisterOffice(name_fa="دفتر", name_en="Office", district=9)).refused(r.WrongDistrict)


def test_a_registered_office_is_changed_whole_and_no_other_one() -> None:
    registered = case().when(c.RegisterOffice(name_fa="دفتر", name_en="Office", district=1)).then(intake.OfficeRegistered)
    change = c.ChangeOffice(name_fa="دفتر نو", name_en="New office", district=4)
    fact = case().given(registered).when(change).then(intake.OfficeChanged)
    assert fact == intake.OfficeChanged(name_fa="دفتر نو", name_en="New office", district=4)
    case().given(registered, fact).when(change.model_copy(update={"district": 0})).refused(r.WrongDistrict, "district")
    case().when(change).refused(r.NoSuchOffice)
    case().given(registered, fact).when(c.RegisterOffice(name_fa="دفتر", name_en="Office", district=1)).refused(r.OfficeExists)


def test_an_office_opens_a_note_only_while_it_is_asked_and_a_certificate_only_when_there_is_one() -> None:
    note, certificate = c.OpenForApplicant(what="note"), c.OpenForApplicant(what="certificate")
    for asked in (f.QUESTIONED, f.CORRECTION):
        fact = case().given(f.submitted(), asked).when(note).then(intake.PapersOpened)
        assert (fact.what, fact.reason) == (("note",), "answer_for_applicant")
    case().given(f.submitted(), f.CORRECTION, f.CORRECTED).when(note).refused(r.NothingAsked)
    case().given(f.submitted(), f.CORRECTION, f.WITHDRAWN).when(note).refused(r.NothingAsked)
    case().given(f.submitted(), f.APPROVED).when(certificate).refused(r.UnknownDocument, "certificate")
    case().when(note).refused(r.NoSuchCase)
    issued = intake.CertificateIssued(
        certificate_id="PK-AAAA", outcome="permit", decided_at_position="1:2", decided_link="0" * 64,
        issued_on=f.DUE.due_at, document=f.ref("x", "certificate"),
    )  # fmt: skip
    fact = case().given(f.submitted(), f.APPROVED, issued).when(certificate).then(intake.PapersOpened)
    assert (fact.what, fact.reason) == (("certificate",), "certificate_for_applicant")
    assert {"answer_for_applicant", "certificate_for_applicant"} <= set(catalogue().codes["openings"])
