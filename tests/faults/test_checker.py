"""The checker is tested itself: it accepts a clean history and finds each kind of fault in one that was spoiled by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from caselog.chain import ZERO_LINK, compute_link
from caselog.outcomes import EventPosition
from schemas.envelope import Position, RecordedFact, shard_of
from tests.faults.checker import Evidence, Item, Kind, Projection, Send, check, totals
from tests.faults.recorder import NEVER, Operation, Receipt, Recorder, Said, history

BEGAN = datetime(2026, 11, 23, tzinfo=UTC)
A = "case:a"
OTHER = "case:b"


def named(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def log_of(*commands: tuple[str, str, int], cause: Sequence[str] = ()) -> list[RecordedFact]:
    """A chained log: (stream, name of the command, number of its facts) in the order of appending; `cause`: what agendas did."""
    heads: dict[int, tuple[int, bytes]] = {}
    versions: dict[str, int] = {}
    made: list[RecordedFact] = []
    for stream, name, count in commands:
        for ordinal in range(count):
            shard = shard_of(stream)
            seq, prev = heads.get(shard, (0, ZERO_LINK))
            versions[stream] = versions.get(stream, 0) + 1
            fact = RecordedFact(
                log_id="00000000-0000-0000-0000-000000000001",
                epoch=1,
                shard=shard,
                seq=seq + 1,
                stream=stream,
                version=versions[stream],
                type="made.by_hand",
                type_version=1,
                recorded_at=BEGAN + timedelta(seconds=len(made)),
                actor="clerk:a",
                cause=named(name).hex() if name in cause else None,
                command=named(name),
                ordinal=ordinal,
                request=bytes(32),
                meta=b"{}",
                body=name.encode(),
                prev=prev,
                link=b"",
            )
            made.append(replace(fact, link=compute_link(fact)))
            heads[shard] = seq + 1, made[-1].link
    return sorted(made, key=lambda fact: fact.position)


def chained(facts: Sequence[RecordedFact]) -> list[RecordedFact]:
    """The facts with their links made anew: a forger who can hash."""
    heads: dict[int, bytes] = {}
    made = []
    for fact in facts:
        linked = replace(fact, prev=heads.get(fact.shard, ZERO_LINK))
        made.append(replace(linked, link=compute_link(linked)))
        heads[fact.shard] = made[-1].link
    return made


def asked(
    number: int, name: str, at: tuple[float, float], facts: Sequence[RecordedFact], *, said: Said = Said.OK, case: str = A
) -> Operation:
    """An operation `name` from `at[0]` to `at[1]`, with the receipts of its facts when it was acknowledged."""
    db = [fact for fact in facts if fact.command == named(name)] if said is Said.OK else []
    told = tuple(Receipt(fact.position, fact.link) for fact in db)
    return Operation(number, case, name, named(name), hashlib.sha256(name.encode()).hexdigest(), at[0], at[1], said, told)


def clean() -> Evidence:
    """Filed, answered and decided in one case, one filing in another; a refusal, a lost answer, an agenda, sends, two kills."""
    facts = log_of((A, "file", 2), (OTHER, "file b", 1), (A, "told", 1), (A, "answer", 1), (A, "decide", 1), cause=["told"])
    operations = [
        asked(1, "file", (0, 1), facts),
        asked(2, "file b", (0.5, NEVER), facts, said=Said.UNKNOWN, case=OTHER),  # its answer was lost, and it is there
        asked(3, "late", (1.5, 2), facts, said=Said.FAILED),
        asked(4, "answer", (2, NEVER), facts, said=Said.UNKNOWN),
        asked(5, "answer", (3, 4), facts),
        asked(6, "decide", (3.5, 5), facts),  # at the same time as the answer: either may be first
        asked(7, "never arrived", (4, NEVER), facts, said=Said.UNKNOWN),
    ]
    cause = next(fact for fact in facts if fact.command == named("file"))
    owed = Item("notify", named("told"), "send_email", cause.position, cause.link, "closed", due=True, leased=False)
    later = Item("review", named("target"), "target", cause.position, cause.link, "open", due=False, leased=False)
    held = Item("review", named("held"), "draw", cause.position, cause.link, "open", due=True, leased=True)
    key = named("told").hex()
    rows = [(fact.stream, fact.version) for fact in facts]
    return Evidence(
        operations=operations,
        facts=facts,
        projections=[Projection("rows", rows, list(rows))],
        agenda=[owed, later, held],
        sends=[Send(key, "a@example.org", "filed"), Send(key, "a@example.org", "filed")],
        handed_over=frozenset([key]),
        kills=2,
    )


def test_a_clean_history_is_accepted() -> None:
    assert check(clean()) == []
    assert totals([]) == {kind.value: 0 for kind in Kind}


def test_what_stands_before_the_run_is_not_asked_of_it() -> None:
    facts = log_of((A, "demonstration", 3), (A, "file", 1))
    spared = Evidence([asked(1, "file", (0, 1), facts)], facts, before={shard_of(A): 3})
    assert check(spared) == []
    assert {fault.kind for fault in check(replace(spared, before={}))} == {Kind.PHANTOM}


def without(seq: int) -> Evidence:
    """The case's shard without one fact, and the links of the rest made anew."""
    found = clean()
    return replace(found, facts=[fact for fact in found.facts if (fact.stream, fact.seq) != (A, seq)])


