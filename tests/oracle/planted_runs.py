"""`python -m tests.oracle.planted_runs PATCH... -`: runs, for each patch, the test that it names in a copy with the bug planted.

A dash stands for the sound copy, in which all the named tests run. What came of each is a line of JSON on standard output, in
the order in which they end.

Each run is a fork of this process, which has imported every package of others that the tests use, and nothing of ours: that is
imported from the copy. Most of them use a PostgreSQL that stands for all; what strikes servers starts its own.
"""

from __future__ import annotations

import gc
import importlib
import importlib.metadata
import json
import os
import re
import signal
import sys
import tempfile
import time
import traceback
import types
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, NoReturn

import pytest

from deploy.local import roles
from deploy.local.postgres import Postgres
from deploy.local.subprocesses import POLL_SECONDS, die_with_parent
from tests.oracle.copies import LENT, ROOT, Copy, named

AT_ONCE: Final = 2
"""A bug is mostly caught by waiting for what never comes."""
SECONDS: Final = 120
SOUND_SECONDS: Final = 300
"""The sound copy runs all the named tests, with planted ones beside it."""
SOUND: Final = "-"
OURS: Final = ("schemas", "caselog", "chassis", "services", "deploy", "tests")
SEEN: Final = ("schemas", "caselog", "chassis", "services", "deploy/local", "deploy/kafka", "deploy/witness", "tests")
NOT_SEEN: Final = ("tests/journeys", "tests/bench", "tests/docs")
STRIKE: Final = ("tests/faults/", "tests/stack/")
"""Tests that strike or start servers: each has its own."""


@dataclass(frozen=True)
class Outcome:
    """Why a patch could not be applied, or how its run ended (None: it did not within its time) and what it said last."""

    patch: str
    misfit: str = ""
    code: int | None = None
    said: str = ""


def preload() -> None:
    """Import every package of others that is named in the modules that the tests may import."""
    imports = re.compile(r"^\s*(?:from|import) ([a-zA-Z_][\w.]*)", re.MULTILINE)
    found: set[str] = set()
    for path in (path for layer in SEEN for path in (ROOT / layer).rglob("*.py")):
        if not path.relative_to(ROOT).as_posix().startswith(NOT_SEEN):
            found.update(imports.findall(path.read_text(encoding="utf-8")))
    for name in sorted(found):
        if name.split(".")[0] not in {*OURS, *sys.stdlib_module_names}:
            with suppress(ImportError):  # a word of a sentence, or a package of another system
                importlib.import_module(name)
    for plugin in importlib.metadata.entry_points(group="pytest11"):
        plugin.load()
    gc.collect()
    gc.freeze()


