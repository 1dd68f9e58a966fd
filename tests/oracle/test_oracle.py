"""The tests are tested: each planted bug is caught by the test that its patch names, on a copy of the tree.

A patch begins with `Caught by <test>`. Nothing of it is in the product: no switch, no flag.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import IO

import pytest

from deploy.local.subprocesses import die_with_parent, stop
from tests.conftest import ROOT
from tests.oracle.planted_runs import SOUND, SOUND_SECONDS, Outcome

PLANTED = sorted((ROOT / "tests/oracle/planted").glob("*.patch"))


def listen(said: IO[str], outcomes: Mapping[str, Future[Outcome]]) -> None:
    """Give each outcome to who waits for it. Whoever is left when the runs have ended hears that."""
    for line in said:
        outcome = Outcome(**json.loads(line))
        outcomes[outcome.patch].set_result(outcome)
    for each in outcomes.values():
        if not each.done():
            each.set_exception(RuntimeError("the planted runs ended before this one"))


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest) -> Iterator[Mapping[str, Future[Outcome]]]:
    """What became of each chosen patch, and of the sound copy, if it was chosen too."""
    users = [item for item in request.session.items if "outcomes" in getattr(item, "fixturenames", ())]
    chosen = [str(item.callspec.params["patch"]) if hasattr(item, "callspec") else SOUND for item in users]
    running: dict[str, Future[Outcome]] = {each: Future() for each in chosen}
    command = [sys.executable, "-m", "tests.oracle.planted_runs", *chosen]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=die_with_parent(signal.SIGTERM)
    ) as runs:
        assert runs.stdout is not None
        listener = threading.Thread(target=listen, args=(runs.stdout, running))
        listener.start()
        yield running
        stop(runs, signal.SIGTERM, 45.0)  # Ctrl-C: what its tests started is taken down first
        listener.join()


@pytest.mark.timeout(SOUND_SECONDS + 60)
def test_there_are_enough_and_the_copy_passes_unpatched(outcomes: Mapping[str, Future[Outcome]]) -> None:
    assert len(PLANTED) >= 12
    sound = outcomes[SOUND].result()
    assert sound.code == 0, sound.said


@pytest.mark.parametrize("patch", PLANTED, ids=lambda patch: patch.stem)
def test_a_planted_bug_is_caught_by_the_test_that_it_names(outcomes: Mapping[str, Future[Outcome]], patch: Path) -> None:
    caught = outcomes[str(patch)].result()
    assert not caught.misfit, f"the patch no longer fits the code: {caught.misfit}"
    assert caught.code == 1, caught.said  # 1: tests ran and failed; no other code will do
    assert "1 failed" in caught.said
