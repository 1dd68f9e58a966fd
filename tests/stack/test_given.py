"""Given servers: the embedded ones stay down, and each process is told its own user of Kafka and no other."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.external_servers import ExternalServers
from deploy.local.processes import PROCESSES, kafka_port, postgres_port
from deploy.local.roles import SERVICES
from deploy.local.subprocesses import StackError
from tests.conftest import ROOT


@pytest.fixture
def users(tmp_path: Path) -> Path:
    path = tmp_path / "users.json"
    path.write_text(json.dumps({user: f"{user}-secret" for user in ("relay", *SERVICES, "admin")}))
    return path


def test_nothing_given_is_the_embedded_servers_without_users() -> None:
    external = ExternalServers.read({})
    assert (external.database, external.kafka) == (False, False)
    assert external.environment() == {
        "PARVANDEH_DATABASE_URL": f"postgresql://127.0.0.1:{postgres_port()}",
        "PARVANDEH_KAFKA": f"127.0.0.1:{kafka_port()}",
    }
    assert all(external.own(process.name) == {} for process in PROCESSES)


def test_each_process_of_a_given_kafka_gets_its_own_password_and_who_does_not_need_it_gets_none(users: Path) -> None:
    told = {"PARVANDEH_KAFKA": "k1:9093,k2:9093", "PARVANDEH_KAFKA_CA": "/ca.pem", "PARVANDEH_KAFKA_REPLICAS": "3"}
    external = ExternalServers.read({**told, "PARVANDEH_KAFKA_USERS": str(users)})
    assert external.environment()["PARVANDEH_KAFKA"] == "k1:9093,k2:9093"
    assert external.environment()["PARVANDEH_KAFKA_REPLICAS"] == "3"
    for process in PROCESSES:
        own = external.own(process.name)
        if process.name in ("relay", *SERVICES):
            assert own["PARVANDEH_KAFKA_USER"] == process.name
            assert own["PARVANDEH_KAFKA_PASSWORD"] == f"{process.name}-secret"
            assert own["PARVANDEH_KAFKA_CA"] == "/ca.pem"
        else:
            assert own == {}, process.name


def test_a_file_of_users_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="PARVANDEH_KAFKA_USERS"):
        ExternalServers.read({"PARVANDEH_KAFKA": "k:1", "PARVANDEH_KAFKA_USERS": str(tmp_path / "none.json")})


def test_a_given_postgresql_without_its_owners_password_is_said_and_nothing_is_started(tmp_path: Path) -> None:
    environment = {"PARVANDEH_VAR": str(tmp_path), "PARVANDEH_DATABASE_URL": "postgresql://127.0.0.1:1", "PARVANDEH_KAFKA": "k:1"}
    done = subprocess.run(
        [sys.executable, "-m", "deploy.local", "run"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "PARVANDEH_OWNER_PASSWORD" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "postgres").exists()
