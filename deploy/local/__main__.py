"""`python -m deploy.local`: the stack for a person at a terminal."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from deploy.local.external_servers import ExternalServers
from deploy.local.processes import PROCESSES
from deploy.local.subprocesses import StackError
from deploy.local.supervisor import Supervisor
from schemas.command_line import command_line, run

VAR: Final = Path(os.environ.get("PARVANDEH_VAR", "var")).resolve()
SERVICES: Final = tuple(process.name for process in PROCESSES if process.arguments == ("serve",))
"""The services with rows: each has checkpoints, and may have parked something."""
app = command_line("The stack on this machine, at a terminal. `make` has shorter commands for it.")


@app.command("run")
def start() -> None:
    """Start PostgreSQL, Kafka and every service; Ctrl-C stops them."""
    Supervisor(VAR).run()


@app.command()
def verify() -> int:
    """Re-hash the local log; its server must be up."""
    external = ExternalServers.read()
    if not external.database_answers():
        raise StackError("nothing to verify: `make run` is not running")
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PARVANDEH_DATABASE_URL": external.database_url,
        "PARVANDEH_READER_PASSWORD": json.loads((VAR / "roles.json").read_text())["audit_reader"],
    }
    return subprocess.run([sys.executable, "-m", "caselog", "verify"], env=environment, check=False).returncode


@app.command("service", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def service_command(
    name: Annotated[str, typer.Argument(help="intake, review, inquiry, notify, audit, ...", metavar="NAME")],
    arguments: Annotated[list[str], typer.Argument(help="A command of the service; --help lists them.", metavar="COMMAND ...")],
) -> int:
    """Run a command of a service as its process would: with its own passwords and keys only."""
    return service(name, arguments)


def service(name: str, arguments: list[str]) -> int:
    """The exit code of a command of the service `name`. Raises StackError when there is none, or `make run` is not up."""
    process = next((each for each in PROCESSES if each.name == name), None)
    if process is None:
        raise StackError(f"there is no service {name}")
    server = Supervisor(VAR)
    if not server.external.database_answers():
        raise StackError("`make run` is not running")
    environment = server.services(print).environment(process)
    if arguments[0] == "rebuild":  # it creates tables, which no service may
        environment["PARVANDEH_OWNER_PASSWORD"] = server.owner_password
    return subprocess.run([sys.executable, "-m", process.module, *arguments], env=environment, check=False).returncode


@app.command()
def rebuild() -> int:
    """Rebuild every projection and agenda from the log while the services keep running."""
    return max(service(name, ["rebuild"]) for name in SERVICES)


@app.command()
def parked() -> int:
    """List what every service has parked.

    Exit code 1: there is something.
    """
    return max(service(name, ["parked"]) for name in SERVICES)


@app.command()
def reset() -> int:
    """Ask, then delete the local data; the checked jars stay."""
    external = ExternalServers.read()
    if external.database:
        raise StackError("the cases are in the PostgreSQL of PARVANDEH_DATABASE_URL, which this command never deletes from")
    if external.database_answers():
        raise StackError("`make run` is running: stop it first")
    answer = input(f"Delete every case, key and account in {VAR}? Type yes: ")
    if answer.strip().lower() != "yes":
        print("Nothing was deleted.")
        return 1
    for path in VAR.glob("*"):
        if path.name != "kafka-jars":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    print("Deleted.")
    return 0


def main(arguments: list[str]) -> int:
    """The exit code of one command; a StackError is one sentence and 1."""
    try:
        return run(app, "python -m deploy.local", arguments)
    except (StackError, typer.Abort) as error:
        print(f"parvandeh  {error if isinstance(error, StackError) else 'no answer given'}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
