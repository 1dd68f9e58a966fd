"""`python -m services.review.verify_draw verify CASE`: recompute every draw of a case, from the log and the pinned keys."""

from __future__ import annotations

import asyncio
import sys

from caselog.read import reading
from chassis.runtime.witness_client import keys_by_fingerprint, load
from chassis.settings import Settings
from schemas.draws import DrawCheck, odds, recompute
from schemas.facts import decode


async def checks(settings: Settings, case_id: str) -> list[DrawCheck]:
    """The draws of a case. Raises asyncpg's errors when the log cannot be read."""
    keys = keys_by_fingerprint(load(settings.keys / "witnesses.json"))
    async with reading(settings.as_reader("review")) as log:
        facts = [(decode(f.type, f.type_version, f.body), f.link) for f in await log.stream(f"case:{case_id}")]
    return recompute(facts, keys)


def text(check: DrawCheck) -> str:
    """One draw for a terminal: pool with odds, seed, who was drawn, what is wrong."""
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


def main(arguments: list[str]) -> int:
    """Print the draws; exit code 1 when one does not hold or there is none."""
    match arguments:
        case ["verify", case_id]:
            found = asyncio.run(checks(Settings(), case_id))
            sys.stdout.write("\n".join(text(check) for check in found) + "\n" if found else "no draw in this case\n")
            return 0 if found and not any(check.faults for check in found) else 1
    sys.stderr.write("usage: python -m services.review.verify_draw verify CASE\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
