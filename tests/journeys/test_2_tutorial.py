"""docs/tutorial.md is true: its blocks are run in order against the running house, as a reader would type them."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

from tests.conftest import ROOT
from tests.journeys.stack import Stack

BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGE = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
LIFE = (
    "case.submitted", "papers.opened", "identity.confirmed", "draw.committed", "draw.made", "material.opened",
    "inquiry.requested", "inquiry.opened", "question.opened", "inquiry.answered", "case.approved", "certificate.issued",
)  # fmt: skip
"""What the page says happens, in this order."""


async def run(script: str, var: Path) -> tuple[int, str]:
    """The exit code of a script in which the first command that fails ends it, and all that it printed."""
    child = await asyncio.create_subprocess_exec(
        "bash", "-euo", "pipefail", "-c", script, cwd=ROOT, env=os.environ | {"PARVANDEH_VAR": str(var)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    printed, _ = await asyncio.wait_for(child.communicate(), 170)
    return child.returncode or 0, printed.decode()


async def test_every_block_of_the_tutorial_works_and_the_case_lives_as_it_says(house: Stack) -> None:
    code, printed = await run("\n".join(BLOCK.findall(PAGE)), house.var)
    assert code == 0, printed
    lines = printed.splitlines()
    places = [lines.index(fact) for fact in LIFE]
    assert places == sorted(places)
    assert re.fullmatch(r"log .*: clean, \d+ facts good, 0 shards damaged", lines[-1])


async def test_a_step_whose_form_is_gone_ends_the_tutorial(house: Stack) -> None:
    helpers = BLOCK.findall(PAGE)[0]
    planted = 'echo "$intake" >"$work/x.door"; page x "$intake/citizen/sign-in" >"$work/out"; send x /gone a=b; echo not reached'
    code, printed = await run(f"{helpers}\n{planted}", house.var)
    assert code == 1
    assert printed == "there is no form /gone on this page\n"
