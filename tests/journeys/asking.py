"""Schemathesis asks a running door what its OpenAPI document allows, and what it does not, as each of its people."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from chassis.web.csrf import form_token
from schemas.catalogue import catalogue
from schemas.contract_files import HERE

CHECKS: Final = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
HOSTILE: Final = ("a\0b", "0:" + "9" * 30, "x" * 5000, "a/b", "0:\u00b2", "\0", "\u202e", "%00", "'; --", "PK-AAAA-AAAA-AAA")
"""What has broken a door before, or breaks others'. Chance alone finds it seldom: each place is given the first ones once."""
SWEPT: Final = 4
"""Of these, how many each place is given; the rest come by chance."""
ACCEPTS: Final = ("application/json", "application/json", "text/html", "*/*")


@dataclass(frozen=True)
class Signed:
    """A signed-in browser: the cookie of a service's session."""

    service: str
    cookie: str

    def fill(self, kwargs: dict[str, Any], *, forged: bool) -> None:
        """Let a request come from this browser, by a form of our own page unless it is forged."""
        kwargs["cookies"] = {f"parvandeh_{self.service}": self.cookie}
        kwargs["headers"]["X-CSRF-Token"] = "0" * 64 if forged else form_token(self.cookie)


@dataclass
class Knowledge:
    """What a person at a door would know: real ids and forms, without which every request only meets the first check."""

    ids: dict[str, list[str]] = field(default_factory=dict)
    """Path or query parameter -> values that exist."""
    forms: dict[str, Mapping[str, str]] = field(default_factory=dict)
    """Path -> a form that can be filed."""
    files: dict[str, bytes] = field(default_factory=dict)
    """Field -> a genuine document."""

    def put(self, kwargs: dict[str, Any], path: str, luck: random.Random) -> None:
        """Let some of the fields be what they should be."""
        if isinstance(kwargs.get("params"), dict):
            kwargs["params"] = {name: self.value(name, value, luck) for name, value in kwargs["params"].items()}
        whole = self.forms.get(path) if luck.random() < 0.5 else None
        if isinstance(kwargs.get("files"), list):
            kept = dict(whole or {})
            fields = [(name, self._file(name, value, luck)) for name, (_, value) in kwargs["files"] if name not in kept]
            kwargs["files"] = fields + [(name, (None, self._hostile(value, luck))) for name, value in kept.items()]
        elif isinstance(kwargs.get("data"), dict):
            kwargs["data"] = {name: self.value(name, value, luck) for name, value in kwargs["data"].items()}

    def _hostile(self, value: str, luck: random.Random) -> str:
        return luck.choice(HOSTILE) if luck.random() < 0.02 else value

    def _file(self, name: str, value: Any, luck: random.Random) -> tuple[str | None, Any]:
        if name in self.files:
            return ("paper.pdf", self.files[name] if luck.random() < 0.8 else value)
        return (None, value if isinstance(value, str | bytes) else json.dumps(value))

    def value(self, name: str, given: Any, luck: random.Random) -> Any:
        """A value for a field: mostly one that exists, sometimes what schemathesis made, sometimes a hostile one."""
        chance = luck.random()
        if chance < 0.12:
            return luck.choice(HOSTILE)
        return self._good(name, given, luck) if chance < 0.8 else given

    def _good(self, name: str, given: Any, luck: random.Random) -> Any:
        if name == "seen":
            return luck.choice(("1", "5", "1000"))
        if name in ("reason", "reasons", "conditions", "question", "answer", "agency"):
            return luck.choice([key for group in catalogue().codes.values() for key in group])
        return luck.choice(self.ids[name]) if name in self.ids else given


