"""Thousands of histories of one case and its neighbours, on the product's own inbox, rows, agenda and domain.

People act in any order; the bus drops, repeats, swaps, rewinds, damages and forges; processes are killed or freeze between any
two steps; what was built is thrown away and built again. A history that breaks a rule is shrunk and printed as a story.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, settings
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
from tests.simulation.bus import Lie
from tests.simulation.life import City, Fate
from tests.simulation.services import READERS
from tests.simulation.world import CASE, CORES, ELSEWHERE, NEIGHBOUR, UNKNOWN, World, allowed

READING = st.sampled_from(sorted(READERS))
LIES = st.lists(st.sampled_from(Lie), max_size=3)
HISTORIES = int(os.environ.get("HISTORIES", "500"))
"""`make faults` runs thousands; the product itself runs here, about 25 ms a history."""
pytestmark = pytest.mark.timeout(300 + HISTORIES // 10)  # a story takes minutes to be shrunk
COUNT, FATES, STEPS = st.integers(1, 12), st.sampled_from(Fate), st.integers(0, 40)
BEHIND = st.runner().flatmap(lambda self: st.sampled_from(self.world.behind()))
BUSY = st.runner().flatmap(lambda self: st.sampled_from(self.world.busy() or list(CORES)))
"""Chance alone hardly ever meets a service that has something to do."""
ENDS = (review.CaseApproved, review.CaseRejected, intake.CaseWithdrawn)


class OneCase(RuleBasedStateMachine):
    """One case and everybody who may touch it."""

    @initialize(
        kind=st.sampled_from(["site_visit", "building_permit", "bank_inquiry"]),
        drawn=st.sampled_from([True, True, False]),
        office=st.booleans(),
    )
    def a_request_is_filed(self, kind: str, drawn: bool, office: bool) -> None:
        self.city = City()
        self.world, self.office = World(MONDAY, self.city), office
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

    @rule(sure=st.integers(0, 15))
    def the_citizen_withdraws(self, sure: int) -> None:
        if sure != 7:
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
            "inquire": r.RequestInquiry(
                reviewer=me, inquiry_id=f"q{len(self.world.log.facts)}", agency="fire", question="fire_safety"
            ),
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

    @rule(stream=st.sampled_from([NEIGHBOUR, ELSEWHERE]))
    def somebody_else_files(self, stream: str) -> None:
        allowed(lambda: self.world.ask("intake", submit("site_visit", channel=Channel.PORTAL), stream=stream))

    @rule()
    def a_newer_program_writes(self) -> None:
        self.world.a_newer_program_writes()

    @rule()
    def the_next_reply_of_the_log_is_lost(self) -> None:
        self.world.log.loses_the_next_reply = True

    @rule(service=BEHIND, count=COUNT, lies=LIES, fate=FATES, steps=STEPS)
    def the_bus_brings(self, service: str, count: int, lies: list[Lie], fate: Fate, steps: int) -> None:
        self.world.deliver(service, count, lies, fate, steps)

    @rule(service=READING)
    def a_service_looks_at_the_log(self, service: str) -> None:
        self.world.watch(service)

    @rule(service=BUSY, fate=FATES, steps=STEPS)
    def a_worker_works(self, service: str, fate: Fate, steps: int) -> None:
        if not self.world.work(service, fate, steps):
            self.world.lease_ends()
            self.world.work(service)  # another takes over, before any reader has seen what the first one did

    @rule()
    def who_froze_goes_on(self) -> None:
        self.world.thaw()

    @rule(service=READING, keeps_its_rows=st.booleans())
    def a_service_reads_everything_again(self, service: str, keeps_its_rows: bool) -> None:
        if keeps_its_rows:
            self.world.read_again(service)
        else:
            self.world.rebuild(service)

    @rule()
    def everything_settles(self) -> None:
        self.world.settle()

    @invariant()
    def what_must_hold_holds(self) -> None:
        if not hasattr(self, "world"):
            return
        self.world.check()
        of_the_case = [(recorded, fact) for recorded, fact in self.world.log.facts if recorded.stream == CASE]
        facts = [fact for _, fact in of_the_case]
        ends = [number for number, fact in enumerate(facts) if isinstance(fact, ENDS)]
        assert len(ends) <= 1, "the case ended twice"
        if ends:
            after = [fact for fact in facts[ends[0] + 1 :] if isinstance(fact, review.ReviewFact | inquiry.InquiryOpened)]
            assert not after, "somebody went on after the end"
        commands = Counter(recorded.command for recorded, fact in self.world.log.facts if recorded.ordinal == 0)
        assert max(commands.values()) == 1, "a command was carried out twice"
        overdue = Counter(
            (type(fact), getattr(fact, "round", None), getattr(fact, "inquiry_id", None))
            for recorded, fact in of_the_case
            if (due := getattr(fact, "due_at", None)) and due <= recorded.recorded_at
        )
        assert not overdue or max(overdue.values()) == 1, "a deadline passed twice"
        for recorded, fact in self.world.log.facts:
            if due := getattr(fact, "due_at", None):
                assert due <= recorded.recorded_at, "a deadline passed before its time"

    def teardown(self) -> None:
        """Nobody does anything any more; a year later nothing is open that nobody owns."""
        if not hasattr(self, "world"):
            return
        try:
            self._a_year_later()
        finally:
            self.city.close()

    def _a_year_later(self) -> None:
        self.world.settle()
        self.world.pass_time(24 * 365)
        self.world.settle()
        self.what_must_hold_holds()
        facts = [fact for _, fact in self.world.log.facts]
        for kind in {type(fact) for fact in facts}:
            event(kind.TYPE)  # shown by --hypothesis-show-statistics: how far the histories come
        approved = sum(isinstance(fact, review.CaseApproved) for fact in facts)
        assert sum(isinstance(fact, intake.CertificateIssued) for fact in facts) == approved
        told = Counter((fact.about, fact.channel, fact.recipient) for fact in facts if isinstance(fact, notify.MessageSent))
        owed = Counter(
            (str(recorded.position), each.channel, recipient)
            for recorded, fact in self.world.log.facts
            for each in messages_for(fact)
            for recipient in self._recipients(recorded.stream, each.channel)
        )
        assert told == owed, "a message was lost or told twice"
        most = 1 + self.world.ended + self.world.log.replies_lost
        assert max(Counter(self.world.sent).values()) <= most, "more sends than crashes explain"
        for service in CORES:
            assert not self.world.due(service), f"{service} owes what nobody carries out"
        for service in READERS:
            parked = {stream for _, stream in self.world.services[service].database.parked}
            assert parked == ({UNKNOWN} if self.world.newer else set()), f"{service}: what cannot be read is parked, and it alone"
        self._an_open_deadline_was_told(facts)

    def _recipients(self, stream: str, channel: str) -> tuple[str, ...]:
        return ("applicant", "office") if self.office and channel == "inapp" and stream == CASE else ("applicant",)

    def _an_open_deadline_was_told(self, facts: list[Any]) -> None:
        opened = [fact for fact in facts if isinstance(fact, intake.IdentityQuestioned)]
        state = self.world.state("intake")
        if opened and state.identity_open and self.world.at > opened[-1].deadline.due_at:
            late = [fact for fact in facts if isinstance(fact, intake.IdentityOverdue) and fact.round == opened[-1].round]
            assert len(late) == 1, "an open deadline passed and nobody was told"


TestOneCase = OneCase.TestCase
TestOneCase.settings = settings(
    max_examples=HISTORIES,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
    report_multiple_bugs=False,
    phases=(Phase.reuse, Phase.generate, Phase.shrink),
)
