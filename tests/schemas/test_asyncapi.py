"""The AsyncAPI document says of the bus what the code does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from chassis.eventing.kafka.cloudevents import encode
from chassis.eventing.kafka.topic import TOPIC
from schemas import contract_files
from schemas.asyncapi import HEADERS, OPTIONAL, asyncapi_text
from schemas.facts import FACTS
from tests.caselog.vectors import facts

DOCUMENT: dict[str, Any] = json.loads(asyncapi_text())


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def test_every_reference_leads_somewhere_and_every_fact_is_a_message() -> None:
    for reference in references(DOCUMENT):
        if reference.startswith("#/"):
            found: Any = DOCUMENT
            for step in reference[2:].split("/"):
                found = found[step]
        else:
            assert (contract_files.HERE / reference).is_file(), reference
    assert set(DOCUMENT["channels"]["caseFacts"]["messages"]) == set(FACTS) == set(DOCUMENT["components"]["messages"])
    assert DOCUMENT["channels"]["caseFacts"]["address"] == TOPIC
    assert all(operation["action"] in ("send", "receive") for operation in DOCUMENT["operations"].values())


def test_the_headers_are_those_that_are_sent_and_they_fit_their_schema() -> None:
    sent = {name: value.decode() for name, value in encode(next(iter(facts())))}
    assert set(sent) <= set(HEADERS)
    assert set(HEADERS) - set(sent) <= OPTIONAL
    validator = Draft202012Validator(DOCUMENT["components"]["schemas"]["headers"])
    validator.validate(sent)
    for name, wrong in (("ce_seq", "-1"), ("ce_link", "x"), ("ce_specversion", "2.0")):
        assert not validator.is_valid({**sent, name: wrong})
    assert not validator.is_valid({name: value for name, value in sent.items() if name != "ce_prev"})


@pytest.mark.parametrize("name", sorted(FACTS))
def test_each_golden_example_fits_the_schema_of_its_message(name: str) -> None:
    message = DOCUMENT["components"]["messages"][name]
    schema = json.loads((contract_files.HERE / message["payload"]["schema"]["$ref"]).read_text())
    assert list(Draft202012Validator(schema).iter_errors(message["examples"][0]["payload"])) == []