def operations(found: Evidence, number: int, **changes: object) -> Evidence:
    """`found` with one operation changed."""
    changed = [replace(each, **changes) if each.id == number else each for each in found.operations]  # type: ignore[arg-type]
    return replace(found, operations=changed)


def lost_at_the_end() -> Evidence:
    return without(max(fact.seq for fact in clean().facts if fact.stream == A))


def another_fact_where_the_receipt_points() -> Evidence:
    receipt = clean().operations[0].receipts[0]
    return operations(clean(), 1, receipts=(receipt, Receipt(receipt.position, bytes(32))))


def another_body_acknowledged_under_the_same_key() -> Evidence:
    found = clean()
    return replace(found, operations=[*found.operations, replace(found.operations[4], id=8, body="other")])


def appended_twice() -> Evidence:
    facts = log_of((A, "file", 1), (A, "answer", 1), (A, "file", 1))
    once = replace(asked(1, "file", (0, 1), facts), receipts=(Receipt(facts[0].position, facts[0].link),))
    return Evidence([once, asked(2, "answer", (0, 1), facts)], facts)


def in_two_streams() -> Evidence:
    facts = log_of((A, "file", 1), (OTHER, "file", 1))
    return Evidence([replace(asked(1, "file", (0, 1), facts), receipts=())], facts)


def an_item_carried_out_by_two_commands() -> Evidence:
    facts = log_of((A, "file", 1), (A, "told", 1), (A, "told again", 1), cause=["told", "told again"])
    facts[2] = replace(facts[2], cause=named("told").hex())
    return Evidence([asked(1, "file", (0, 1), facts)], chained(facts))


def nobody_asked() -> Evidence:
    return replace(clean(), operations=clean().operations[:-2])


def refused_and_there() -> Evidence:
    return operations(clean(), 6, said=Said.FAILED, receipts=())


def asked_in_another_case() -> Evidence:
    return operations(clean(), 6, case=OTHER)


def no_agenda_owed_it() -> Evidence:
    return replace(clean(), agenda=(clean().agenda or ())[1:])


def owed_because_of_nothing() -> Evidence:
    owed, later, held = clean().agenda or ()
    return replace(clean(), agenda=[owed, replace(later, cause=Position(later.cause.shard, 99)), held])


def asked_after_it_was_acknowledged_and_placed_before() -> Evidence:
    return operations(operations(clean(), 1, invoked=6.0, returned=7.0), 5, returned=4.0)


def a_hole_in_a_shard() -> Evidence:
    facts = log_of((A, "file", 1), (A, "answer", 1))
    return Evidence([asked(1, "answer", (0, 1), facts, said=Said.UNKNOWN)], facts[1:])


def a_version_skipped() -> Evidence:
    facts = log_of((A, "file", 1), (A, "answer", 1))
    facts = chained([facts[0], replace(facts[1], version=3)])
    return Evidence([asked(1, "file", (0, 1), facts), asked(2, "answer", (0, 1), facts)], facts)


def edited() -> Evidence:
    facts = log_of((A, "file", 1), (A, "answer", 1))
    operations = [asked(1, "file", (0, 1), facts), asked(2, "answer", (0, 1), facts)]
    return Evidence(operations, [replace(facts[0], body=b"edited"), facts[1]])


def edited_and_hashed_anew() -> Evidence:
    facts = log_of((A, "file", 1), (A, "answer", 1))
    operations = [asked(1, "file", (0, 1), facts, said=Said.UNKNOWN), asked(2, "answer", (0, 1), facts)]
    return Evidence(operations, [chained([replace(facts[0], body=b"edited")])[0], facts[1]])


def a_row_doubled() -> Evidence:
    rows = clean().projections[0].fresh
    return replace(clean(), projections=[Projection("rows", [*rows, rows[0]], rows)])


def a_row_missing() -> Evidence:
    rows = clean().projections[0].fresh
    return replace(clean(), projections=[Projection("rows", rows[1:], rows)])


