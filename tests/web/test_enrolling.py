"""The first day of a city, from a terminal: accounts, offices, agencies and reviewers; real database, real doors."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import sys
from typing import Final

import httpx2
import pytest

from chassis.accounts.oidc.relying_party import RETURN, local_subject
from chassis.oidc_settings import Seat
from deploy.local.subprocesses import free_port
from services.intake.app import SERVICE as INTAKE
from services.review.app import SERVICE as REVIEW
from tests.conftest import ROOT
from tests.eventing.harness import eventually
from tests.web.city import PASSWORD, PROCESSES, City, confirmed, is_in_queue, is_the_pool, opened, pin, sign_in, status
from tests.web.issuer import Issuer, serving
from tests.web.oidc_harness import believing
from tests.witness.test_witness import witness

OPERATOR: Final = "add op-9 --username parisa --role office_operator --office office-9 --name پریسا‌راد"


async def test_an_operator_of_a_registered_office_signs_in_and_every_command_can_be_repeated(city: City) -> None:
    office = "office register office-9 --fa آفتاب --en Aftab --district ۴"
    assert await city.type("intake", office) == (0, "office-9 is registered\n")
    assert await city.type("intake", office) == (0, "Nothing was changed: office-9 is already registered with these details.\n")
    code, said = await city.type("intake", office.replace("Aftab", "Mahtab"))
    assert (code, said.partition(":")[0]) == (1, "intake OFFICE")
    assert await city.type("intake", f"account {OPERATOR}", PASSWORD) == (0, "op-9 may sign in as parisa\n")
    code, said = await city.type("intake", f"account {OPERATOR}", "another-password-1")
    assert (code, "Nothing was changed" in said) == (0, True)
    async with opened(INTAKE.create_app(city.settings_of("intake")), "intake") as client:
        assert await sign_in(client, "parisa", "another-password-1") == 422
        assert await sign_in(client, "Parisa", PASSWORD) == 303
        assert await status(client, "/office") == 200

        # The name is not what a session stands on; the role and the office are.
        assert (await city.type("intake", "account change op-9 --role identity_clerk"))[0] == 0
        assert await status(client, "/office") == 401
        assert await sign_in(client, "parisa", PASSWORD) == 303
        assert (await status(client, "/office"), await status(client, "/identity")) == (403, 200)

        assert (await city.type("intake", "account password op-9", "تازه-و-دراز-و-نو"))[0] == 0
        assert await status(client, "/identity") == 401
        assert await sign_in(client, "parisa", PASSWORD) == 422
        assert await sign_in(client, "parisa", "تازه-و-دراز-و-نو") == 303

        assert await city.type("intake", "account close op-9") == (0, "op-9 was closed, and its sessions were ended\n")
        assert await status(client, "/identity") == 401
        assert await sign_in(client, "parisa", "تازه-و-دراز-و-نو") == 422
        assert await city.type("intake", "account close op-9") == (0, "op-9 was already closed\n")
        code, said = await city.type("intake", f"account {OPERATOR}", PASSWORD)
        assert (code, said.partition(":")[0]) == (1, "intake SUBJECT")  # a script run again lets nobody in who has left
        code, said = await city.type("intake", "account list")
        assert re.search(r"op-9 +parisa +identity_clerk +- +closed +پریسا‌راد", said)
        assert (await city.type("intake", "account reopen op-9", PASSWORD))[0] == 0
        assert await sign_in(client, "parisa", PASSWORD) == 303


REFUSED: Final = [
    ("intake", "account add x1 --username xerxes --role reviewer --name X", "--role"),
    ("intake", "account add x1 --username xerxes --role office_operator --name X", "--office"),
    ("intake", "account add x1 --username xerxes --role office_operator --name X --office nowhere", "--office"),
    ("intake", "account add x1 --username xerxes --role office_operator --name X --office ../x", "--office"),
    ("intake", "account add x1 --username xerxes --role engineer --name X --office office-1", "--office"),
    ("intake", "account add X1 --username xerxes --role engineer --name X", "SUBJECT"),
    ("intake", "account add oidc-x --username xerxes --role engineer --name X", "SUBJECT"),
    ("intake", "account add x1 --username خشایار --role engineer --name X", "--username"),
    ("intake", "account add x1 --username darius --role engineer --name X", "--username"),
    ("intake", f"account add x1 --username xerxes --role engineer --name {'X' * 121}", "--name"),
    ("intake", "account close nobody", "SUBJECT"),
    ("intake", "account password nobody", "SUBJECT"),
    ("intake", "account add d1 --username darius --role identity_clerk --name D", "--role"),
    ("intake", "account change d1 --role office_operator", "--office"),
    ("intake", "office register o1 --fa آ --en A --district 6", "district"),
    ("intake", "office register o1 --fa آ --en A --district one", "--district"),
    ("intake", "office register o1 --fa آ --en A --district 1 --hours sat=14:00-08:00", "--hours"),
    ("intake", "office register O/1 --fa آ --en A --district 1", "OFFICE"),
    ("inquiry", "agency register police", "AGENCY"),
    ("inquiry", "account add x1 --username xerxes --role agency_officer --name X --agency fire", "--agency"),
    ("inquiry", "account add x1 --username xerxes --role agency_officer --name X --agency a:b", "--agency"),
    ("notify", "account add x1 --username xerxes --role operator --name X --agency fire", "--agency"),
    ("audit", "account add x1 --username xerxes --role supervisor --name X", "--role"),
    ("review", "reviewer enrol nobody --district 1", "SUBJECT"),
    ("review", "reviewer enrol sup-9 --district 1", "SUBJECT"),
    ("review", "reviewer enrol oidc-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa --district 1", "SUBJECT"),
    ("review", "reviewer enrol rev-1 --district 6", "--district"),
    ("review", "reviewer enrol rev-1 --district 1 --stage nowhere", "--stage"),
    ("review", "reviewer enrol rev-1 --district 1 --weight 101", "--weight"),
    ("review", "reviewer enrol rev-1 --district 1 --office nowhere", "--office"),
    ("review", "reviewer retire rev-1 --reason left", "SUBJECT"),
]


async def test_what_cannot_be_is_refused_in_one_sentence_at_the_field_and_changes_nothing(city: City) -> None:
    made = "account add d1 --username darius --role engineer --name D"
    assert (await city.type("intake", made, PASSWORD))[0] == 0
    for subject, role in (("rev-1", "reviewer"), ("sup-9", "supervisor")):
        line = f"account add {subject} --username {subject} --role {role} --name X"
        assert (await city.type("review", line, PASSWORD))[0] == 0
    before = {service: await rows(city, service) for service in PROCESSES}
    for service, line, field in REFUSED:
        code, said = await city.type(service, line, PASSWORD)
        assert (code, said.partition(":")[0]) == (1, f"{service} {field}"), (line, said)
        assert said.count("\n") == 1, said
    for password in ("", "short", "x" * 40, "my-name-is-xerxes", "x" * 201):
        code, said = await city.type("intake", "account add x1 --username xerxes --role engineer --name X", password)
        assert (code, said.partition(":")[0]) == (1, "intake password"), (password, said)
        assert not password or password not in said
    assert {service: await rows(city, service) for service in PROCESSES} == before
    assert (await city.type("inquiry", "agency register fire"))[0] == 0
    officer = "account add x1 --username xerxes --role agency_officer --name X --agency fire"
    assert (await city.type("inquiry", officer, PASSWORD))[0] == 0


async def rows(city: City, service: str) -> list[str]:
    connection = await city.databases.connect(service, service)
    try:
        return [str(tuple(row)) for row in await connection.fetch("SELECT * FROM web_accounts ORDER BY account_id")]
    finally:
        await connection.close()


WHOLE: Final = "add x1 --username mina --role engineer --name M"


@pytest.mark.parametrize(
    "typed",
    [
        "add x1 --password hunter2-x",
        f"{WHOLE} --password hunter2-x",
        f"{WHOLE} --password=hunter2-x",
        f"{WHOLE} -phunter2-x",
        "password d1 hunter2-x",
        "hunter2-x",
    ],
)
async def test_a_password_that_was_typed_as_an_argument_is_not_repeated(city: City, typed: str) -> None:
    code, said = await city.type("intake", f"account {typed}")
    assert code == 2
    assert "account" in said
    assert "hunter2" not in said


async def test_a_password_is_asked_twice_on_a_terminal_and_never_shown(city: City) -> None:
    line = "account add op-7 --username mina --role operator --name Mina"
    command = [sys.executable, "-m", "services.notify", *line.split()]
    code, shown = await asyncio.to_thread(on_a_terminal, command, city.environment("notify"), [PASSWORD, PASSWORD])
    assert (code, shown.count(":"), PASSWORD in shown) == (0, 2, False), shown
    assert "op-7 may sign in as mina" in shown
    kept = " ".join(await rows(city, "notify"))
    assert "$argon2id$" in kept
    assert PASSWORD not in kept


def on_a_terminal(command: list[str], environment: dict[str, str], answers: list[str]) -> tuple[int, str]:
    """The exit code of a command on a terminal of its own, where each answer is typed after a prompt; and what it showed."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        os.execve(command[0], command, environment)
    shown, asked = b"", 0
    while True:
        try:
            piece = os.read(terminal, 1024)
        except OSError:  # the other end is closed: the command has ended
            break
        if not piece:
            break
        shown += piece
        if asked < len(answers) and shown.count(b": ") > asked:
            os.write(terminal, answers[asked].encode() + b"\n")
            asked += 1
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown.decode()


