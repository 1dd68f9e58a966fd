"""How a process reaches Kafka, by its settings: in plain text or whole and safe, and never by half."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from chassis.eventing.kafka.connection import KafkaConnection
from chassis.settings import Environment, Settings, Unset
from tests.conftest import ROOT

SECRET = SecretStr("a-secret-of-kafka")


def test_nothing_given_is_plain_text_to_the_embedded_broker() -> None:
    connection = KafkaConnection.of(Settings(kafka="127.0.0.1:1"))
    assert connection.arguments() == {"bootstrap_servers": ["127.0.0.1:1"]}
    assert connection.security() is None
    assert (connection.replicas, connection.in_sync) == (1, 1)


def test_a_user_goes_by_scram_over_tls_that_checks_certificate_and_name() -> None:
    connection = KafkaConnection.of(Settings(kafka="a:1, b:2,c:3", kafka_user="relay", kafka_password=SECRET))
    arguments = connection.arguments()
    assert connection.bootstrap == ("a:1", "b:2", "c:3")
    assert (arguments["security_protocol"], arguments["sasl_mechanism"]) == ("SASL_SSL", "SCRAM-SHA-512")
    assert arguments["ssl_context"].verify_mode is ssl.CERT_REQUIRED
    assert arguments["ssl_context"].check_hostname
    assert SECRET.get_secret_value() not in repr(connection)


@pytest.mark.parametrize(("given", "replicas", "in_sync"), [(None, 3, 2), (1, 1, 1), (2, 2, 2), (5, 5, 3)])
def test_in_production_three_brokers_hold_a_fact_and_two_must_before_it_is_acknowledged(
    given: int | None, replicas: int, in_sync: int
) -> None:
    settings = Settings(environment=Environment.PRODUCTION, kafka_user="relay", kafka_password=SECRET, kafka_replicas=given)
    connection = KafkaConnection.of(settings)
    assert (connection.replicas, connection.in_sync) == (replicas, in_sync)


def test_production_refuses_plain_text() -> None:
    with pytest.raises(Unset, match="PARVANDEH_KAFKA_USER"):
        KafkaConnection.of(Settings(environment=Environment.PRODUCTION))


@pytest.mark.parametrize(
    "half", [{"kafka_user": "relay"}, {"kafka_password": SECRET}, {"kafka_ca": Path("/ca.pem")}], ids=["user", "password", "ca"]
)
def test_a_way_that_is_given_by_half_is_refused(half: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="PARVANDEH_KAFKA_"):
        Settings(**half)  # type: ignore[arg-type]


@pytest.mark.parametrize("content", [None, "no certificate"], ids=["missing", "rubbish"])
def test_a_file_of_certificates_that_cannot_be_read_is_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(Unset, match=str(path)):
        KafkaConnection.of(Settings(kafka_user="relay", kafka_password=SECRET, kafka_ca=path))


@pytest.mark.parametrize("module", [("chassis.runtime.relay_process",), ("services.review", "serve")], ids=["relay", "a service"])
def test_a_process_that_may_not_start_says_why_in_one_sentence(module: tuple[str, ...]) -> None:
    environment = {"PATH": os.environ.get("PATH", ""), "PARVANDEH_ENVIRONMENT": "production"}
    done = subprocess.run([sys.executable, "-m", *module], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "does not start: PARVANDEH_KAFKA_USER" in done.stderr
    assert "Traceback" not in done.stderr
