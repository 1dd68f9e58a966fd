"""`make run`: everything started in order behind health gates, restarted when it dies, stopped in reverse order."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import IO, Final

import asyncpg

from caselog.db.errors import TRANSIENT
from deploy.kafka.broker import Broker
from deploy.local import roles
from deploy.local.backoff import BackOff
from deploy.local.external_servers import ExternalServers
from deploy.local.postgres import OWNER, Postgres
from deploy.local.process_supervision import Services, Stopped
from deploy.local.processes import AGENDA_APART, PROCESSES, SIGN_INS, kafka_port, postgres_port
from deploy.local.subprocesses import POLL_SECONDS, StackError, end_with_starter, listening

PASSED_ON: Final = (
    AGENDA_APART, "PARVANDEH_BUS", "PARVANDEH_REFILL", "PARVANDEH_SMTP", "PARVANDEH_OTLP", "PARVANDEH_WORKING_DAY_SECONDS",
)  # fmt: skip
"""Settings passed unchanged to our processes, together with those that start like the ones of OpenID Connect."""
OIDC: Final = "PARVANDEH_OIDC_"
LEAST_FREE: Final = 32 * 1024 * 1024
"""Bytes; with less, PostgreSQL cannot even create the next segment of its log."""
MOST_FAILURES: Final = 20
"""Ends in a row, none after a steady run, after which a server is given up."""


class Supervisor:
    """The embedded stack in one directory. One supervisor a directory: a second one is refused."""

    def __init__(self, var: Path) -> None:
        self._var = var
        self._postgres = Postgres(var / "postgres")
        self._kafka = Broker(var / "kafka", var / "kafka-jars")
        self.external = ExternalServers.read()
        self._services: Services | None = None
        self._stopping = False
        self._lock: IO[str] | None = None

    def run(self) -> None:
        """Start all, watch until SIGINT, SIGTERM or the end of our parent, stop all.

        Raises StackError when it cannot start or go on.
        """
        for which in (signal.SIGINT, signal.SIGTERM):
            signal.signal(which, self._ask_to_stop)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # under nohup the end of the terminal does not concern us
            signal.signal(signal.SIGHUP, self._ask_to_stop)
        end_with_starter()
        try:
            self._start()
            if not self._stopping:
                self._announce()
                self._begin_what_can_wait()
                self._watch()
        except Stopped:
            pass  # while starting: what has started is stopped
        except (asyncpg.PostgresError, *TRANSIENT) as error:
            if self._full:
                raise StackError(f"the disk under {self._var} is full: make room, then start again") from None
            if isinstance(error, OSError):
                raise StackError(f"{error.strerror or error}: {error.filename or self._var}") from error
            where = "see its own log" if self.external.database else f"its log is in {self._var / 'postgres'}"
            raise StackError(f"PostgreSQL did not answer ({type(error).__name__}); {where}") from None
        finally:
            self._stop()

    def _start(self) -> None:
        self._claim()
        for name, _, port in self._embedded():
            if listening(port):
                raise StackError(f"port {port}, which {name} needs, is in use by another program: stop it and start again")
        self._services = services = self.services(_say)
        services.begin()
        if not self.external.database:
            _say("starting PostgreSQL 18")
            self._postgres.start(postgres_port())
        asyncio.run(self._roles_and_databases())
        if not self.external.kafka:
            _say("starting Apache Kafka (the first start fetches and checks its jars)")
            self._kafka.begin(kafka_port())
        services.migrate(self.owner_password)
        _say("our own processes start; the first start loads demonstration data")
        services.prepare()
        if not self.external.kafka:
            self._kafka.wait(lambda: self._stopping)
        if not self._stopping:
            services.start(self.owner_password)

    def _embedded(self) -> list[tuple[str, Postgres | Broker, int]]:
        """The embedded servers, with their ports."""
        database: list[tuple[str, Postgres | Broker, int]] = [("PostgreSQL", self._postgres, postgres_port())]
        broker: list[tuple[str, Postgres | Broker, int]] = [("Kafka", self._kafka, kafka_port())]
        return (database if not self.external.database else []) + (broker if not self.external.kafka else [])

    def services(self, say: Callable[[str], None]) -> Services:
        """Our own processes on these servers."""
        passwords = roles.passwords(self._var / "roles.json")
        return Services(self._var, self.environment(), passwords, self.external.own, say, lambda: self._stopping)

    @property
    def owner_password(self) -> str:
        """The password of PostgreSQL's role `owner`. Raises StackError if PostgreSQL is external and the password is not set."""
        if not self.external.database:
            return self._postgres.owner_password
        if not self.external.owner_password:
            raise StackError("PARVANDEH_DATABASE_URL is given without PARVANDEH_OWNER_PASSWORD, the password of its role owner")
        return self.external.owner_password

    def _claim(self) -> None:
        self._var.mkdir(parents=True, exist_ok=True)
        self._lock = (self._var / "supervisor.lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(f"another `make run` already uses {self._var}") from None

    async def _roles_and_databases(self) -> None:
        host, port = self.external.database_host
        connection = await asyncpg.connect(host=host, port=port, user=OWNER, password=self.owner_password, database="postgres")
        try:
            await roles.ensure(connection, roles.passwords(self._var / "roles.json"))
        finally:
            await connection.close()

    def environment(self) -> dict[str, str]:
        """The settings of every process."""
        return {
            "PATH": os.environ.get("PATH", ""),
            "LANG": "C.UTF-8",
            **self.external.environment(),
            **{name: value for name, value in os.environ.items() if name in PASSED_ON or name.startswith(OIDC)},
        }

    def _announce(self) -> None:
        host, port = self.external.database_host
        _say(f"PostgreSQL is on {host}:{port}, Kafka on {self.external.kafka_hosts}")
        for process in PROCESSES:
            if process.arguments == ("serve",):
                _say(f"{process.name:<15} http://127.0.0.1:{process.port}/")
        for who, how in SIGN_INS:
            _say(f"{who:<15} {how}")
        _say("ready; Ctrl-C stops everything. Run `make verify` in another terminal to check the log")

    def _begin_what_can_wait(self) -> None:
        if self._services is not None and not self.external.kafka:
            self._services.cache_classes(self._var / "kafka-jars")

    def _watch(self) -> None:
        back_off = {name: BackOff(time.monotonic()) for name, *_ in self._embedded()}
        while not self._stopping:
            for name, server, port in self._embedded():
                if not server.running:
                    self._restart(name, server, port, back_off[name])
            if self._services is not None:
                self._services.watch()
            time.sleep(POLL_SECONDS * 10)  # checks the children's state each time

    def _restart(self, name: str, server: Postgres | Broker, port: int, back_off: BackOff) -> None:
        wait = back_off.ended(time.monotonic())
        if back_off.failures > MOST_FAILURES and not self._full:  # whoever makes room expects everything to resume without help
            raise StackError(f"{name} died {back_off.failures} times in a row: see its log under {self._var}")
        _say(f"{name} ended unexpectedly; restarting in {wait} s")
        end = time.monotonic() + wait
        while time.monotonic() < end and not self._stopping:
            time.sleep(POLL_SECONDS)
        if self._stopping:
            return
        try:
            server.start(port)
        except (StackError, OSError) as error:  # OSError: not even its settings or its log could be written
            why = f"the disk under {self._var} is full; make room, and it restarts" if self._full else str(error)
            _say(f"{name} could not be restarted: {why}")  # tried again with a longer back-off
        else:
            _say(f"{name} is back")
        back_off.began = time.monotonic()

    @property
    def _full(self) -> bool:
        return shutil.disk_usage(self._var).free < LEAST_FREE

    def _ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _stop(self) -> None:
        _say("stopping")
        if self._services is not None:
            self._services.stop()
        self._kafka.stop()
        self._postgres.stop()
        _say("stopped; nothing is left running")


def _say(line: str) -> None:
    with suppress(OSError):  # a full disk must not bring down a running stack for one line
        sys.stdout.write(f"parvandeh  {line}\n")
        sys.stdout.flush()