@dataclass
class Asking:
    """One door asked by one seed."""

    service: str
    base_url: str
    people: Mapping[str, Signed]
    """Role -> who is signed in with it."""
    knows: Knowledge
    basic: tuple[str, str] | None = None
    statuses: Counter[str] = field(default_factory=Counter)
    """What was answered, by operation and status."""
    attacks: int = 0
    """Of these, how many with a hostile value by plan and not by schemathesis."""
    faults: dict[str, str] = field(default_factory=dict)
    """What must not be, once for each kind: operation, status and what is wrong with it."""

    def ask(self, examples: int, number: int) -> int:
        """Ask at least `examples` requests of schemathesis, half of them not allowed; returns how many were asked."""
        document = json.loads((HERE / "openapi" / f"{self.service}.json").read_text(encoding="utf-8"))
        found: Any = schemathesis.openapi.from_dict(document).get_all_operations()
        operations = [each.ok() for each in found]  # raises where the document is no OpenAPI
        each = -(-examples // (2 * len(operations)))
        with requests.Session() as session:
            for operation in operations:
                self._attack(operation, document, session)
                for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                    self._ask(operation, mode, each, number, session)
        return self.statuses.total() - self.attacks

    def _ask(self, operation: Any, mode: GenerationMode, examples: int, number: int, session: requests.Session) -> None:
        @seed(number)
        @settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode), chance=st.integers(0, 1 << 32))
        def one(case: Case[Any], chance: int) -> None:
            self._one(case, random.Random(chance), session)

        try:
            one()
        except Unsatisfiable:
            # Nothing can be wrong about a request that takes nothing: it is asked as it should be, by another seed.
            if mode is GenerationMode.NEGATIVE:
                self._ask(operation, GenerationMode.POSITIVE, examples, number + 1, session)

    def _attack(self, operation: Any, document: Mapping[str, Any], session: requests.Session) -> None:
        """Give each place of a request (each path parameter; all the rest) each hostile value, as who may ask it."""
        raw = operation.definition.raw
        places = {each["name"]: each["in"] for each in raw.get("parameters", ())}
        path = [name for name, place in places.items() if place == "path"]
        content = raw.get("requestBody", {}).get("content", {})
        media = next(iter(content), None)
        names = sorted(_fields(content[media]["schema"], document)) if media else []
        luck = random.Random(operation.label)
        for number, value in enumerate(HOSTILE[:SWEPT]):
            for target in (*path, "") if path else ("",):
                case = operation.Case(
                    path_parameters={name: value if name == target else self._known(name) for name in path},
                    query={name: value for name, place in places.items() if place == "query" and target == ""},
                )
                kwargs = case.as_transport_kwargs(base_url=self.base_url)
                kwargs["headers"]["Accept"] = ACCEPTS[number % len(ACCEPTS)]
                self._fill(kwargs, media, {name: self._given(name, value, target) for name in names}, operation.path)
                self._as_somebody(kwargs, operation, luck, surely=True)
                self._send(case, kwargs, session)
                self.attacks += 1

    def _known(self, name: str) -> str:
        return self.knows.ids.get(name, ["x"])[0]

    def _given(self, name: str, value: str, target: str) -> str:
        if name == "seen":
            return "1000"
        return value if target == "" or name not in self.knows.ids else self._known(name)

    def _fill(self, kwargs: dict[str, Any], media: str | None, given: Mapping[str, str], path: str) -> None:
        if media == "application/json":
            kwargs["json"] = dict(given)
        elif media == "multipart/form-data":
            needed = ("national_code", "mobile", "district", "email")
            form = self.knows.forms.get(path, {})
            fields = [(name, (None, form[name] if name in form and name in needed else value)) for name, value in given.items()]
            papers = [(name, ("paper.pdf", content)) for name, content in self.knows.files.items() if name in given]
            kwargs["files"] = [each for each in fields if each[0] not in self.knows.files] + papers
        elif media is not None:
            kwargs["data"] = dict(given)

    def _one(self, case: Case[Any], luck: random.Random, session: requests.Session) -> None:
        operation = case.operation
        for name in case.path_parameters or {}:
            case.path_parameters[name] = self.knows.value(name, case.path_parameters[name], luck)
        kwargs = case.as_transport_kwargs(base_url=self.base_url)
        kwargs["headers"]["Accept"] = luck.choice(ACCEPTS)
        kwargs["headers"]["Accept-Language"] = luck.choice(("fa", "en"))
        self._as_somebody(kwargs, operation, luck)
        self.knows.put(kwargs, operation.path, luck)
        self._send(case, kwargs, session)

    def _send(self, case: Case[Any], kwargs: dict[str, Any], session: requests.Session) -> None:
        operation = case.operation
        session.cookies.clear()  # each request is somebody's own
        try:
            answer = session.request(**kwargs, allow_redirects=False, timeout=60)
        except requests.ConnectionError:
            # A door closes its connection after an idle time, and after a 500; a second try on a new one must be answered.
            answer = session.request(**kwargs, allow_redirects=False, timeout=60)
        self.statuses[f"{operation.method.upper()} {operation.path} {answer.status_code}"] += 1
        # The house's issuer is away by design (conftest): that its doors say so, in the documented form, is no fault of theirs.
        away = "/oidc" in operation.path and answer.status_code == 503
        try:
            case.validate_response(answer, checks=CHECKS[1:] if away else CHECKS)
        except (Failure, FailureGroup) as failure:
            for wrong in _failures(failure):
                what = f"{self.service} {operation.method.upper()} {operation.path} {answer.status_code}: {type(wrong).__name__}"
                self.faults.setdefault(
                    what, f"{wrong}\n{answer.request.url}\n{str(answer.request.body)[:400]}\n{answer.text[:400]}"
                )

    def _as_somebody(self, kwargs: dict[str, Any], operation: Any, luck: random.Random, *, surely: bool = False) -> None:
        """Let somebody ask: mostly who may, sometimes nobody, somebody else or a forger; `surely` who may."""
        roles: Sequence[str] = operation.definition.raw.get("x-roles", ())
        kwargs["cookies"] = {}
        if self.basic and operation.path == "/feed" and (surely or luck.random() < 0.8):
            kwargs["auth"] = self.basic
        if operation.path == "/sign-out":
            return  # a session that is signed out would leave the rest of the questions outside
        if luck.random() < 0.1 and not surely:
            return
        fitting = [role for role in roles if role in self.people] if surely or luck.random() < 0.9 else []
        if candidates := fitting or list(self.people):
            self.people[luck.choice(sorted(candidates))].fill(kwargs, forged=luck.random() < 0.05 and not surely)
        if surely or luck.random() < 0.9:
            kwargs["headers"]["Idempotency-Key"] = f"{luck.getrandbits(64):016x}"


def _fields(schema: Mapping[str, Any], document: Mapping[str, Any]) -> set[str]:
    """The names of a form's fields, but for its tokens."""
    if name := schema.get("$ref", "").rpartition("/")[2]:
        return _fields(document["components"]["schemas"][name], document)
    db = {each for each in schema.get("properties", {}) if not each.startswith("_")}
    return db.union(*(_fields(part, document) for part in schema.get("allOf", ())))


def _failures(failure: BaseException) -> Iterator[BaseException]:
    if isinstance(failure, FailureGroup):
        for each in failure.exceptions:
            yield from _failures(each)
    else:
        yield failure