def become_tests(copy: Copy, tests: list[str], said: Path, lent: Path | None) -> NoReturn:
    """In the fork: run the tests of the copy, and end with pytest's code."""
    code = 70
    try:
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with said.open("wb") as out:
            for descriptor in (1, 2):
                os.dup2(out.fileno(), descriptor)
        os.chdir(copy.tree)
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        if lent:
            os.environ[LENT] = str(lent)
        for name in [name for name in sys.modules if name.split(".")[0] in OURS]:
            del sys.modules[name]
        sys.modules["__main__"] = types.ModuleType("__main__")  # a process that multiprocessing spawns would import ours
        sys.path[:] = [str(copy.tree), *(each for each in sys.path if Path(each).resolve() != ROOT)]
        sys.argv = ["pytest"]
        sys.dont_write_bytecode = True
        code = int(pytest.main(["-q", "-x", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning", *tests]))
    except BaseException:  # noqa: BLE001 - the fork ends here, whatever it was, and the outcome says what
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


@dataclass
class Run:
    """One fork at work in one copy."""

    patch: str
    copy: Copy
    said: Path
    pid: int
    until: float

    def ended(self) -> Outcome | None:
        """What came of it, when it is over; one that takes too long is killed."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        late = not pid and time.monotonic() > self.until
        if not pid and not late:
            return None
        if late:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        if self.patch != SOUND:
            self.copy.restore(Path(self.patch))
        code = None if late else os.waitstatus_to_exitcode(status)
        return Outcome(self.patch, code=code, said=self.said.read_text(errors="replace")[-6000:])

    def stop(self, seconds: float = 20.0) -> None:
        """SIGTERM, on which pytest takes down what its tests started."""
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGTERM)
            until = time.monotonic() + seconds
            while not os.waitpid(self.pid, os.WNOHANG)[0]:
                if time.monotonic() > until:
                    os.kill(self.pid, signal.SIGKILL)
                time.sleep(POLL_SECONDS)  # asked again until it has ended


class Runs:
    """All that was asked for: `AT_ONCE` of them at a time, each in a copy that nobody else uses now."""

    def __init__(self, directory: Path, patches: list[str]) -> None:
        self._directory = directory
        self._waiting = list(patches)
        self._working: list[Run] = []
        self._copies = [Copy(directory / str(number)) for number in range(min(AT_ONCE, len(patches)))]

    def outcomes(self, lent: list[Path]) -> Iterator[Outcome]:
        """What came of each, as soon as it is known. `lent`: the directory of a server for each copy."""
        while self._waiting or self._working:
            for copy, stack in zip(self._copies, lent, strict=True):
                if self._waiting and all(run.copy is not copy for run in self._working):
                    misfit = self._begin(copy, stack, self._waiting.pop(0))
                    if misfit:
                        yield misfit
            for run in list(self._working):
                outcome = run.ended()
                if outcome:
                    self._working.remove(run)
                    yield outcome
            time.sleep(POLL_SECONDS)  # each is asked again whether it has ended

    def _begin(self, copy: Copy, lent: Path, patch: str) -> Outcome | None:
        if patch == SOUND:
            tests, seconds = sorted({named(each) for each in (ROOT / "tests/oracle/planted").glob("*.patch")}), SOUND_SECONDS
        else:
            tests, seconds = [named(Path(patch))], SECONDS
            misfit = copy.plant(Path(patch))
            if misfit:
                copy.restore(Path(patch))
                return Outcome(patch, misfit)
        said = self._directory / f"{len(self._waiting)}.said"
        own = any(test.startswith(STRIKE) for test in tests)
        die = die_with_parent(signal.SIGTERM)
        pid = os.fork()
        if not pid:
            os.setsid()
            if die:
                die()
            become_tests(copy, tests, said, None if own else lent)
        self._working.append(Run(patch, copy, said, pid, time.monotonic() + seconds))
        return None

    def stop(self) -> None:
        for run in self._working:
            run.stop()


class Ended(Exception):
    """SIGTERM came."""


def end(number: int, _frame: types.FrameType | None) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)
    raise Ended


def lend(directory: Path, stack: ExitStack) -> Path:
    """Start a server whose directory the runs in one copy are given."""
    directory.mkdir()
    directory.chmod(0o755)  # PostgreSQL runs as a user of its own when we are root
    server = Postgres(directory / "postgres")
    server.start()
    stack.callback(server.kill)  # nothing of it is needed any more
    (directory / "port").write_text(str(server.port))
    roles.passwords(directory / "roles.json")
    return directory


def main(patches: list[str]) -> None:
    signal.signal(signal.SIGTERM, end)
    with suppress(Ended), tempfile.TemporaryDirectory(prefix="parvandeh-planted-") as name, ExitStack() as stack:
        directory = Path(name)
        directory.chmod(0o755)
        for number in range(AT_ONCE):
            (directory / str(number)).mkdir()
        runs = Runs(directory, patches)
        preload()
        lent = [lend(directory / f"lent{number}", stack) for number in range(min(AT_ONCE, len(patches)))]
        stack.callback(runs.stop)
        for outcome in runs.outcomes(lent):
            print(json.dumps(asdict(outcome)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
