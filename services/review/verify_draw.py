"""`python -m services.review.verify_draw`: recompute every draw of a case, from the log and the pinned keys."""

from __future__ import annotations

import sys
from typing import Annotated

import asyncpg
import typer

from caselog.read import reading
from chassis.settings import Settings, Unset
from schemas.command_line import command_line, run
from schemas.draws import DrawCheck, odds, recompute
from schemas.facts import decode
from schemas.witnesses import keys_by_fingerprint, load

app = command_line("The draws of a case, recomputed.")


async def checks(settings: Settings, case_id: str) -> list[DrawCheck]:
    """The draws of a case. Raises asyncpg's errors when the log cannot be read."""
    keys = keys_by_fingerprint(load(settings.keys / "witnesses.json"))
    async with reading(settings.as_reader("review")) as log:
        facts = [(decode(f.type, f.type_version, f.body), f.link) for f in await log.stream(f"case:{case_id}")]
    return recompute(facts, keys)


def text(check: DrawCheck) -> str:
    """One draw on a terminal: pool with odds, seed, who was drawn, faults."""
    lines = [f"{check.stage} round {check.round}: commitment {check.link.hex()}"]
    lines += [f"  {alias}  {share}" for alias, share in odds(check.committed.pool).items()]
    lines += [f"  excluded {each.alias}: {each.reason}" for each in check.committed.exclusions]
    if check.made is None:
        lines.append("  not drawn yet: a witness' signature is missing")
    else:
        lines.append(f"  witnesses {', '.join(each.name for each in check.made.signatures)}; seed {check.made.seed}")
        lines.append(f"  drawn {check.made.drawn}")
    lines.append(f"  {'BAD ' + ', '.join(check.faults) if check.faults else 'OK'}")
    return "\n".join(lines)


@app.command()
async def verify(case: Annotated[str, typer.Argument(metavar="CASE", help="Its id.")]) -> int:
    """Recompute every draw of a case from the log and the pinned keys of the witnesses.

    Exit code 1: one does not hold, or there is none.
    """
    found = await checks(Settings.from_environment(), case)
    sys.stdout.write("\n".join(text(check) for check in found) + "\n" if found else "no draw in this case\n")
    return 0 if found and not any(check.faults for check in found) else 1


def main(arguments: list[str]) -> int:
    """The exit code of one command; 2 with one sentence when a setting is missing or the log cannot be read."""
    try:
        return run(app, "python -m services.review.verify_draw", arguments)
    except (Unset, asyncpg.PostgresError, OSError) as error:
        reason = error if isinstance(error, Unset) else f"the log or the witnesses' keys cannot be read ({type(error).__name__})"
        sys.stderr.write(f"nothing was verified: {reason}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
