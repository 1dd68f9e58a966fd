"""`python -m deploy.kafka`: Kafka for an operator."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from aiokafka.errors import KafkaError

from chassis.eventing.kafka.connection import BrokerRefused, KafkaConnection
from chassis.settings import Settings, Unset
from deploy.kafka.acls import USERS, provide, strays
from deploy.kafka.cluster import Cluster
from deploy.local.subprocesses import StackError
from schemas.command_line import command_line, run

JARS = Path("var/kafka-jars")
app = command_line("Set up Kafka for Parvandeh, or try three brokers on this machine.")


@app.command()
async def acls(
    users: Annotated[Path | None, typer.Argument(help="JSON: a password for each user.", metavar="[USERS.json]")] = None,
) -> int:
    """Create the users, the topic and the rights that Parvandeh needs on a given cluster.

    It may be run again at any time: what exists stays. The cluster and its administrator are named by the settings of every
    process: PARVANDEH_KAFKA=host:port,host:port PARVANDEH_KAFKA_USER=admin PARVANDEH_KAFKA_PASSWORD=...
    PARVANDEH_KAFKA_CA=ca.pem

    USERS.json holds {"relay": "password", "intake": "password", ...}, a password for each user of deploy/kafka/acls.py; the
    processes then get theirs by PARVANDEH_KAFKA_USER and PARVANDEH_KAFKA_PASSWORD. Without the file only topic and rights
    are created. PARVANDEH_KAFKA_REPLICAS is the number of brokers that hold the topic (3).
    The cluster must have `authorizer.class.name` set and `allow.everyone.if.no.acl.found=false`.

    Exit code 3: there are rights beyond the table; they are listed and left alone, since whoever granted them may still need
    them.
    """
    settings = Settings.from_environment()
    if not settings.kafka_user:
        raise Unset("PARVANDEH_KAFKA_USER and PARVANDEH_KAFKA_PASSWORD are not set: the administrator's")
    connection = KafkaConnection.of(settings.model_copy(update={"kafka_replicas": settings.kafka_replicas or 3}))
    for line in await provide(connection, passwords(users) if users else {}):
        print(line)
    beyond = await strays(connection)
    for found in beyond:
        print(f"beyond the table: {found}")
    return 3 if beyond else 0


def passwords(path: Path) -> dict[str, str]:
    """The password of each of our users. Raises StackError when one is missing."""
    try:
        kept: dict[str, str] = json.loads(path.read_text())
        return {user: kept[user] for user in USERS}
    except (OSError, ValueError, KeyError) as error:
        raise StackError(f"{path} must hold a password for each of {', '.join(USERS)} as JSON ({type(error).__name__})") from None


@app.command()
def cluster(
    directory: Annotated[Path, typer.Argument(metavar="DIRECTORY", help="The directory for its data, its users and ca.pem.")],
) -> None:
    """Run three secured brokers on this machine, to try things, until Ctrl-C."""
    asyncio.run(_until_stopped(Cluster(directory.resolve(), JARS.resolve())))


async def _until_stopped(here: Cluster) -> None:
    stopped = asyncio.Event()
    for which in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(which, stopped.set)
    try:
        await here.start()
        print(f"PARVANDEH_KAFKA={','.join(here.bootstrap)} PARVANDEH_KAFKA_CA={here.ca}", flush=True)
        await stopped.wait()
    finally:
        here.stop()


def main(arguments: list[str]) -> int:
    """The exit code of one command; what went wrong is one sentence and 1."""
    try:
        return run(app, "python -m deploy.kafka", arguments)
    except (StackError, BrokerRefused, Unset, KafkaError, OSError) as error:
        print(f"parvandeh  {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
