"""`python -m deploy.local run | verify | reset | rebuild | parked | service NAME ...`: the stack for a person at a terminal."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from deploy.local.external_servers import ExternalServers
from deploy.local.processes import PROCESSES
from deploy.local.subprocesses import StackError
from deploy.local.supervisor import Supervisor

VAR: Final = Path(os.environ.get("PARVANDEH_VAR", "var")).resolve()
SERVICES: Final = tuple(process.name for process in PROCESSES if process.arguments == ("serve",))
"""Whatever has rows: each of them has its checkpoints too, and may have parked something."""


def verify() -> int:
    """Re-hash the local log; its server must be up."""
    external = ExternalServers.read()
    if not external.database_answers():
        raise StackError("nothing to verify: `make run` is not up")
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PARVANDEH_DATABASE_URL": external.database_url,
        "PARVANDEH_READER_PASSWORD": json.loads((VAR / "roles.json").read_text())["audit_reader"],
    }
    return subprocess.run([sys.executable, "-m", "caselog", "verify"], env=environment, check=False).returncode


def service(name: str, arguments: list[str]) -> int:
    """Run a command of a service as its process would run: with its own passwords and keys, and no other."""
    process = next((each for each in PROCESSES if each.name == name), None)
    if process is None:
        raise StackError(f"there is no service {name}")
    server = Supervisor(VAR)
    if not server.external.database_answers():
        raise StackError("`make run` is not up")
    environment = server.services(print).environment(process)
    if arguments[0] == "rebuild":  # it makes tables, which no service may
        environment["PARVANDEH_OWNER_PASSWORD"] = server.owner_password
    return subprocess.run([sys.executable, "-m", process.module, *arguments], env=environment, check=False).returncode


def rebuild() -> int:
    """Build every projection and agenda anew from the log, while the services go on."""
    return max(service(name, ["rebuild"]) for name in SERVICES)


def parked() -> int:
    """List what every service has parked; 1 when there is anything."""
    return max(service(name, ["parked"]) for name in SERVICES)


def reset() -> int:
    """Ask, then forget the local data; the checked jars stay."""
    external = ExternalServers.read()
    if external.database:
        raise StackError("the cases are in a PostgreSQL that is given by PARVANDEH_DATABASE_URL: nothing of it is forgotten here")
    if external.database_answers():
        raise StackError("`make run` is up: stop it first")
    answer = input(f"Forget every case, key and account in {VAR}? Type yes: ")
    if answer.strip().lower() != "yes":
        print("nothing was touched")
        return 1
    for path in VAR.glob("*"):
        if path.name != "kafka-jars":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    print("forgotten")
    return 0


def main(arguments: list[str]) -> int:
    """Run one command; a StackError is one sentence and exit code 1."""
    try:
        match arguments:
            case ["run"]:
                Supervisor(VAR).run()
                return 0
            case ["rebuild"]:
                return rebuild()
            case ["parked"]:
                return parked()
            case ["service", name, *rest] if rest:
                return service(name, rest)
            case ["verify"]:
                return verify()
            case ["reset"]:
                return reset()
    except (StackError, EOFError) as error:
        print(f"parvandeh  {error or 'no answer was given'}", file=sys.stderr)
        return 1
    print("usage: python -m deploy.local run | verify | reset | rebuild | parked | service NAME ...", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