def two_rows_that_changed_places() -> Evidence:
    rows = clean().projections[0].fresh
    return replace(clean(), projections=[Projection("rows", [rows[1], rows[0], *rows[2:]], rows)])


def recorded_and_never_sent() -> Evidence:
    return replace(clean(), sends=[])


def sent_and_never_recorded() -> Evidence:
    return replace(clean(), handed_over=frozenset())


def sent_again_without_a_kill() -> Evidence:
    return replace(clean(), kills=0)


def sent_again_under_another_key() -> Evidence:
    found = clean()
    return replace(
        found, sends=[*(found.sends or ()), Send("k", "a@example.org", "filed")], handed_over=found.handed_over | {"k"}
    )


def changed_item(number: int, **changes: object) -> Evidence:
    items = list(clean().agenda or ())
    items[number] = replace(items[number], **changes)  # type: ignore[arg-type]
    return replace(clean(), agenda=items)


def due_and_held_by_nobody() -> Evidence:
    return changed_item(2, leased=False)


def parked_by_a_fault() -> Evidence:
    return changed_item(2, state="parked")


def carried_out_and_still_open() -> Evidence:
    return changed_item(0, state="open", leased=True)


SPOILED: list[tuple[Callable[[], Evidence], set[Kind]]] = [
    (lost_at_the_end, {Kind.LOST}),
    (another_fact_where_the_receipt_points, {Kind.LOST}),
    (another_body_acknowledged_under_the_same_key, {Kind.LOST}),
    (appended_twice, {Kind.DOUBLED}),
    (in_two_streams, {Kind.DOUBLED, Kind.PHANTOM}),
    (an_item_carried_out_by_two_commands, {Kind.DOUBLED}),
    (nobody_asked, {Kind.PHANTOM}),
    (refused_and_there, {Kind.PHANTOM}),
    (asked_in_another_case, {Kind.PHANTOM}),
    (no_agenda_owed_it, {Kind.PHANTOM}),
    (owed_because_of_nothing, {Kind.PHANTOM}),
    (asked_after_it_was_acknowledged_and_placed_before, {Kind.ORDER}),
    (a_hole_in_a_shard, {Kind.GAP}),
    (a_version_skipped, {Kind.GAP}),
    (edited, {Kind.CHAIN}),
    (edited_and_hashed_anew, {Kind.CHAIN}),
    (a_row_doubled, {Kind.PROJECTION}),
    (a_row_missing, {Kind.PROJECTION}),
    (two_rows_that_changed_places, {Kind.PROJECTION}),
    (recorded_and_never_sent, {Kind.MESSAGE_LOST}),
    (sent_and_never_recorded, {Kind.MESSAGE_LOST}),
    (sent_again_without_a_kill, {Kind.MESSAGE_REPEATED}),
    (sent_again_under_another_key, {Kind.MESSAGE_REPEATED}),
    (due_and_held_by_nobody, {Kind.UNOWNED}),
    (parked_by_a_fault, {Kind.UNOWNED}),
    (carried_out_and_still_open, {Kind.UNOWNED}),
]


@pytest.mark.parametrize(("spoiled", "kinds"), SPOILED, ids=lambda value: getattr(value, "__name__", ""))
def test_a_spoiled_history_is_found_and_only_for_what_is_wrong_with_it(spoiled: Callable[[], Evidence], kinds: set[Kind]) -> None:
    assert {fault.kind for fault in check(spoiled())} == kinds


def test_each_kind_of_fault_is_planted() -> None:
    assert set().union(*(kinds for _, kinds in SPOILED)) == set(Kind)


def test_a_history_is_read_again_from_its_lines_and_one_without_an_answer_stays_unknown(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "history.jsonl")
    with recorder.operation(case=A, key="one", command=named("one"), body=b"x") as operation:
        operation.ok([EventPosition(Position(3, 7), 1, named("link"))])
    with recorder.operation(case=A, key="two", command=named("two"), body=b"x") as operation:
        operation.failed()
    with pytest.raises(OSError), recorder.operation(case=A, key="three", command=named("three"), body=b"x"):  # noqa: PT011
        raise OSError
    under_way = recorder.operation(case=A, key="four", command=named("four"), body=b"x")
    under_way.__enter__()
    read = history(recorder.path)
    assert [(each.key, each.said) for each in read] == [
        ("one", Said.OK),
        ("two", Said.FAILED),
        ("three", Said.UNKNOWN),
        ("four", Said.UNKNOWN),
    ]
    assert read[0].receipts == (Receipt(Position(3, 7), named("link")),)
    assert read[0].command == named("one")
    assert [each.returned == NEVER for each in read] == [False, False, True, True]
    recorder.close()
