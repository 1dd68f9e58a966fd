"""A draw is fair by weight, the same for everyone who recomputes it, and every altered part is found."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from schemas.draws import CODE_VERSION, drawn, faults, fingerprint, is_genuine, odds, recompute, seed, sign
from schemas.facts.review import AssignmentRefused, Candidate, DrawCommitted, DrawMade, WitnessKey

LINK = hashlib.sha256(b"commitment").digest()


@cache
def keys() -> tuple[rsa.RSAPrivateKey, rsa.RSAPrivateKey]:
    return rsa.generate_private_key(65537, 3072), rsa.generate_private_key(65537, 3072)


def pinned() -> dict[str, rsa.RSAPublicKey]:
    return {fingerprint(key.public_key()): key.public_key() for key in keys()}


def committed(round_: int = 1, size: int = 4) -> DrawCommitted:
    return DrawCommitted(
        stage="technical_review",
        round=round_,
        pool=tuple(Candidate(alias=f"r{n}", weight=n + 1) for n in range(size)),
        code_version=CODE_VERSION,
        witnesses=tuple(WitnessKey(name=f"w{n}", fingerprint=fingerprint(key.public_key())) for n, key in enumerate(keys())),
    )


def made(for_: DrawCommitted, link: bytes = LINK) -> DrawMade:
    signatures = tuple(sign(key, f"w{n}", link) for n, key in enumerate(keys()))
    from_seed = seed(link, signatures)
    return DrawMade(
        stage=for_.stage, round=for_.round, commitment=link.hex(), signatures=signatures, seed=from_seed.hex(),
        drawn=drawn(for_.pool, from_seed),
    )  # fmt: skip


def test_an_honest_draw_has_no_fault_and_is_always_the_same() -> None:
    assert faults(committed(), LINK, made(committed()), pinned()) == []
    assert made(committed()) == made(committed())


def test_the_order_in_which_witnesses_answer_does_not_matter() -> None:
    one = made(committed())
    assert seed(LINK, one.signatures) == seed(LINK, one.signatures[::-1])


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"stage": "final_approval"}, "other_stage_or_round"),
        ({"round": 2}, "other_stage_or_round"),
        ({"commitment": "00" * 32}, "other_commitment"),
        ({"seed": "00" * 32}, "wrong_seed"),
        ({"drawn": "nobody"}, "wrong_candidate"),
        ({"signatures": ()}, "signatures_do_not_match_witnesses"),
    ],
)
def test_every_altered_part_is_found(changes: dict[str, object], fault: str) -> None:
    assert fault in faults(committed(), LINK, made(committed()).model_copy(update=changes), pinned())


def test_a_wrong_a_missing_a_doubled_and_an_unknown_signature_are_found() -> None:
    good = made(committed())
    one, two = good.signatures
    other = sign(keys()[0], "w0", bytes(32))
    assert "wrong_signature w0" in faults(committed(), LINK, good.model_copy(update={"signatures": (other, two)}), pinned())
    for signatures in ((one,), (one, one), (one, two, two)):
        altered = good.model_copy(update={"signatures": signatures})
        assert "signatures_do_not_match_witnesses" in faults(committed(), LINK, altered, pinned())
    only_one = {one.fingerprint: pinned()[one.fingerprint]}
    assert "unknown_witness w1" in faults(committed(), LINK, good, only_one)


def test_another_pool_than_the_committed_one_cannot_be_used_since_the_link_binds_it() -> None:
    other = committed().model_copy(update={"pool": (*committed().pool[1:], Candidate(alias="friend", weight=1000))})
    assert "other_commitment" in faults(other, hashlib.sha256(b"other").digest(), made(committed()), pinned())


def test_an_empty_pool_a_zero_weight_and_a_doubled_candidate_are_refused() -> None:
    for pool in ((), (Candidate(alias="a", weight=0),)):
        with pytest.raises(ValueError, match="pool"):
            drawn(pool, bytes(32))
        assert "bad_pool" in faults(committed().model_copy(update={"pool": pool}), LINK, made(committed()), pinned())
    twice = committed().model_copy(update={"pool": (Candidate(alias="a", weight=1),) * 2})
    assert "candidate_twice" in faults(twice, LINK, made(committed()), pinned())


def test_no_witness_at_all_is_no_draw() -> None:
    alone = committed().model_copy(update={"witnesses": ()})
    nobody = made(committed()).model_copy(update={"signatures": ()})
    assert "signatures_do_not_match_witnesses" in faults(alone, LINK, nobody, pinned())


def test_the_draw_follows_the_weights() -> None:
    start = random.randrange(1 << 32)
    print("seed", start)
    chance, pool, rounds = random.Random(start), committed().pool, 20_000
    counts = Counter(drawn(pool, chance.randbytes(32)) for _ in range(rounds))
    expected = {alias: float(share) * rounds for alias, share in odds(pool).items()}
    chi_square = sum((counts[alias] - wanted) ** 2 / wanted for alias, wanted in expected.items())
    assert chi_square < 30, (counts, expected)  # 3 degrees of freedom: exceeded by chance less than once in 700,000 runs


@given(st.binary(min_size=32, max_size=32), st.lists(st.integers(1, 1 << 40), min_size=1, max_size=20))
def test_whoever_is_drawn_stands_in_the_pool(from_seed: bytes, weights: list[int]) -> None:
    pool = [Candidate(alias=str(n), weight=weight) for n, weight in enumerate(weights)]
    assert drawn(pool, from_seed) in {candidate.alias for candidate in pool}
    assert sum(odds(pool).values()) == 1


def test_a_signature_has_one_form_only() -> None:
    one = sign(keys()[0], "w0", LINK)
    assert one == sign(keys()[0], "w0", LINK)
    assert is_genuine(keys()[0].public_key(), one, LINK)
    assert not is_genuine(keys()[0].public_key(), one, bytes(32))
    assert not is_genuine(keys()[1].public_key(), one, LINK)
    assert not is_genuine(keys()[0].public_key(), one.model_copy(update={"signature": "!"}), LINK)


def test_a_second_round_needs_a_refusal_and_a_round_is_committed_once() -> None:
    first, second = committed(), committed(2)
    refusal = AssignmentRefused(stage="technical_review", round=1, reason="relative")
    link = hashlib.sha256(b"second").digest()
    history: list[tuple[object, bytes]] = [(first, LINK), (made(first), bytes(32)), (refusal, bytes(32)), (second, link)]
    checks = recompute([*history, (made(second, link), bytes(32))], pinned())
    assert [(check.round, check.faults, check.made is not None) for check in checks] == [(1, (), True), (2, (), True)]
    assert recompute(history, pinned())[1].made is None
    without = [each for each in history if each[0] is not refusal]
    assert recompute(without, pinned())[1].faults == ("round_without_refusal",)
    assert "committed_twice" in recompute([*history, (first, link)], pinned())[0].faults
    assert any(
        "draw_without_commitment" in fault for fault in recompute([(first, LINK), (made(second), LINK)], pinned())[0].faults
    )