async def test_an_enrolled_reviewer_is_drawn_by_a_local_account_and_by_openid_connect(city: City) -> None:
    """The whole draw: review's own agenda, the real witness, the real door. Nobody else is enrolled, so the draw is certain."""
    port, databases = free_port(), city.databases
    (city.directory / "witness").mkdir(exist_ok=True)
    person = {"sub": "0012345679", "name": "زرتاج کاشفی", "roles": ["reviewers"]}
    with witness(databases, city.directory / "witness", port), serving(Issuer({f"http://review{RETURN}"}, person)) as issuer:
        await pin(city, port)
        oidc = believing(issuer).model_copy(update={"roles": {"reviewers": Seat(role="reviewer")}})
        settings = city.settings_of("review", oidc=oidc)
        await city.type("review", "account add rev-9 --username maryam --role reviewer --name مریم", PASSWORD)
        enrolled = "reviewer enrol rev-9 --district 3 --district 1 --weight 2"
        assert (await city.type("review", enrolled, settings=settings))[0] == 0
        code, said = await city.type("review", enrolled, settings=settings)
        assert (code, "Nothing was changed" in said) == (0, True)
        assert (await city.type("review", f"{enrolled} --district 5", settings=settings))[0] == 1
        worker = REVIEW.create_agenda_app(settings)
        async with opened(REVIEW.create_app(settings), "review") as client, worker.router.lifespan_context(worker):
            assert await sign_in(client, "maryam", PASSWORD) == 303
            await eventually(lambda: is_the_pool(settings, ["rev-9"]))  # the pool is what review has read by then
            await confirmed(databases, "first")
            await eventually(lambda: is_in_queue(client, "first"))
            code, said = await city.type("review", "account close rev-9")
            assert (code, "can still be drawn" in said) == (0, True)
            assert await status(client, "/api/queue") == 401
            assert (await city.type("review", "reviewer retire rev-9 --reason left", settings=settings))[0] == 0

            subject = local_subject(settings, person["sub"])  # type: ignore[arg-type]
            assert (await city.type("review", f"reviewer enrol {subject} --district 3", settings=settings))[0] == 0
            client.cookies.clear()
            begun = await client.get("/sign-in/oidc", params={"next": "/queue"})
            back = await client.get(await at_door(begun.headers["location"]))
            assert (back.status_code, back.headers["location"]) == (303, "/queue")
            await eventually(lambda: is_the_pool(settings, [subject]))
            await confirmed(databases, "second")
            await eventually(lambda: is_in_queue(client, "second"))
            await eventually(lambda: is_in_queue(client, "first"))  # drawn anew, since who held it has left


async def at_door(location: str) -> str:
    """What the issuer does with a browser that comes with this address: the path at the door that it sends it back to."""
    async with httpx2.AsyncClient(verify=False) as outside:  # plain http: no authorities to read
        return (await outside.get(location)).headers["location"].removeprefix("http://review")
