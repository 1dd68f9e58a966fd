"""The OpenAPI documents are valid, whole, closed and up to date, and what makes them refuses a route that says nothing."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.routing import iter_route_contexts
from jsonschema_rs import Draft202012Validator
from schemathesis.specs.openapi.definitions import OPENAPI_31
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from chassis.settings import Settings
from chassis.web.auth import BACK_CHANNEL, authenticate, require
from chassis.web.i18n import OWN_LOCALE, Translations
from chassis.web.openapi import Description, Undescribed, document
from chassis.web.routes import RefusedPage, routes
from deploy.openapi import documents
from schemas.catalogue import catalogue

DOCUMENTS: dict[str, dict[str, Any]] = {name: json.loads(text) for name, text in documents.texts().items()}
SERVICES = ("intake", "review", "inquiry", "notify", "audit")
every = pytest.mark.parametrize("name", sorted(DOCUMENTS))


def operations(found: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in found["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def parts(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield part
        for value in part.values():
            yield from parts(value)
    elif isinstance(part, list):
        for value in part:
            yield from parts(value)


def followed(found: dict[str, Any], part: Any) -> Any:
    """What a reference leads to."""
    while isinstance(part, dict) and "$ref" in part:
        target: Any = found
        for step in part["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        part = target
    return part


def answered(found: dict[str, Any], part: Any, seen: frozenset[str] = frozenset()) -> Iterator[dict[str, Any]]:
    """Every schema that is reachable from an answer."""
    for each in parts(part):
        if (name := each.get("$ref", "")) and name not in seen:
            yield from answered(found, followed(found, each), seen | {name})
        else:
            yield each


def test_the_committed_documents_are_what_the_code_says() -> None:
    assert documents.stale() == []


def test_a_changed_a_missing_and_a_needless_file_are_named_and_written(tmp_path: Path) -> None:
    folder = tmp_path / "openapi"
    shutil.copytree(documents.FOLDER, folder)
    (folder / "audit.json").write_text("{}")
    (folder / "relay.json").unlink()
    (folder / "former.json").write_text("{}")
    assert documents.stale(folder) == documents.write(folder) == ["audit.json", "former.json", "relay.json"]
    assert documents.stale(folder) == []


@every
def test_a_document_is_valid_openapi_3_1(name: str) -> None:
    validator = Draft202012Validator(OPENAPI_31)
    validator.validate(DOCUMENTS[name])
    assert DOCUMENTS[name]["openapi"].startswith("3.1")
    assert not validator.is_valid({**DOCUMENTS[name], "paths": {"no-slash": {}}})


@every
def test_every_reference_leads_somewhere_and_every_path_parameter_is_described(name: str) -> None:
    found = DOCUMENTS[name]
    assert all(followed(found, each) is not None for each in parts(found) if "$ref" in each)
    ids = [operation["operationId"] for _, _, operation in operations(found)]
    assert len(set(ids)) == len(ids)
    for path, _, operation in operations(found):
        described = {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"}
        assert described == set(re.findall(r"{(\w+)}", path)), path


@pytest.mark.parametrize("name", sorted(documents.DOORS))
def test_every_route_of_a_door_is_described(name: str) -> None:
    described = {(path, method.upper()) for path, method, _ in operations(DOCUMENTS[f"{name}.json"])}
    contexts = iter_route_contexts(documents.DOORS[name](Settings(oidc=documents.WITH_ISSUER)).routes)
    routed = {(str(each.path_format), method) for each in contexts for method in each.methods or ()}
    assert routed
    assert routed <= described


@every
def test_every_problem_has_an_example_in_both_languages_that_fits_its_schema(name: str) -> None:
    found = DOCUMENTS[name]
    for response in found["components"]["responses"].values():
        media = response["content"]["application/problem+json"]
        types = media["schema"]["allOf"][1]["properties"]["type"]["enum"]
        assert {f"{each.rpartition(':')[2]}.{language}" for each in types for language in ("fa", "en")} == set(media["examples"])
        validator = Draft202012Validator({**media["schema"], "components": found["components"]})
        for key, example in media["examples"].items():
            value = followed(found, example)["value"]
            validator.validate(value)
            assert bool(re.search("[آ-ی]", value["detail"])) is key.endswith(".fa"), value["detail"]
            assert not validator.is_valid({**value, "national_code": "0084575948"})


@every
def test_an_answer_in_json_is_closed(name: str) -> None:
    found = DOCUMENTS[name]
    for path, method, operation in operations(found):
        for answer in operation["responses"].values():
            for media, content in followed(found, answer).get("content", {}).items():
                if "json" not in media or path == "/openapi.json":
                    continue
                for schema in answered(found, content["schema"]):
                    if "properties" in schema and schema.get("type") == "object":
                        assert schema["additionalProperties"] is False, (method, path, schema)


def test_no_answer_of_review_has_a_field_for_a_person() -> None:
    found = DOCUMENTS["review.json"]
    names = {
        field
        for _, _, operation in operations(found)
        for schema in answered(found, operation["responses"])
        for field in schema.get("properties", {})
        if isinstance(schema.get("properties"), dict)
    }
    assert {"case", "stage", "district"} <= names
    assert not names & {"name", "national_code", "mobile", "email", "address", "applicant", "person", "identity", "contact"}


def test_the_filing_form_of_each_type_is_that_of_the_catalogue() -> None:
    for key, kind in catalogue().types.items():
        operation = DOCUMENTS["intake.json"]["paths"][f"/new/{key}"]["post"]
        (form, tokens) = operation["requestBody"]["content"]["multipart/form-data"]["schema"]["allOf"]
        wanted = {each.key for each in kind.fields if each.required} | {f"document_{d.key}" for d in kind.documents if d.required}
        assert set(form["required"]) == wanted | {"national_code", "name", "mobile", "district"}
        assert {f"document_{paper.key}" for paper in kind.documents} < set(form["properties"])
        assert set(tokens["properties"]) == {"_csrf", "_once"}


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_guard_and_a_form_may_answer_is_described_without_anybody_writing_it(service: str) -> None:
    guarded = 0
    for path, method, operation in operations(DOCUMENTS[f"{service}.json"]):
        statuses = set(operation["responses"])
        if "x-roles" in operation:
            guarded += 1
            assert {"401", "403", "429", "503", "413"} <= statuses, path
            assert {"session"} <= set(operation["security"][0]), path
        if method == "post" and path != BACK_CHANNEL:
            assert {"403", "413", "429", "503"} <= statuses, path
            assert "form" in operation["security"][0], path
        assert "500" not in statuses
    assert guarded or service == "notify"


def built(endpoint: Any) -> dict[str, Any]:
    app, router = FastAPI(), routes()
    app.state.description = Description("demo", "demo", Translations([OWN_LOCALE]))
    router.add_api_route("/a", endpoint)
    app.include_router(router, dependencies=[Depends(authenticate)])
    return document(app)


def test_a_handler_that_only_says_response_is_refused_by_name() -> None:
    async def silent(request: Request) -> Response:
        return Response()

    with pytest.raises(Undescribed, match="silent"):
        built(silent)


def test_the_return_type_and_the_guard_are_the_description() -> None:
    async def told(principal: Any = require("reviewer")) -> HTMLResponse | RedirectResponse:  # noqa: B008
        return HTMLResponse()

    async def shown_again() -> RefusedPage | RedirectResponse:
        return HTMLResponse()

    operation = built(told)["paths"]["/a"]["get"]
    assert {"200", "303", "401", "403"} <= set(operation["responses"])
    assert operation["x-roles"] == ["reviewer"]
    assert not {"200", "401"} & set(built(shown_again)["paths"]["/a"]["get"]["responses"])
