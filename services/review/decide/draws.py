"""The reviewer of a case: the pool, the draw from it, and an assignment that ends (design.md section 6, The draw). Pure."""

from __future__ import annotations

from typing import Final

from chassis.refusal import Stale
from schemas.draws import CODE_VERSION, drawn, seed
from schemas.envelope.fact import Fact
from schemas.facts import review
from services.review import commands as c
from services.review.decide.checks import code, yours
from services.review.decide.state import State
from services.review.refusals import InvalidField, NobodyToDraw, WitnessMissing

LEFT: Final = "left"
"""The reason when a reviewer can no longer be drawn; nobody can give it for themselves."""


def draw(command: c.CommitDraw | c.MakeDraw | c.RefuseAssignment | c.TakeBack, state: State) -> list[Fact]:
    """The steps of a draw. Raises Stale, NobodyToDraw, WitnessMissing, InvalidField, or what `yours` raises."""
    if isinstance(command, c.RefuseAssignment):
        yours(state, command.reviewer)
        reason = code("refusals", command.reason, "reason")
        return [review.AssignmentRefused(stage=state.stage, round=state.round, reason=reason)]
    if not state.request_type or state.ended:
        raise Stale
    match command:
        case c.TakeBack():
            if not state.drawn or state.round != command.round:
                raise Stale
            return [review.AssignmentRefused(stage=state.stage, round=state.round, reason=code("departures", LEFT, "reason"))]
        case c.CommitDraw():
            if not state.confirmed or (state.round and state.refused_round != state.round):
                raise Stale
            if not command.pool or not command.witnesses:
                raise WitnessMissing if command.pool else NobodyToDraw
            _fair(command)
            return [
                review.DrawCommitted(
                    stage=state.stage,
                    round=state.round + 1,
                    pool=command.pool,
                    exclusions=command.exclusions,
                    code_version=CODE_VERSION,
                    witnesses=command.witnesses,
                )
            ]
        case c.MakeDraw():
            if state.pool is None or state.round != command.round or state.drawn or state.refused_round == state.round:
                raise Stale
            # Other witnesses than those named with the pool would let one draw again until the seed suits.
            if sorted(w.fingerprint for w in state.pool.witnesses) != sorted(s.fingerprint for s in command.signatures):
                raise WitnessMissing
            from_seed = seed(bytes.fromhex(command.commitment), command.signatures)
            return [
                review.DrawMade(
                    stage=state.stage,
                    round=state.round,
                    commitment=command.commitment,
                    signatures=command.signatures,
                    seed=from_seed.hex(),
                    drawn=drawn(state.pool.pool, from_seed),
                )
            ]


def _fair(command: c.CommitDraw) -> None:
    """Nobody is in a pool twice or with zero weight: the published odds would differ from those of the draw."""
    aliases = [each.alias for each in command.pool] + [each.alias for each in command.exclusions]
    if len(set(aliases)) != len(aliases) or any(each.weight < 1 for each in command.pool):
        raise InvalidField("pool")
