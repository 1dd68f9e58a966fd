"""The people of the demonstration, whose every form is recorded with the command id that its fact must carry."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Final

import httpx2

from caselog.outcomes import EventPosition
from caselog.receipt import decoded
from chassis.accounts.one_time_codes import subject_of
from chassis.eventing.commands.ids import NEW, case_id_of, http_command
from chassis.privacy.vault import Vault
from deploy.demo.person import Person, Unexpected, forms
from schemas.envelope import Position, RecordedFact
from schemas.facts import decode
from schemas.facts.intake import DocumentReleased
from tests.faults.recorder import Operation, Recorder, Said

ROUTES: Final = {
    "intake": {
        r"/new/\w+": ("/new", NEW),
        r"/cases/(\w+)/answer": ("/answer", "case:{0}"),
        r"/cases/(\w+)/withdraw": ("/withdraw", "case:{0}"),
        r"/cases/(\w+)/note": ("/open/note", "case:{0}"),
        r"/cases/(\w+)/certificate": ("/open/certificate", "case:{0}"),
        r"/identity/(\w+)/open": ("/identity/open", "case:{0}"),
        r"/identity/(\w+)/confirm": ("/identity/confirm", "case:{0}"),
        r"/identity/(\w+)/question": ("/identity/question", "case:{0}"),
    },
    "review": {
        r"/cases/(\w+)/open": ("/open", "case:{0}"),
        r"/cases/(\w+)/approve": ("/ApproveCase", "case:{0}"),
        r"/cases/(\w+)/reject": ("/RejectCase", "case:{0}"),
        r"/cases/(\w+)/correct": ("/RequestCorrection", "case:{0}"),
        r"/cases/(\w+)/inquire": ("/RequestInquiry", "case:{0}"),
        r"/cases/(\w+)/suspend": ("/SuspendCase", "case:{0}"),
        r"/cases/(\w+)/refuse": ("/RefuseAssignment", "case:{0}"),
        r"/supervision/resume/(\w+)": ("/resume", "case:{0}"),
    },
    "inquiry": {
        r"/inquiries/(\w+)/(\w+)/open": ("/open", "case:{0} {1}"),
        r"/inquiries/(\w+)/(\w+)/answer": ("/answer", "case:{0} {1}"),
    },
}
"""Address of a form -> route and stream, as its door makes the command id from them (services/*/pages)."""
SIGN_INS: Final = ("/sign-in", "/citizen/sign-in", "/citizen/code")
RECEIPT: Final = re.compile(r"[0-9a-f-]{36} \d+ (\d+:\d+) \d+ ([\w-]{43}) [\w-]{86}")


class RecordedPerson(Person):
    """A person at a door of `doors`, whose forms are written down by `recorder`."""

    PATIENCE_SECONDS: ClassVar[float] = 300.0
    """Longer than it takes until all that was killed at once is up again on a busy machine."""

    def __init__(
        self, door: str, *, doors: Mapping[str, str], recorder: Recorder, vault: Vault, subjects: Mapping[str, str]
    ) -> None:
        """`vault` gives the blind index of a citizen; `subjects`: `service username` -> account id."""
        super().__init__(door)
        self._service = next(name for name, url in doors.items() if url == door)
        self._recorder, self._vault, self._subjects = recorder, vault, subjects
        self._subject = ""

    async def send(
        self,
        page: httpx2.Response,
        action: str,
        values: Mapping[str, Any] | None = None,
        files: Sequence[tuple[str, tuple[str, bytes, str]]] = (),
        *,
        expect: int = 200,
    ) -> httpx2.Response:
        """As a person does, and recorded; the attempts that a person makes under one key are one operation."""
        ask = partial(super().send, page, action, values, files, expect=expect)
        if action in SIGN_INS:
            self._subject = self._who(values or {}) or self._subject
            return await ask()
        form = next((each for each in forms(page.text) if each.action.endswith(action)), None)
        if form is None:
            raise Unexpected(f"no form {action} on {page.url.path}")
        sent = {**form.hidden, **(values or {})}
        once = str(sent.pop("_once"))
        sent.pop("_csrf", None)
        command, case = self._command(form.action, once)
        body = json.dumps([sent, [(name, file[0], file[1].hex()) for name, file in files]], sort_keys=True).encode()
        with self._recorder.operation(case=case, key=f"{self._subject} {once}", command=command, body=body) as operation:
            answer = await ask()
            told = RECEIPT.search(answer.text) if action.startswith("/new/") else None
            operation.ok([EventPosition(Position.parse(told.group(1)), 1, decoded(told.group(2)))] if told else [])
        return answer

    def _who(self, values: Mapping[str, Any]) -> str:
        if "national_code" in values:
            return subject_of(self._vault.blind("national_code", values["national_code"]))
        return self._subjects.get(f"{self._service} {values.get('username')}", "")

    def _command(self, path: str, once: str) -> tuple[bytes, str]:
        for pattern, (route, stream) in ROUTES[self._service].items():
            if found := re.fullmatch(pattern, path):
                made = http_command(self._service, self._subject, route, stream.format(*found.groups()), once)
                return made, f"case:{case_id_of(made) if stream == NEW else found.group(1)}"
        raise Unexpected(f"{self._service} has a form {path} of which the recorder knows no command id")


def releases(history: Sequence[Operation], facts: Sequence[RecordedFact]) -> list[Operation]:
    """The copies that a confirmation releases are commands of their own, under the key of the confirmation."""
    by_case: dict[str, list[Operation]] = {}
    for operation in history:
        by_case.setdefault(operation.case, []).append(operation)
    found = []
    for fact in facts:
        if fact.type == DocumentReleased.TYPE and fact.cause is None:
            released = decode(fact.type, fact.type_version, fact.body)
            assert isinstance(released, DocumentReleased)
            for operation in by_case.get(fact.stream, []):
                subject, _, once = operation.key.partition(" ")
                scope = f"{fact.stream} {released.document_id}"
                if http_command("intake", subject, "/identity/release", scope, once) == fact.command:
                    found.append(replace(operation, command=fact.command, said=Said.UNKNOWN, receipts=()))
    return found
