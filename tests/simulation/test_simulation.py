"""Thousands of histories of one case: people act in any order, facts arrive late, workers die, agendas are rebuilt.

A history that breaks a rule is shrunk and printed as the list of what people did.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from schemas.facts import inquiry, intake, notify, review
from schemas.facts.intake import Channel
from services.inquiry import commands as q
from services.intake import commands as i
from services.notify.decide import messages_for
from services.review import commands as r
from tests.services import facts as f
from tests.services.scenario import MONDAY
from tests.services.test_intake_decide import submit
from tests.simulation.world import CORES, Crash, World, allowed

SERVICES = st.sampled_from(sorted(CORES))
ENDS = (review.CaseApproved, review.CaseRejected, intake.CaseWithdrawn)


class OneCase(RuleBasedStateMachine):
    """One case and everybody who may touch it."""

    @initialize(
        kind=st.sampled_from(["site_visit", "building_permit", "bank_inquiry"]), drawn=st.booleans(), office=st.booleans()
    )
    def a_request_is_filed(self, kind: str, drawn: bool, office: bool) -> None:
        self.world, self.office = World(MONDAY), office
        by = {"channel": Channel.OFFICE, "office": "office-1", "consent": "counter_1"} if office else {"channel": Channel.PORTAL}
        self.world.ask("intake", submit(kind, **by))
        if drawn:  # from the filing alone, chance hardly ever comes as far as a decision
            self.the_clerk_confirms_and_releases()
            self.world.settle()

    def _reviewer(self) -> str:
        return str(self.world.state("review").drawn)

    @rule()
    def the_clerk_confirms_and_releases(self) -> None:
        state = self.world.state("intake")
        papers = tuple(each for each, ref in state.documents.items() if ref.audience == "identity_clerk")
        allowed(lambda: self.world.ask("intake", i.ConfirmIdentity(documents=papers)))
        for each, ref in state.documents.items():
            copy = f.ref(f"c-{each}", ref.kind)
            allowed(lambda each=each, copy=copy: self.world.ask("intake", i.ReleaseDocument(document_id=each, copy_of=copy)))  # type: ignore[misc]

    @rule()
    def the_clerk_asks_for_other_papers(self) -> None:
        allowed(lambda: self.world.ask("intake", i.QuestionIdentity(reasons=("expired",), person="p")))

    @rule(paper=st.booleans())
    def the_citizen_answers(self, paper: bool) -> None:
        note = "کارت تازه"
        allowed(lambda: self.world.ask("intake", i.AnswerIdentity(note=note, person="p")))
        allowed(lambda: self.world.ask("intake", i.AnswerCorrection(answer=note, person="p")))

    @rule(sure=st.integers(0, 5))
    def the_citizen_withdraws(self, sure: int) -> None:
        if sure:
            return  # rarely: most histories should come further
        allowed(lambda: self.world.ask("intake", i.WithdrawCase(reason="sold")))

    @rule(
        act=st.sampled_from(["correct", "inquire", "take_back", "suspend", "refuse", "approve", "reject"]),
        someone=st.sampled_from(["", "ann", "bob"]),
    )
    def a_reviewer_acts(self, act: str, someone: str) -> None:
        me = someone or self._reviewer()
        asked = self.world.state("review").inquiries
        commands: dict[str, Any] = {
            "correct": r.RequestCorrection(reviewer=me, reasons=("plans_wrong",)),
            "inquire": r.RequestInquiry(reviewer=me, inquiry_id=f"q{len(self.world.log)}", agency="fire", question="fire_safety"),
            "take_back": r.WithdrawInquiry(reviewer=me, inquiry_id=next(iter(asked), "none"), reason="not_needed"),
            "suspend": r.SuspendCase(reviewer=me, reason="article_100"),
            "refuse": r.RefuseAssignment(reviewer=me, reason="relative"),
            "approve": r.ApproveCase(reviewer=me),
            "reject": r.RejectCase(reviewer=me, reasons=("unsafe",)),
        }
        before = self.world.state("review")
        if allowed(lambda: self.world.ask("review", commands[act])):
            assert me == before.drawn, "somebody who was not drawn has acted"
            if act in ("approve", "reject"):
                open_still = before.correction_open or any(before.inquiries.values()) or before.suspended
                assert not open_still, "a decision over an open question"

    @rule()
    def the_supervisor_lets_it_go_on(self) -> None:
        allowed(lambda: self.world.ask("review", r.ResumeCase(reason="violation_settled")))

    @rule()
    def the_agency_answers(self) -> None:
        for each in self.world.state("inquiry").inquiries:
            command = q.AnswerInquiry(agency="fire", inquiry_id=each, answer="no_objection")
            allowed(lambda command=command: self.world.ask("inquiry", command))  # type: ignore[misc]

    @rule(hours=st.sampled_from([1, 5, 24, 24 * 8, 24 * 30]))
    def time_passes(self, hours: int) -> None:
        self.world.pass_time(hours)

    @rule(service=SERVICES, count=st.integers(1, 12))
    def facts_arrive(self, service: str, count: int) -> None:
        self.world.deliver(service, count)

    @rule(service=SERVICES, crash=st.sampled_from(Crash), which=st.integers(0, 3))
    def a_worker_works(self, service: str, crash: Crash, which: int) -> None:
        if due := self.world.due(service):
            entry = due[which % len(due)]
            self.world.work(service, entry, crash)
            if crash is not Crash.NOWHERE and entry.open:
                self.world.work(service, entry)  # the lease ended before the reader saw anything: another one takes over

    @rule(service=SERVICES)
    def an_agenda_is_built_anew(self, service: str) -> None:
        self.world.rebuild(service)

    @rule()
    def everything_settles(self) -> None:
        self.world.settle()

    @invariant()
    def what_must_hold_holds(self) -> None:
        if not hasattr(self, "world"):
            return
        facts = [fact for _, fact in self.world.log]
        ends = [number for number, fact in enumerate(facts) if isinstance(fact, ENDS)]
        assert len(ends) <= 1, "the case ended twice"
        if ends:
            after = [fact for fact in facts[ends[0] + 1 :] if isinstance(fact, review.ReviewFact | inquiry.InquiryOpened)]
            assert not after, "somebody went on after the end"
        commands = Counter(recorded.command for recorded, fact in self.world.log if recorded.ordinal == 0)
        assert max(commands.values()) == 1, "a command was carried out twice"
        overdue = Counter(
            (type(fact), getattr(fact, "round", None), getattr(fact, "inquiry_id", None))
            for recorded, fact in self.world.log
            if (due := getattr(fact, "due_at", None)) and due <= recorded.recorded_at
        )
        assert not overdue or max(overdue.values()) == 1, "a deadline passed twice"
        for recorded, fact in self.world.log:
            if due := getattr(fact, "due_at", None):
                assert due <= recorded.recorded_at, "a deadline passed before its time"

    def teardown(self) -> None:
        """Nobody does anything any more; a year later nothing is open that nobody owns."""
        if not hasattr(self, "world"):
            return
        self.world.settle()
        self.world.pass_time(24 * 365)
        self.world.settle()
        self.what_must_hold_holds()
        facts = [fact for _, fact in self.world.log]
        for kind in {type(fact) for fact in facts}:
            event(kind.TYPE)  # shown by --hypothesis-show-statistics: how far the histories come
        approved = sum(isinstance(fact, review.CaseApproved) for fact in facts)
        assert sum(isinstance(fact, intake.CertificateIssued) for fact in facts) == approved
        told = Counter((fact.about, fact.channel, fact.recipient) for fact in facts if isinstance(fact, notify.MessageSent))
        owed = Counter(
            (str(recorded.position), each.channel, recipient)
            for recorded, fact in self.world.log
            for each in messages_for(fact)
            for recipient in (("applicant", "office") if self.office and each.channel == "inapp" else ("applicant",))
        )
        assert told == owed, "a message was lost or told twice"
        assert max(Counter(self.world.sent).values()) <= 1 + self.world.crashes, "more sends than crashes explain"
        for service in CORES:
            assert not self.world.due(service), f"{service} owes what nobody carries out"
        opened = [fact for fact in facts if isinstance(fact, intake.IdentityQuestioned)]
        state = self.world.state("intake")
        if opened and state.identity_open and self.world.at > opened[-1].deadline.due_at:
            late = [fact for fact in facts if isinstance(fact, intake.IdentityOverdue) and fact.round == opened[-1].round]
            assert len(late) == 1, "an open deadline passed and nobody was told"


TestOneCase = OneCase.TestCase
TestOneCase.settings = settings(
    max_examples=1_500, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
